package stand

// A real systemd, with a bus of its own, beside the machine's: a user's instance with a view of the files of its own, that finds no
// units but a test's. When the test ends, so does all that it has started. It takes the superuser, or sudo.

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Systemd is a running one.
type Systemd struct {
	t      *testing.T
	folder string
	server *Server
}

// A user's instance runs only where systemd is the machine's own, which it looks for in /run, and makes groups below its
// own one. It ends with its input, and with it all that is in these groups, which are removed. A namespace of processes
// would do that, too, but in one it would know nobody who asks from outside.
const boot = `
groups=
for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ -e "$tree/cgroup.procs" ] || continue
    mkdir -p "$tree/$2" && echo $$ >"$tree/$2/cgroup.procs" || exit 1
    groups="$groups $tree/$2"
done
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit 1
export XDG_RUNTIME_DIR=$1 SYSTEMD_UNIT_PATH=$1/units LANG=C.UTF-8
for program in /usr/lib/systemd/systemd /lib/systemd/systemd; do [ -x "$program" ] && break; done
"$program" --user --unit=start.target </dev/null &
read -r end
kill -KILL $!
left=100
while [ $((left -= 1)) -gt 0 ]; do
    others=
    for file in $(find $groups -name cgroup.procs); do
        while read -r each; do [ "$each" = $$ ] || ! [ -e "/proc/$each" ] || others="$others $each"; done <"$file"
    done
    [ -n "$others" ] || break
    kill -KILL $others
    sleep 0.02
done
for group in $groups; do
    echo $$ >"${group%/*}/cgroup.procs"
    find "$group" -depth -type d -exec rmdir {} +
done
`

var units = map[string]string{
	"start.target": "[Unit]\nDefaultDependencies=no\nRequires=dbus.service\n",
	"dbus.socket":  "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%t/bus\n",
	"dbus.service": "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\n[Service]\nType=notify\nSockets=dbus.socket\n" +
		"ExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile --syslog-only\n",
}

// StartSystemd starts one which has these services, by the text of their section [Service], and none of them running.
func StartSystemd(t *testing.T, services map[string]string) *Systemd {
	t.Helper()
	Program(t, "systemctl", "systemd")
	Program(t, "dbus-daemon", "dbus-daemon")
	Program(t, "unshare", "util-linux")
	// Sockets have short names.
	folder, err := os.MkdirTemp("", "snooze-systemd-")
	must(t, err)
	t.Cleanup(func() { asRoot(t, "rm", "-rf", folder) })
	must(t, os.Mkdir(filepath.Join(folder, "units"), 0o755))
	write := func(name, text string) {
		must(t, os.WriteFile(filepath.Join(folder, "units", name), []byte(text), 0o644))
	}
	for name, text := range units {
		write(name, text)
	}
	for name, text := range services {
		write(name, "[Unit]\nDefaultDependencies=no\n[Service]\n"+text+"\n")
	}
	words := append(root(t), "unshare", "--mount", "--propagation", "private", "sh", "-c", boot, "sh", folder, filepath.Base(folder))
	command := exec.Command(words[0], words[1:]...)
	// Kept open: its end is systemd's.
	in, end, err := os.Pipe()
	must(t, err)
	defer in.Close()
	command.Stdin = in
	systemd := &Systemd{t: t, folder: folder, server: Serve(t, command)}
	t.Cleanup(func() { systemd.end(end) })
	WaitUntil(t, "systemd is on its bus", func() bool {
		if systemd.server.Ended() {
			t.Fatalf("systemd ended; it takes the superuser and control groups that he may write:\n%s", systemd.server.Log())
		}
		_, err := systemd.command("show", "--property=Version").CombinedOutput()
		return err == nil
	})
	return systemd
}

func (systemd *Systemd) end(input io.Closer) {
	input.Close()
	WaitUntil(systemd.t, "systemd has ended", systemd.server.Ended)
}

// Bus is the socket of the bus that it is on.
func (systemd *Systemd) Bus() string { return filepath.Join(systemd.folder, "bus") }

// Private is its own socket.
func (systemd *Systemd) Private() string { return filepath.Join(systemd.folder, "systemd", "private") }

// Plugin starts the plugin as the superuser, whose systemd it is.
func (systemd *Systemd) Plugin(config map[string]any) *Plugin {
	systemd.t.Helper()
	if os.Getuid() == 0 {
		return Start(systemd.t, config)
	}
	program, err := os.Executable()
	must(systemd.t, err)
	words := append(root(systemd.t), append([]string{"env", "-i"}, append(environment(), program)...)...)
	return StartCommand(systemd.t, exec.Command(words[0], words[1:]...), config)
}

// Do has systemctl do something, which must succeed, and hands back what it prints.
func (systemd *Systemd) Do(arguments ...string) string {
	systemd.t.Helper()
	output, err := systemd.command(arguments...).CombinedOutput()
	if err != nil {
		systemd.t.Fatalf("systemctl %s: %s\n%s", strings.Join(arguments, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// State is a unit's, as active.
func (systemd *Systemd) State(unit string) string {
	systemd.t.Helper()
	return systemd.Do("show", "--property=ActiveState", "--value", unit)
}

func (systemd *Systemd) command(arguments ...string) *exec.Cmd {
	words := append(root(systemd.t), "env", "XDG_RUNTIME_DIR="+systemd.folder, "DBUS_SESSION_BUS_ADDRESS=unix:path="+systemd.Bus(), "systemctl", "--user")
	words = append(words, arguments...)
	return exec.Command(words[0], words[1:]...)
}

// root is what makes a command the superuser's.
func root(t *testing.T) []string {
	t.Helper()
	if os.Getuid() == 0 {
		return nil
	}
	if err := exec.Command("sudo", "-n", "true").Run(); err != nil {
		t.Fatal("a systemd of the test's own takes the superuser: neither are you root nor does sudo let you be")
	}
	return []string{"sudo", "-n"}
}

func asRoot(t *testing.T, words ...string) {
	t.Helper()
	words = append(root(t), words...)
	Run(t, words[0], words[1:]...)
}
