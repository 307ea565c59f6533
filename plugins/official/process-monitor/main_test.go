package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, nil) }

const (
	spin = "while :; do :; done"
	// Waits without using anything, and without a child.
	wait = "read never"
)

// script starts a shell script under this name, with its standard input held open.
func script(t *testing.T, name, text string) *stand.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	// Not by this program: a test beside this one that starts something would hold the file open, and nobody can run
	// what is open to be written.
	stand.Run(t, "sh", "-c", `printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod 755 "$2"`, "sh", text, path)
	command := exec.Command(path)
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { input.Close() })
	server := stand.Serve(t, command)
	stand.WaitUntil(t, name+" has its name", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", server.ID()))
		return err == nil && strings.TrimSpace(string(text)) == name
	})
	return server
}

// settled asks until it knows.
func settled(t *testing.T, plugin *stand.Plugin) stand.Vote {
	t.Helper()
	var vote stand.Vote
	stand.WaitUntil(t, "the vote is known", func() bool { vote = plugin.Check(); return vote.Unknown == "" })
	return vote
}

// becomes asks until it is idle, or busy.
func becomes(t *testing.T, plugin *stand.Plugin, idle bool) stand.Vote {
	t.Helper()
	var vote stand.Vote
	stand.WaitUntil(t, fmt.Sprintf("idle is %v", idle), func() bool {
		vote = plugin.Check()
		return vote.Unknown == "" && vote.Idle == idle
	})
	return vote
}

func named(names ...string) map[string]any { return map[string]any{"processes": names} }

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	if got := stand.ManifestHolds(t).Default(t, "cpu_threshold_percent"); got != float64(defaultCPUThreshold) {
		t.Errorf("the manifest's default is %v", got)
	}
}

func TestTheFirstCheckIsUnknown(t *testing.T) {
	t.Parallel()
	plugin := stand.Start(t, named("snooze-nothing"))
	plugin.Unknown("not known yet")
	settled(t, plugin)
}

func TestWhatDoesNotRunIsIdle(t *testing.T) {
	t.Parallel()
	plugin := stand.Start(t, named("snooze-nothing"))
	if vote := settled(t, plugin); !vote.Idle || vote.Details["processes"] != 0.0 {
		t.Fatal(vote)
	}
}

func TestWhatWaitsIsIdleAndWhatComputesIsBusy(t *testing.T) {
	t.Parallel()
	script(t, "snooze-waits", wait)
	script(t, "snooze-spins", spin)
	if vote := settled(t, stand.Start(t, named("snooze-waits"))); !vote.Idle || vote.Details["processes"] != 1.0 {
		t.Fatal(vote)
	}
	vote := settled(t, stand.Start(t, named("snooze-waits", "snooze-spins")))
	if vote.Idle || vote.Details["processes"] != 2.0 || vote.Details["cpu_percent"].(float64) < defaultCPUThreshold {
		t.Fatal(vote)
	}
}

func TestWhatItStartedCounts(t *testing.T) {
	t.Parallel()
	script(t, "snooze-parent", "sh -c 'sh -c \""+spin+"\" & wait' & wait")
	plugin := stand.Start(t, named("snooze-parent"))
	stand.WaitUntil(t, "all three are seen", func() bool { return settled(t, plugin).Details["processes"] == 3.0 })
	becomes(t, plugin, false)
}

func TestChildrenThatCameAndWentCount(t *testing.T) {
	t.Parallel()
	script(t, "snooze-forks", "while :; do sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'; done")
	if vote := settled(t, stand.Start(t, named("snooze-forks"))); vote.Idle {
		t.Fatal(vote)
	}
}

func TestWhatAChildUsedBeforeIsNotCountedWhenItEnds(t *testing.T) {
	t.Parallel()
	// The child computes for a while, waits, and ends when it is told; its parent goes on.
	folder := t.TempDir()
	gate := filepath.Join(folder, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	script(t, "snooze-keeps", `sh -c 'i=0; while [ $i -lt 3000000 ]; do i=$((i+1)); done; : >'"'`+folder+`/done'"'; read x <'"'`+gate+`'"; read never`)
	plugin := stand.Start(t, named("snooze-keeps"))
	stand.WaitUntil(t, "the child has computed", func() bool { _, err := os.Stat(folder + "/done"); return err == nil })
	becomes(t, plugin, true)
	if err := os.WriteFile(gate, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ended := false; !ended; {
		vote := settled(t, plugin)
		if !vote.Idle {
			t.Fatal(vote)
		}
		ended = vote.Details["processes"] == 1.0
	}
}

func TestWhoLostItsParentStillBelongs(t *testing.T) {
	t.Parallel()
	parent := script(t, "snooze-leaves", "setsid sh -c '"+spin+"' & echo $! >\"${0%/*}/child\"; read never")
	plugin := stand.Start(t, named("snooze-leaves"))
	if vote := settled(t, plugin); vote.Idle {
		t.Fatal(vote)
	}
	text := stand.Run(t, "pgrep", "-P", fmt.Sprint(parent.ID()))
	var child int
	if _, err := fmt.Sscan(text, &child); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	parent.End()
	stand.WaitUntil(t, "only the orphan is left", func() bool {
		vote := plugin.Check()
		if vote.Idle {
			t.Fatal(vote)
		}
		return vote.Details["processes"] == 1.0
	})
}

func TestWhatEndedUnseenIsUnknownOnce(t *testing.T) {
	t.Parallel()
	process := script(t, "snooze-ends", wait)
	plugin := stand.Start(t, named("snooze-ends"))
	becomes(t, plugin, true)
	process.End()
	plugin.Unknown("snooze-ends", "ended since")
	if vote := becomes(t, plugin, true); vote.Details["processes"] != 0.0 {
		t.Fatal(vote)
	}
}

func TestItDoesNotCountItself(t *testing.T) {
	t.Parallel()
	plugin := stand.StartCopy(t, "snooze-itself", 0, named("snooze-itself"))
	if vote := settled(t, plugin); vote.Details["processes"] != 0.0 {
		t.Fatal(vote)
	}
}

func TestAProcessIsFoundByItsCommandLine(t *testing.T) {
	t.Parallel()
	process := script(t, "snooze-lines", wait)
	for _, config := range []map[string]any{
		{"command_lines": []string{t.Name()}},
		{"processes": []string{"sh"}},
		{"processes": []string{"snooze-lines"}},
	} {
		vote := settled(t, stand.Start(t, config))
		if count := vote.Details["processes"].(float64); count < 1 {
			t.Errorf("%v finds %v of %d", config, count, process.ID())
		}
	}
}

func TestAStoppedProcessIsIdle(t *testing.T) {
	t.Parallel()
	process := script(t, "snooze-stops", spin)
	process.Freeze()
	if vote := settled(t, stand.Start(t, named("snooze-stops"))); !vote.Idle {
		t.Fatal(vote)
	}
}

func TestANewConfigurationHoldsAtOnce(t *testing.T) {
	t.Parallel()
	script(t, "snooze-one", wait)
	script(t, "snooze-other", spin)
	plugin := stand.Start(t, named("snooze-one"))
	becomes(t, plugin, true)
	plugin.Configure(named("snooze-other"))
	becomes(t, plugin, false)
	plugin.Configure(named("snooze-one"))
	if vote := plugin.Idle(); vote.Details["processes"] != 1.0 {
		t.Fatal(vote)
	}
}

func TestARefusedConfigurationNamesTheFieldAndChangesNothing(t *testing.T) {
	t.Parallel()
	script(t, "snooze-kept", wait)
	plugin := stand.Start(t, named("snooze-kept"))
	becomes(t, plugin, true)
	names := []string{"snooze-nothing"}
	for field, configs := range map[string][]map[string]any{
		"processes":             {{}, {"processes": "init"}, {"processes": []any{}}, {"processes": []any{1}}, {"processes": []any{""}}},
		"command_lines":         {{"processes": names, "command_lines": "x"}},
		"cpu_threshold_percent": {{"processes": names, "cpu_threshold_percent": 0}, {"processes": names, "cpu_threshold_percent": "5"}},
		"io_threshold_kbps":     {{"processes": names, "io_threshold_kbps": -1}, {"processes": names, "io_threshold_kbps": nil}},
	} {
		for _, config := range configs {
			if said := plugin.Refuses(config); !strings.Contains(said, field) {
				t.Errorf("%q does not name %s", said, field)
			}
			if vote := plugin.Idle(); vote.Details["processes"] != 1.0 {
				t.Error(vote)
			}
		}
	}
}
