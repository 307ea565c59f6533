package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, nil) }

// config is that of a plugin which watches this engine.
func config(engine *stand.Podman, more map[string]any) map[string]any {
	config := map[string]any{"socket": engine.Socket()}
	for name, value := range more {
		config[name] = value
	}
	return config
}

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	manifest := stand.ManifestHolds(t)
	if manifest.Default(t, "container_threshold") != float64(defaultThreshold) || manifest.Default(t, "socket") != defaultSocket {
		t.Errorf("the manifest's defaults are others")
	}
}

func TestIdleWithoutContainersAndBusyWithOne(t *testing.T) {
	engine := stand.StartPodman(t)
	plugin := stand.Start(t, config(engine, nil))
	if vote := plugin.Idle(); vote.Details["containers"] != 0.0 {
		t.Fatal(vote)
	}
	engine.Container("one")
	vote := plugin.Busy()
	if vote.Details["containers"] != 1.0 || vote.Details["threshold"] != 1.0 || !strings.Contains(vote.Reason, "one") {
		t.Fatal(vote)
	}
	engine.Do("kill", "one")
	stand.WaitUntil(t, "the one that ended is counted no more", func() bool { return plugin.Check().Idle })
}

func TestIdleBelowTheThresholdAndBusyAtIt(t *testing.T) {
	engine := stand.StartPodman(t)
	plugin := stand.Start(t, config(engine, map[string]any{"container_threshold": 2}))
	engine.Container("one")
	plugin.Idle()
	engine.Container("two")
	plugin.Busy()
	plugin.Configure(config(engine, map[string]any{"container_threshold": 3}))
	plugin.Idle()
}

func TestAContainerIsIgnoredByNameLabelOrImage(t *testing.T) {
	engine := stand.StartPodman(t)
	engine.Container("watch-tower", "--label", "com.example.role=agent")
	plugin := stand.Start(t, config(engine, nil))
	for _, covered := range []map[string]any{
		{"ignore_names": []string{"watch-tower"}}, {"ignore_names": []string{"watch-*"}}, {"ignore_images": []string{stand.Image}},
		{"ignore_images": []string{"localhost/snooze-idle"}}, {"ignore_images": []string{"*/snooze-idle"}},
		{"ignore_labels": []string{"com.example.role"}}, {"ignore_labels": []string{"com.example.role=agent"}},
		{"ignore_labels": []string{"com.example.role=a*"}},
	} {
		plugin.Configure(config(engine, covered))
		if vote := plugin.Idle(); vote.Details["ignored"] != 1.0 {
			t.Errorf("%v: %s", covered, vote)
		}
	}
	for _, other := range []map[string]any{
		{"ignore_names": []string{"watch"}}, {"ignore_names": []string{"watch.tower"}}, {"ignore_images": []string{"snooze-idle"}},
		{"ignore_labels": []string{"com.example.role=b"}}, {"ignore_labels": []string{"com.example"}}, {},
	} {
		plugin.Configure(config(engine, other))
		plugin.Busy()
	}
}

func TestAPausedContainerDoesNotRun(t *testing.T) {
	engine := stand.StartPodman(t)
	engine.Container("one")
	plugin := stand.Start(t, config(engine, nil))
	plugin.Busy()
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	if !engine.HasGroups() || (os.Getuid() != 0 && err != nil) {
		// Pausing takes a group, which only the superuser has with the first version of groups; what the engine would list
		// is known.
		if !(container{State: "paused"}).isResting() {
			t.Fatal("it counts")
		}
		return
	}
	engine.Do("pause", "one")
	plugin.Idle()
	engine.Do("unpause", "one")
	plugin.Busy()
}

func TestItDoesNotCountTheContainerThatItRunsIn(t *testing.T) {
	engine := stand.StartPodman(t)
	program := filepath.Join(engine.Folder, "plugin")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, output)
	}
	arguments := append(engine.Run(), "--rm", "--interactive", "--name", "itself",
		"--volume", program+":/plugin:ro", "--volume", engine.Socket()+":/engine.sock", stand.Image, "/plugin")
	plugin := stand.StartCommand(t, engine.Command(arguments...), map[string]any{"socket": "/engine.sock"})
	if vote := plugin.Idle(); vote.Details["ignored"] != 1.0 {
		t.Fatal(vote)
	}
	engine.Container("other")
	if vote := plugin.Busy(); vote.Details["containers"] != 1.0 {
		t.Fatal(vote)
	}
}

func TestAnEngineThatIsDownIsUnknownUntilItIsBack(t *testing.T) {
	engine := stand.StartPodman(t)
	plugin := stand.Start(t, config(engine, nil))
	plugin.Idle()
	engine.Service.End()
	plugin.Unknown(engine.Socket())
	plugin.Unknown(engine.Socket())
	if err := os.RemoveAll(engine.Socket()); err != nil {
		t.Fatal(err)
	}
	plugin.Unknown(engine.Socket(), "does it run")
	engine.Serve()
	plugin.Idle()
}

func TestAnEngineThatHangsIsUnknownInTime(t *testing.T) {
	engine := stand.StartPodman(t)
	connected, fresh := stand.Start(t, config(engine, nil)), stand.Start(t, config(engine, nil))
	connected.Idle()
	engine.Service.Freeze()
	connected.Unknown("hangs", engine.Socket())
	fresh.Unknown("hangs", engine.Socket())
	engine.Service.Thaw()
	connected.Idle()
	fresh.Idle()
}

func TestASocketThatMayNotBeOpenedIsUnknown(t *testing.T) {
	engine := stand.StartPodman(t)
	if os.Getuid() == 0 {
		if err := os.Chmod(engine.Folder, 0o755); err != nil {
			t.Fatal(err)
		}
		stand.StartCopy(t, "container-monitor", 65534, config(engine, nil)).Unknown("may not be opened", engine.Socket())
		return
	}
	if err := os.Chmod(engine.Socket(), 0); err != nil {
		t.Fatal(err)
	}
	stand.Start(t, config(engine, nil)).Unknown("may not be opened", engine.Socket())
}

func TestGarbageIsUnknown(t *testing.T) {
	for _, answer := range []struct {
		status int
		text   string
	}{
		{200, ""}, {200, "null"}, {200, "{}"}, {200, "[{}]"}, {200, "[null]"}, {200, `["a"]`}, {200, `[{"Id":"a"}`},
		{200, `[{"Id":"a"}] and more`}, {200, `[{"Id":7}]`}, {204, ""}, {301, "[]"}, {404, "[]"}, {500, `{"message":"no"}`},
		{200, "[" + strings.Repeat(" ", answerLimit) + "]"},
	} {
		socket := filepath.Join(t.TempDir(), "s")
		listener, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
			writer.WriteHeader(answer.status)
			// Who had enough of it has closed the connection.
			_, _ = writer.Write([]byte(answer.text))
		})}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { server.Close() })
		stand.Start(t, map[string]any{"socket": socket}).Unknown(socket)
	}
	socket := filepath.Join(t.TempDir(), "s")
	stand.Garbage(t, "unix", socket, "SSH-2.0-OpenSSH_9.2\r\n")
	stand.Start(t, map[string]any{"socket": socket}).Unknown(socket)
}

func TestANewConfigurationHoldsAtOnce(t *testing.T) {
	one, other := stand.StartPodman(t), stand.StartPodman(t)
	other.Container("busy")
	plugin := stand.Start(t, config(one, nil))
	plugin.Idle()
	plugin.Configure(config(other, nil))
	plugin.Busy()
	plugin.Configure(map[string]any{"socket": "unix://" + one.Socket()})
	plugin.Idle()
}

func TestARefusedConfigurationNamesTheFieldAndChangesNothing(t *testing.T) {
	engine := stand.StartPodman(t)
	engine.Container("kept")
	plugin := stand.Start(t, config(engine, nil))
	for field, values := range map[string][]any{
		"container_threshold": {0, 1.5, "1", nil}, "socket": {"", "relative", "tcp://localhost:2375", 7, nil},
		"ignore_names": {"kept", []any{1}, []any{""}}, "ignore_labels": {[]any{"=value"}, "x"}, "ignore_images": {[]any{nil}, true},
	} {
		for _, value := range values {
			config := config(engine, map[string]any{"container_threshold": 9})
			config[field] = value
			if said := plugin.Refuses(config); !strings.Contains(said, field) {
				t.Errorf("%q does not name %s", said, field)
			}
			plugin.Busy()
		}
	}
}

func TestOnlyItsOwnHostnameSaysWhichContainerItIsIn(t *testing.T) {
	number := strings.Repeat("0123456789abcdef", 4)
	for mounts, expected := range map[string]string{
		"79 69 254:0 /run/overlay-containers/" + number + "/userdata/hostname /etc/hostname rw - ext4 /dev/vda rw": number,
		"79 69 8:1 /var/lib/docker/containers/" + number + "/hostname /etc/hostname rw - ext4 /dev/sda1 rw":        number,
		// A machine that runs one.
		"90 30 0:50 / /var/lib/docker/containers/" + number + "/mounts/shm rw - tmpfs shm rw":               "",
		"79 69 8:1 /var/lib/docker/containers/" + number + "/hostname /mnt/hostname rw - ext4 /dev/sda1 rw": "",
		"79 69 8:1 /etc/hostname /etc/hostname rw - ext4 /dev/sda1 rw":                                      "",
		"": "",
	} {
		if got := ownIn("1 2 3 / / rw\n" + mounts + "\n"); got != expected {
			t.Errorf("%q: %q", mounts, got)
		}
	}
}
