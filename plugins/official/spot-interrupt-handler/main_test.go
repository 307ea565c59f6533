package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, nil) }

// script writes a shell script, closed to others, and hands back its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	mode(t, path, 0o755)
	mode(t, filepath.Dir(path), 0o755)
	return path
}

// mode sets a mode whatever the mask is.
func mode(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, script string, more map[string]any) *stand.Plugin {
	t.Helper()
	config := map[string]any{"shutdown_script_path": script}
	for name, value := range more {
		config[name] = value
	}
	return stand.Start(t, config)
}

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	if stand.ManifestHolds(t).Default(t, "timeout_seconds") != float64(defaultTimeoutSeconds) {
		t.Error("the manifest's default is another")
	}
}

// What is called off has the script run for nothing, on a machine that stays.
func TestANoticeThatWasCalledOffRunsNothing(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	plugin := start(t, script(t, "touch "+mark), nil)
	for _, state := range []string{"cancelled", "cleared"} {
		plugin.Passes(interrupt, map[string]any{"state": state})
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the script was run")
	}
	plugin.HandleEvent(map[string]any{"data": map[string]any{"state": "raised"}}, 4*time.Second)
	if _, err := os.Stat(mark); err != nil {
		t.Error("and where it is raised it is not")
	}
}

func TestTheExitStatusOfTheScriptIsItsSuccess(t *testing.T) {
	good := start(t, script(t, "echo saved; echo and synced >&2"), nil).HandleEvent(nil, 4*time.Second)
	if !good.Handled || !good.Succeeded || good.Details["exit_code"] != 0.0 || good.Details["script_output"] != "saved\nand synced\n" {
		t.Error(good)
	}
	bad := start(t, script(t, "echo the disk is full; exit 7"), nil).HandleEvent(nil, 4*time.Second)
	if !bad.Handled || bad.Succeeded || bad.Details["exit_code"] != 7.0 || !strings.Contains(bad.Message, "exit code 7") ||
		bad.Details["script_output"] != "the disk is full\n" {
		t.Error(bad)
	}
	killed := start(t, script(t, "kill -9 $$"), nil).HandleEvent(nil, 4*time.Second)
	if !killed.Handled || killed.Succeeded || killed.Details["signal"] != "SIGKILL" || killed.Details["timed_out"] != false {
		t.Error(killed)
	}
}

func TestTheScriptIsToldWhatHappens(t *testing.T) {
	plugin := start(t, script(t, `echo "$SNOOZE_EVENT_ID $SNOOZE_EVENT_TYPE $SNOOZE_EVENT_SEVERITY $SNOOZE_EVENT_SOURCE $SNOOZE_EVENT_HOST"
echo "$SNOOZE_EVENT_DEADLINE $SNOOZE_SECONDS_LEFT"; cat`), nil)
	event := map[string]any{
		"id": "cloud-spot-interrupt-7", "deadline": "2026-01-31T12:02:00Z", "data": map[string]any{"action": "terminate", "big": 9007199254740993},
	}
	said := plugin.HandleEvent(event, 4*time.Second).Details["script_output"]
	expected := "cloud-spot-interrupt-7 cloud.spot.interrupt 3 aws.imds web-1\n2026-01-31T12:02:00Z 2\n" +
		`{"action":"terminate","big":9007199254740993}`
	if said != expected {
		t.Errorf("it was told %q and not %q", said, expected)
	}
}

func TestAScriptThatReadsNothingIsNotHeldUp(t *testing.T) {
	plugin := start(t, script(t, "true"), nil)
	event := map[string]any{"data": map[string]any{"long": strings.Repeat("x", 512*1024)}}
	if outcome := plugin.HandleEvent(event, 4*time.Second); !outcome.Succeeded || outcome.Took > 2*time.Second {
		t.Error(outcome)
	}
}

func TestAScriptIsToldToEndInTime(t *testing.T) {
	// Its own child is told as well: a shell hears a signal only when that has ended.
	path := script(t, "trap 'echo put away; exit 0' TERM; sleep 60")
	outcome := start(t, path, nil).HandleEvent(nil, 2*time.Second)
	if !outcome.Handled || outcome.Succeeded || outcome.Details["timed_out"] != true || !strings.Contains(fmt.Sprint(outcome.Details["script_output"]), "put away\n") {
		t.Error(outcome)
	}
	// Where it is configured to have less, there is no need to wait for the event's end.
	outcome = start(t, path, map[string]any{"timeout_seconds": 0.2}).HandleEvent(nil, time.Minute)
	if outcome.Succeeded || outcome.Details["timed_out"] != true || outcome.Took > 3*time.Second {
		t.Error(outcome)
	}
}

func TestAScriptThatDoesNotEndIsKilledInTimeWithAllThatItStarted(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	path := script(t, fmt.Sprintf(`trap '' TERM; sleep 60 & (sh -c 'trap "" TERM; echo $$ >>%[1]s; sleep 60') & echo $! >>%[1]s; echo $$ >>%[1]s; wait; sleep 60`, pids))
	outcome := start(t, path, nil).HandleEvent(nil, 2*time.Second)
	if !outcome.Handled || outcome.Succeeded || outcome.Details["signal"] != "SIGKILL" || outcome.Details["timed_out"] != true {
		t.Error(outcome)
	}
	areGone(t, pids, 3)
}

func TestWhatAScriptLeavesBehindEndsWithIt(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	path := script(t, fmt.Sprintf("sleep 60 & echo $! >>%s; echo done", pids))
	outcome := start(t, path, nil).HandleEvent(nil, time.Minute)
	if !outcome.Succeeded || outcome.Took > 3*time.Second {
		t.Error(outcome)
	}
	areGone(t, pids, 1)
}

func TestAPluginThatHasToEndEndsItsScript(t *testing.T) {
	folder := t.TempDir()
	pids := filepath.Join(folder, "pids")
	path := script(t, fmt.Sprintf("trap '' TERM; echo $$ >>%[1]s/new; mv %[1]s/new %[1]s/pids; while :; do sleep 60; done", folder))
	plugin := start(t, path, nil)
	go func() {
		for range 1000 {
			if _, err := os.Stat(pids); err == nil {
				_ = syscall.Kill(plugin.ID, syscall.SIGTERM)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if outcome := plugin.HandleEvent(nil, time.Minute); outcome.Succeeded || outcome.Details["signal"] != "SIGKILL" {
		t.Error(outcome)
	}
	areGone(t, pids, 1)
}

// areGone waits until none of the processes that a file lists is there.
func areGone(t *testing.T, path string, count int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(text))
	if len(pids) != count {
		t.Fatalf("there were to be %d processes and not %q", count, pids)
	}
	for _, pid := range pids {
		// Nobody may have waited yet for one that is dead.
		stand.WaitUntil(t, pid+" is gone", func() bool {
			status, err := os.ReadFile("/proc/" + pid + "/stat")
			return err != nil || strings.Contains(string(status), ") Z ")
		})
	}
}

func TestAScriptThatOthersMayWriteIsNotRun(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	for words, spoil := range map[string]func(path string) string{
		"chmod go-w": func(path string) string { mode(t, path, 0o757); return path },
		"by others":  func(path string) string { mode(t, path, 0o775); return path },
		"the folder": func(path string) string { mode(t, filepath.Dir(path), 0o777); return path },
		"chmod +x":   func(path string) string { mode(t, path, 0o644); return path },
		"is no file": filepath.Dir,
		"there?":     func(path string) string { return path + ".none" },
		"way to":     linkFromAFolderOfOthers(t),
		"chown root": func(path string) string {
			if os.Getuid() == 0 {
				if err := os.Chown(path, 65534, 0); err != nil {
					t.Fatal(err)
				}
				return path
			}
			// What belongs to nobody whom one can be.
			return "/proc/1/exe"
		},
	} {
		path := spoil(script(t, "touch "+ran))
		outcome := start(t, path, nil).HandleEvent(nil, 4*time.Second)
		if words == "chown root" && path == "/proc/1/exe" {
			words = "not run"
		}
		if !outcome.Handled || outcome.Succeeded || !strings.Contains(outcome.Message, words) {
			t.Errorf("%s: %s", words, outcome)
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("one was run")
	}
}

func linkFromAFolderOfOthers(t *testing.T) func(string) string {
	return func(path string) string {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		mode(t, filepath.Dir(link), 0o777)
		return link
	}
}

func TestAnEventOfAnotherTypeIsNotItsBusiness(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	plugin := start(t, script(t, "touch "+ran), nil)
	for _, other := range []string{"custom", "cloud.spot.rebalance", "cloud.instance.termination"} {
		if outcome := plugin.HandleEvent(map[string]any{"type": other}, 4*time.Second); outcome.Handled {
			t.Error(outcome)
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("it was run")
	}
}

func TestNothingIsStartedWhereNoTimeIsLeft(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	plugin := &plugin{script: script(t, "touch "+ran), timeout: time.Minute}
	outcome := handleWithin(t, plugin, 5*time.Millisecond)
	if !strings.Contains(outcome, "was not run") {
		t.Error(outcome)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("it was run")
	}
}

func TestARefusedConfigurationNamesTheFieldAndChangesNothing(t *testing.T) {
	plugin := start(t, script(t, "echo kept"), nil)
	for field, values := range map[string][]any{
		"shutdown_script_path": {"", "relative.sh", 7, nil}, "timeout_seconds": {0, -1, "90", nil},
	} {
		for _, value := range values {
			config := map[string]any{"shutdown_script_path": "/bin/false"}
			config[field] = value
			if said := plugin.Refuses(config); !strings.Contains(said, field) {
				t.Errorf("%q does not name %s", said, field)
			}
		}
	}
	if said := plugin.Refuses(map[string]any{"timeout_seconds": 9}); !strings.Contains(said, "shutdown_script_path") {
		t.Error(said)
	}
	if outcome := plugin.HandleEvent(nil, 4*time.Second); outcome.Details["script_output"] != "kept\n" {
		t.Error(outcome)
	}
}

func TestAConfiguredScriptThatWouldNotBeRunIsToldAtOnce(t *testing.T) {
	plugin := start(t, "/no/such/script", nil)
	stand.WaitUntil(t, "the log tells", func() bool { return strings.Contains(plugin.Log(), "/no/such/script") })
}
