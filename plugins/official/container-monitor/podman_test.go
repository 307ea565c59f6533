package main

// A real Podman for each test, in a folder of its own: its API on a socket, and containers of an image that is made of
// one static program. Nothing is fetched from a registry.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

const image = "localhost/snooze-idle:1"

type podman struct {
	t       *testing.T
	folder  string
	service *stand.Server
}

// way is how containers start here: not every machine lets every runtime, and not every one has groups for it.
type way struct{ runtime, cgroups string }

var (
	ways  = []way{{"crun", "enabled"}, {"crun", "disabled"}, {"runc", "enabled"}}
	found sync.Once
	works way
	why   error
)

func start(t *testing.T) *podman {
	t.Helper()
	for _, program := range []string{"podman", "crun", "runc"} {
		stand.Program(t, program, program)
	}
	// Sockets have short names.
	folder, err := os.MkdirTemp("", "snooze-podman-")
	if err != nil {
		t.Fatal(err)
	}
	engine := &podman{t: t, folder: folder}
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
			output, err := engine.command(append(engine.run(way), "--rm", image, "/bin/true")...).CombinedOutput()
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
	engine.serve()
	t.Cleanup(func() { engine.do("rm", "--all", "--force", "--time=0") })
	return engine
}

// remove removes the folder, once what ended there has let go of it.
func (engine *podman) remove() {
	engine.t.Helper()
	var err error
	stand.WaitUntil(engine.t, "nothing is left of it", func() bool {
		if err = os.RemoveAll(engine.folder); err != nil && os.Getuid() != 0 {
			// Layers belong to users of its own.
			stand.Run(engine.t, "podman", "unshare", "rm", "-rf", engine.folder)
			return true
		}
		return err == nil
	})
}

func (engine *podman) makeImage() {
	engine.t.Helper()
	root := filepath.Join(engine.folder, "image")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		engine.t.Fatal(err)
	}
	stand.Run(engine.t, "cp", stand.Program(engine.t, "busybox", "busybox-static"), filepath.Join(root, "bin/busybox"))
	for _, name := range []string{"sleep", "true"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			engine.t.Fatal(err)
		}
	}
	archive := filepath.Join(engine.folder, "image.tar")
	stand.Run(engine.t, "tar", "-C", root, "-cf", archive, ".")
	engine.do("import", archive, image)
}

// command is podman with everything of its own in the folder.
func (engine *podman) command(arguments ...string) *exec.Cmd {
	at := func(name string) string { return filepath.Join(engine.folder, name) }
	command := exec.Command("podman", append([]string{
		"--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp"), "--storage-driver", "vfs"}, arguments...)...)
	command.Env = append(os.Environ(), "CONTAINERS_CONF="+at("containers.conf"))
	return command
}

func (engine *podman) do(arguments ...string) string {
	engine.t.Helper()
	output, err := engine.command(arguments...).CombinedOutput()
	if err != nil {
		engine.t.Fatalf("podman %s: %s\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output)
}

func (engine *podman) run(way way) []string {
	return []string{"--runtime", way.runtime, "run", "--cgroups", way.cgroups, "--network=host", "--ulimit=host"}
}

// container starts one that does nothing, with these options beside.
func (engine *podman) container(name string, options ...string) {
	engine.t.Helper()
	arguments := append(engine.run(works), "--detach", "--name", name)
	engine.do(append(append(arguments, options...), image, "/bin/sleep", "3600")...)
}

func (engine *podman) socket() string { return filepath.Join(engine.folder, "s") }

// serve starts the API and waits until it answers.
func (engine *podman) serve() {
	engine.t.Helper()
	engine.service = stand.Serve(engine.t, engine.command("--runtime", works.runtime, "system", "service", "--time=0", "unix://"+engine.socket()))
	api := reach(engine.socket())
	defer api.close()
	stand.WaitUntil(engine.t, "podman answers", func() bool {
		if engine.service.Ended() {
			engine.t.Fatalf("podman ended:\n%s", engine.service.Log())
		}
		_, err := api.containers(context.Background())
		return err == nil
	})
}

func (engine *podman) config(more map[string]any) map[string]any {
	config := map[string]any{"socket": engine.socket()}
	for name, value := range more {
		config[name] = value
	}
	return config
}
