package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
)

func containerNamed(name string) map[string]any { return map[string]any{"container": name} }

// heeding starts a container that ends when this signal comes, and has said that it is ready for it.
func heeding(t *testing.T, engine *stand.Podman, name, signal string) {
	t.Helper()
	script := fmt.Sprintf(`trap 'exit 0' %s; : >/out/%s; while :; do sleep 0.05; done`, signal, name)
	words := append(engine.Run(), "--detach", "--name", name, "--volume", engine.Folder+":/out", stand.Image, "/bin/busybox", "sh", "-c", script)
	engine.Do(words...)
	stand.WaitUntil(t, name+" is ready", func() bool {
		_, err := os.Stat(filepath.Join(engine.Folder, name))
		return err == nil
	})
}

func running(engine *stand.Podman, name string) string {
	return strings.TrimSpace(engine.Do("inspect", "--format", "{{.State.Running}}", name))
}

func TestContainersAreStoppedInOrder(t *testing.T) {
	engine := stand.StartPodman(t)
	heeding(t, engine, "one", "TERM")
	heeding(t, engine, "two", "TERM")
	engine.Container("ended")
	engine.Do("kill", "ended")
	plugin := stand.Start(t, map[string]any{
		"engine_socket": engine.Socket(), "steps": units(containerNamed("two"), containerNamed("ended"), containerNamed("one"))})
	outcome := plugin.HandleEvent(nil, 4400*time.Millisecond)
	if !outcome.Handled || !outcome.Succeeded || running(engine, "one") != "false" || running(engine, "two") != "false" {
		t.Fatal(outcome)
	}
	for number, said := range []string{"stopped, ", "was not running, ", "stopped, "} {
		name := []string{"container two", "container ended", "container one"}[number]
		if got := entry(t, outcome, number+1, name); !strings.HasPrefix(got, said) {
			t.Errorf("%s: %s", name, got)
		}
	}
	at := func(name string) string {
		return engine.Do("inspect", "--format", "{{.State.FinishedAt.UnixNano}}", name)
	}
	if at("two") > at("one") {
		t.Errorf("it was not the order: %s, %s", at("two"), at("one"))
	}
}

func TestAContainerThatDoesNotHearIsKilledInItsShare(t *testing.T) {
	engine := stand.StartPodman(t)
	// The first process of a container hears no signal that it does not ask for.
	engine.Container("deaf")
	heeding(t, engine, "next", "TERM")
	plugin := stand.Start(t, map[string]any{"engine_socket": engine.Socket(), "steps": units(containerNamed("deaf"), containerNamed("next"))})
	outcome := plugin.HandleEvent(nil, 4400*time.Millisecond)
	if !outcome.Succeeded || running(engine, "deaf") != "false" || running(engine, "next") != "false" {
		t.Error(outcome)
	}
}

func TestASignalIsSentToAContainerAndItsEndAwaitedWhereThatIsAsked(t *testing.T) {
	engine := stand.StartPodman(t)
	heeding(t, engine, "waited", "USR1")
	heeding(t, engine, "told", "USR1")
	engine.Container("deaf")
	kill := func(name string, more map[string]any) map[string]any {
		step := map[string]any{"container": name, "action": "kill", "signal": "SIGUSR1"}
		for key, value := range more {
			step[key] = value
		}
		return step
	}
	second := map[string]any{"seconds": 1}
	plugin := stand.Start(t, map[string]any{"engine_socket": engine.Socket(),
		"steps": units(kill("waited", map[string]any{"seconds": 3}), kill("told", nil), kill("deaf", second))})
	outcome := plugin.HandleEvent(nil, 4400*time.Millisecond)
	for number, said := range []string{"stopped, ", "was sent SIGUSR1, ", "still runs when its time is over, "} {
		name := []string{"container waited", "container told", "container deaf"}[number]
		if got := entry(t, outcome, number+1, name); !strings.HasPrefix(got, said) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if outcome.Succeeded || running(engine, "waited") != "false" || running(engine, "deaf") != "true" {
		t.Error(outcome)
	}
	stand.WaitUntil(t, "the one that was told has heard", func() bool { return running(engine, "told") == "false" })
}

func TestAContainerThatIsRemovedWhenItEndsHasStopped(t *testing.T) {
	engine := stand.StartPodman(t)
	engine.Container("short", "--rm")
	plugin := stand.Start(t, map[string]any{"engine_socket": engine.Socket(), "steps": units(
		map[string]any{"container": "short", "action": "kill", "signal": "SIGKILL", "seconds": 3}, containerNamed("misspelt"))})
	outcome := plugin.HandleEvent(nil, 4400*time.Millisecond)
	if got := entry(t, outcome, 1, "container short"); !strings.HasPrefix(got, "stopped") {
		t.Error(got)
	}
	if outcome.Succeeded || !strings.Contains(outcome.Message, "container misspelt: there is no such container") {
		t.Error(outcome)
	}
}

func TestAnEngineThatIsDownOrHangsIsAFailureInTime(t *testing.T) {
	folder := t.TempDir()
	absent, silent := filepath.Join(folder, "none"), filepath.Join(folder, "s")
	stand.Garbage(t, "unix", silent, "")
	for socket, words := range map[string]string{absent: "does it run", silent: "did not answer in time"} {
		plugin := stand.Start(t, map[string]any{"engine_socket": socket, "steps": units(containerNamed("one"), containerNamed("two"))})
		outcome := plugin.HandleEvent(nil, 2*time.Second)
		if !outcome.Handled || outcome.Succeeded || !strings.Contains(outcome.Message, words) || !strings.Contains(outcome.Message, socket) {
			t.Errorf("%s: %s", words, outcome)
		}
	}
}

func TestWhatIsNoEngineIsNeverTakenForOneThatHasStopped(t *testing.T) {
	for _, answer := range []struct {
		status int
		text   string
	}{
		{200, ""}, {200, "null"}, {200, "{}"}, {200, `{"State":{}}`}, {200, `{"State":{"Running":"no"}}`}, {200, `{"State":null}`},
		{204, ""}, {304, ""}, {500, `{"message":"out of order"}`}, {404, "nginx"},
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
		plugin := stand.Start(t, map[string]any{"engine_socket": socket, "steps": units(containerNamed("one"))})
		if outcome := plugin.HandleEvent(nil, 2*time.Second); !outcome.Handled || outcome.Succeeded {
			t.Errorf("%v: %s", answer, outcome)
		}
	}
}
