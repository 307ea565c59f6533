package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, nil) }

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	manifest := stand.ManifestHolds(t)
	if manifest.Default(t, "engine_socket") != defaultEngine || manifest.Default(t, "systemd_socket") != defaultSystemd {
		t.Error("the manifest's defaults are others")
	}
}

func TestAnEventAfterWhichTheMachineMayGoOnStopsNothing(t *testing.T) {
	plugin := stand.Start(t, map[string]any{"engine_socket": "/nowhere", "steps": units(containerNamed("one"))})
	for _, other := range []string{"snooze.pending", "cloud.spot.rebalance", "cloud.instance.maintenance", "system.disk.low", "custom", "custom.other"} {
		if outcome := plugin.HandleEvent(map[string]any{"type": other}, 4*time.Second); outcome.Handled {
			t.Error(outcome)
		}
	}
	for _, own := range events {
		plugin.Passes(own, map[string]any{"state": "cancelled"})
		plugin.Passes(own, map[string]any{"state": "cleared"})
		if outcome := plugin.HandleEvent(map[string]any{"type": own}, 4*time.Second); !outcome.Handled {
			t.Error(outcome)
		}
	}
}

func TestARefusedConfigurationNamesTheFieldAndChangesNothing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	plugin := stand.Start(t, map[string]any{"engine_socket": socket, "steps": units(containerNamed("kept"))})
	refused := func(config map[string]any, field string) {
		t.Helper()
		if said := plugin.Refuses(config); !strings.HasPrefix(said, field) {
			t.Errorf("%q does not begin with %s", said, field)
		}
	}
	for field, values := range map[string][]any{
		"steps": {nil, "nginx.service", []any{}, []any{"nginx.service"}, make([]any, stepsLimit+1)}, "engine_socket": {"", "relative", 7, nil},
		"systemd_socket": {"", "unix:path=/run/s", 7, nil},
	} {
		for _, value := range values {
			config := map[string]any{"steps": units(containerNamed("other"))}
			config[field] = value
			refused(config, field)
		}
	}
	for key, changes := range map[string][]map[string]any{
		"unit":      {{"unit": "nginx"}, {"unit": "../a.service"}, {"unit": 7}, {"unit": nil}, {"unit": ""}},
		"container": {{"container": "a/b"}, {"container": ".."}, {"container": "a%2f"}, {"container": ""}},
		"unit or":   {{}, {"unit": "a.service", "container": "a"}},
		"action":    {{"action": "restart"}, {"action": nil}},
		"signal":    {{"signal": "SIGTERM"}, {"action": "kill", "signal": "TERM"}, {"action": "kill", "signal": 15}},
		"seconds":   {{"seconds": 0}, {"seconds": -1}, {"seconds": "5"}},
		"secs":      {{"secs": 5}},
	} {
		for _, change := range changes {
			step := maps.Clone(change)
			if key != "unit" && key != "container" && key != "unit or" {
				step["container"] = "other"
			}
			refused(map[string]any{"steps": units(containerNamed("fine"), step)}, "steps[1]."+key)
		}
	}
	if outcome := plugin.HandleEvent(nil, 4*time.Second); outcome.Details["01 container kept"] == nil {
		t.Error(outcome)
	}
}

func TestWhatIsReportedOfMostStepsFitsIntoWhatIsKept(t *testing.T) {
	steps, results := []step{}, []result{}
	for index := range stepsLimit {
		steps = append(steps, step{isUnit: true, name: fmt.Sprintf("worker-%d.service", index)})
		results = append(results, good("stopped"))
	}
	// The runner's 4 KiB.
	if text := fmt.Sprintf("%+v", outcome(steps, results)); len(text) > 4096 {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
