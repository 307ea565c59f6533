package stand

// A real Podman for each test, in a folder of its own: its API on a socket, and containers of an image that is made of
// one static program. Nothing is fetched from a registry.

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Image is that of its containers.
const Image = "localhost/snooze-idle:1"

// Podman is a running one, with its API.
type Podman struct {
	t *testing.T
	// Folder is where all is that it has.
	Folder string
	// Service answers at its socket.
	Service *Server
}

// way is how containers start here: not every machine lets every runtime, and not every one has groups for it.
type way struct{ runtime, cgroups string }

var (
	ways  = []way{{"crun", "enabled"}, {"crun", "disabled"}, {"runc", "enabled"}}
	found sync.Once
	works way
	why   error
)

// StartPodman starts one, which ends with the test and all of its containers.
func StartPodman(t *testing.T) *Podman {
	t.Helper()
	for _, program := range []string{"podman", "crun", "runc"} {
		Program(t, program, program)
	}
	// Sockets have short names.
	folder, err := os.MkdirTemp("", "snooze-podman-")
	if err != nil {
		t.Fatal(err)
	}
	engine := &Podman{t: t, Folder: folder}
	t.Cleanup(func() { engine.remove() })
	// A sandbox may not raise limits, and has no network to give away.
	text := "[containers]\ndefault_ulimits = []\nnetns = \"host\"\nlog_driver = \"none\"\n" +
		"[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n"
	if err := os.WriteFile(filepath.Join(folder, "containers.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	engine.makeImage()
	found.Do(func() {
		var said []string
		for _, way := range ways {
			output, err := engine.Command(append(engine.run(way), "--rm", Image, "/bin/true")...).CombinedOutput()
			if err == nil {
				works = way
				return
			}
			said = append(said, fmt.Sprintf("%s with cgroups %s: %s", way.runtime, way.cgroups, strings.TrimSpace(string(output))))
		}
		why = fmt.Errorf("podman starts no container here:\n%s", strings.Join(said, "\n"))
	})
	if why != nil {
		t.Fatal(why)
	}
	engine.Serve()
	t.Cleanup(func() { engine.Do("rm", "--all", "--force", "--time=0") })
	return engine
}

// remove removes the folder, once what ended there has let go of it.
func (engine *Podman) remove() {
	engine.t.Helper()
	var err error
	WaitUntil(engine.t, "nothing is left of it", func() bool {
		if err = os.RemoveAll(engine.Folder); err != nil && os.Getuid() != 0 {
			// Layers belong to users of its own.
			Run(engine.t, "podman", "unshare", "rm", "-rf", engine.Folder)
			return true
		}
		return err == nil
	})
}

func (engine *Podman) makeImage() {
	engine.t.Helper()
	root := filepath.Join(engine.Folder, "image")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		engine.t.Fatal(err)
	}
	Run(engine.t, "cp", Program(engine.t, "busybox", "busybox-static"), filepath.Join(root, "bin/busybox"))
	for _, name := range []string{"sleep", "true"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			engine.t.Fatal(err)
		}
	}
	archive := filepath.Join(engine.Folder, "image.tar")
	Run(engine.t, "tar", "-C", root, "-cf", archive, ".")
	engine.Do("import", archive, Image)
}

// Command is podman with everything of its own in the folder.
func (engine *Podman) Command(arguments ...string) *exec.Cmd {
	at := func(name string) string { return filepath.Join(engine.Folder, name) }
	command := exec.Command("podman", append([]string{
		"--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp"), "--storage-driver", "vfs"}, arguments...)...)
	command.Env = append(os.Environ(), "CONTAINERS_CONF="+at("containers.conf"))
	return command
}

// Do runs podman, which must succeed.
func (engine *Podman) Do(arguments ...string) string {
	engine.t.Helper()
	output, err := engine.Command(arguments...).CombinedOutput()
	if err != nil {
		engine.t.Fatalf("podman %s: %s\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output)
}

// Run is how containers are run here.
func (engine *Podman) Run() []string { return engine.run(works) }

// HasGroups says whether containers have control groups here.
func (engine *Podman) HasGroups() bool { return works.cgroups != "disabled" }

func (engine *Podman) run(way way) []string {
	return []string{"--runtime", way.runtime, "run", "--cgroups", way.cgroups, "--network=host", "--ulimit=host"}
}

// Container starts one that does nothing, with these options beside.
func (engine *Podman) Container(name string, options ...string) {
	engine.t.Helper()
	arguments := append(engine.run(works), "--detach", "--name", name)
	engine.Do(append(append(arguments, options...), Image, "/bin/sleep", "3600")...)
}

// Socket is where its API answers.
func (engine *Podman) Socket() string { return filepath.Join(engine.Folder, "s") }

// Serve starts the API and waits until it answers.
func (engine *Podman) Serve() {
	engine.t.Helper()
	engine.Service = Serve(engine.t, engine.Command("--runtime", works.runtime, "system", "service", "--time=0", "unix://"+engine.Socket()))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", engine.Socket())
	}}}
	defer client.CloseIdleConnections()
	WaitUntil(engine.t, "podman answers", func() bool {
		if engine.Service.Ended() {
			engine.t.Fatalf("podman ended:\n%s", engine.Service.Log())
		}
		answer, err := client.Get("http://engine/_ping")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}
