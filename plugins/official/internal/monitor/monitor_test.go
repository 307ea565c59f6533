package monitor

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
	"cloudsnooze.local/snooze"
)

var manifest = Read([]byte(`{
  "name": "made-up", "version": "1.0.0", "category": "none",
  "config_schema": {"properties": {"threshold": {}, "server": {"properties": {"url": {}}}, "free": {"type": "object"}}}
}`))

// greedy makes garbage, which Go collects on all processors that it may use.
type greedy struct{ Manifest }

func (greedy) CheckIdle(context.Context, snooze.Metrics) (snooze.Opinion, error) {
	runtime.GC()
	return snooze.Idle("it is a test", nil), nil
}

func TestMain(m *testing.M) { stand.Main(m, func() { Run(greedy{manifest}) }, nil) }

func TestAPluginIsIntroducedByItsManifest(t *testing.T) {
	if info := manifest.Info(); info.Name != "made-up" || info.Version != "1.0.0" || info.Category != "none" {
		t.Fatal(info)
	}
}

func TestAKeyThatTheManifestDoesNotHaveIsRefusedByItsPath(t *testing.T) {
	for key, config := range map[string]snooze.Values{
		"treshold":    {"treshold": int64(1), "threshold": int64(1)},
		"server.urls": {"server": map[string]any{"urls": "x"}},
	} {
		err := manifest.Refuse(config)
		if err == nil || !strings.HasPrefix(err.Error(), key+" is not known") {
			t.Errorf("%v: %v", config, err)
		}
	}
	for _, config := range []snooze.Values{
		nil, {"threshold": "of any type", "server": map[string]any{"url": nil}}, {"server": "x"},
		{"free": map[string]any{"any": 1}},
	} {
		if err := manifest.Refuse(config); err != nil {
			t.Errorf("%v: %s", config, err)
		}
	}
}

func TestAMachineWithManyProcessorsTakesNoMoreThreads(t *testing.T) {
	plugin := stand.StartAmong(t, []string{"GOMAXPROCS=96"})
	for range 20 {
		plugin.Idle()
	}
	if threads := number(t, plugin, "status", "\nThreads:"); threads > 20 {
		t.Fatalf("%d threads", threads)
	}
}

func TestItsMemoryIsBoundedWhereNothingFencesIt(t *testing.T) {
	plugin := stand.StartUnconfigured(t)
	plugin.Idle()
	if bytes := number(t, plugin, "limits", "\nMax data size"); bytes != memoryLimit {
		t.Fatalf("it may hold %d bytes", bytes)
	}
}

// number is the one that follows a word in a file of the kernel's about a plugin.
func number(t *testing.T, plugin *stand.Plugin, file, word string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", plugin.ID, file))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), word)
	var found int
	if _, err := fmt.Sscan(after, &found); err != nil {
		t.Fatal(err)
	}
	return found
}
