package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
)

// heeds is a service that has said that it is ready for the signal when it counts as started.
func heeds(trap string) string {
	return "Type=notify\nNotifyAccess=all\nTimeoutStopSec=600\nExecStart=sh -c 'trap " + trap + "; systemd-notify --ready; while :; do sleep 0.05; done'"
}

// Services of a real systemd: those that end when they are told, one that does not hear, one that ends by another signal,
// one that fails when it is told to end.
var services = map[string]string{
	"plain.service": "ExecStart=sleep 1000",
	"other.service": "ExecStart=sleep 1000",
	"idle.service":  "ExecStart=sleep 1000",
	"deaf.service":  heeds(`"" TERM`),
	"usr1.service":  heeds(`"exit 0" USR1`),
	"fails.service": heeds(`"exit 3" TERM`),
}

func units(steps ...map[string]any) []any {
	list := make([]any, 0, len(steps))
	for _, step := range steps {
		list = append(list, step)
	}
	return list
}

func unitNamed(name string) map[string]any { return map[string]any{"unit": name} }

// entry is what the details say of a step.
func entry(t *testing.T, outcome stand.Outcome, number int, name string) string {
	t.Helper()
	said, has := outcome.Details[fmt.Sprintf("%02d %s", number, name)]
	if !has {
		t.Fatalf("nothing is said of %s: %s", name, outcome)
	}
	return fmt.Sprint(said)
}

func TestUnitsAreStoppedInOrderOnTheBusAndOnSystemdsOwnSocket(t *testing.T) {
	systemd := stand.StartSystemd(t, services)
	for _, socket := range []string{systemd.Bus(), systemd.Private()} {
		plugin := systemd.Plugin(map[string]any{
			"systemd_socket": socket, "steps": units(unitNamed("other.service"), unitNamed("idle.service"), unitNamed("plain.service"))})
		systemd.Do("start", "plain.service", "other.service")
		outcome := plugin.HandleEvent(nil, 4*time.Second)
		if !outcome.Handled || !outcome.Succeeded || outcome.Message != "3 of 3 steps succeeded" {
			t.Fatal(outcome)
		}
		if systemd.State("plain.service") != "inactive" || systemd.State("other.service") != "inactive" {
			t.Errorf("one still runs: %s", outcome)
		}
		for number, said := range []string{"stopped, ", "was not running, ", "stopped, "} {
			name := []string{"other.service", "idle.service", "plain.service"}[number]
			if got := entry(t, outcome, number+1, name); !strings.HasPrefix(got, said) {
				t.Errorf("%s: %s", name, got)
			}
		}
		stopped := func(unit string) string {
			return systemd.Do("show", "--property=InactiveEnterTimestampMonotonic", "--value", unit)
		}
		if first, last := stopped("other.service"), stopped("plain.service"); len(first) > len(last) || (len(first) == len(last) && first > last) {
			t.Errorf("it was not the order: %s, %s", first, last)
		}
	}
}

func TestAUnitThatDoesNotStopTakesOnlyItsShareAndTheNextIsStopped(t *testing.T) {
	systemd := stand.StartSystemd(t, services)
	systemd.Do("start", "deaf.service", "plain.service")
	plugin := systemd.Plugin(map[string]any{
		"systemd_socket": systemd.Bus(), "steps": units(unitNamed("deaf.service"), unitNamed("plain.service"))})
	outcome := plugin.HandleEvent(nil, 3*time.Second)
	if !outcome.Handled || outcome.Succeeded || !strings.Contains(outcome.Message, "1 of 2 steps succeeded; deaf.service: has not stopped") {
		t.Error(outcome)
	}
	if said := entry(t, outcome, 2, "plain.service"); !strings.HasPrefix(said, "stopped, ") || systemd.State("plain.service") != "inactive" {
		t.Error(said)
	}
	if state := systemd.State("deaf.service"); state != "deactivating" {
		t.Errorf("it was not told to end: %s", state)
	}
}

func TestASignalIsSentAndItsEffectAwaitedWhereThatIsAsked(t *testing.T) {
	systemd := stand.StartSystemd(t, services)
	kill := map[string]any{"unit": "usr1.service", "action": "kill", "signal": "SIGUSR1"}
	waited := map[string]any{"unit": "usr1.service", "action": "kill", "signal": "SIGUSR1", "seconds": 3}
	systemd.Do("start", "usr1.service")
	plugin := systemd.Plugin(map[string]any{"systemd_socket": systemd.Bus(), "steps": units(waited)})
	if outcome := plugin.HandleEvent(nil, 4*time.Second); !outcome.Succeeded || systemd.State("usr1.service") != "inactive" {
		t.Error(outcome)
	}
	systemd.Do("start", "usr1.service")
	plugin.Configure(map[string]any{"systemd_socket": systemd.Bus(), "steps": units(kill)})
	outcome := plugin.HandleEvent(nil, 4*time.Second)
	if said := entry(t, outcome, 1, "usr1.service"); !outcome.Succeeded || !strings.HasPrefix(said, "was sent SIGUSR1, ") {
		t.Error(outcome)
	}
	stand.WaitUntil(t, "it has heard", func() bool { return systemd.State("usr1.service") == "inactive" })
}

func TestAUnitThatFailsWhenItStopsHasStoppedAndIsTold(t *testing.T) {
	systemd := stand.StartSystemd(t, services)
	systemd.Do("start", "fails.service")
	plugin := systemd.Plugin(map[string]any{"systemd_socket": systemd.Bus(), "steps": units(unitNamed("fails.service"))})
	outcome := plugin.HandleEvent(nil, 4*time.Second)
	if said := entry(t, outcome, 1, "fails.service"); !outcome.Succeeded || !strings.Contains(said, "calls it failed") {
		t.Error(outcome)
	}
}

func TestAUnitThatThereIsNotIsAFailureAndTheNextIsStopped(t *testing.T) {
	systemd := stand.StartSystemd(t, services)
	systemd.Do("start", "plain.service")
	plugin := systemd.Plugin(map[string]any{
		"systemd_socket": systemd.Bus(), "steps": units(unitNamed("misspelt.service"), unitNamed("plain.service"))})
	outcome := plugin.HandleEvent(nil, 4*time.Second)
	if outcome.Succeeded || !strings.Contains(outcome.Message, "misspelt.service: there is no such unit") || systemd.State("plain.service") != "inactive" {
		t.Error(outcome)
	}
}

func TestSystemdThatIsNotThereOrHangsIsAFailureInTime(t *testing.T) {
	folder := t.TempDir()
	absent, silent := filepath.Join(folder, "none"), filepath.Join(folder, "s")
	stand.Garbage(t, "unix", silent, "")
	for socket, words := range map[string]string{absent: "does it run", silent: "did not answer in time"} {
		plugin := stand.Start(t, map[string]any{"systemd_socket": socket, "steps": units(unitNamed("plain.service"))})
		outcome := plugin.HandleEvent(nil, 2*time.Second)
		if !outcome.Handled || outcome.Succeeded || !strings.Contains(outcome.Message, words) || !strings.Contains(outcome.Message, socket) {
			t.Errorf("%s: %s", words, outcome)
		}
	}
	garbage := filepath.Join(folder, "g")
	stand.Garbage(t, "unix", garbage, "SSH-2.0-OpenSSH_9.2\r\n")
	plugin := stand.Start(t, map[string]any{"systemd_socket": garbage, "steps": units(unitNamed("plain.service"))})
	if outcome := plugin.HandleEvent(nil, 2*time.Second); !outcome.Handled || outcome.Succeeded {
		t.Error(outcome)
	}
}
