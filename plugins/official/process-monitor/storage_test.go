package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func TestStorageCounts(t *testing.T) {
	t.Parallel()
	// Of the checkout, which is on a disk; /tmp may be in memory.
	folder, err := os.MkdirTemp("../../../.tools", "snooze-io-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	file, err := filepath.Abs(filepath.Join(folder, "file"))
	if err != nil {
		t.Fatal(err)
	}
	script(t, "snooze-writes", "while :; do dd if=/dev/zero of='"+file+"' bs=64k count=16 conv=fsync 2>/dev/null; done")
	config := map[string]any{"processes": []string{"snooze-writes"}, "cpu_threshold_percent": 100000, "io_threshold_kbps": 64}
	plugin := stand.Start(t, config)
	stand.WaitUntil(t, "it is busy, and known by how much", func() bool {
		io, isKnown := becomes(t, plugin, false).Details["io_kbps"].(float64)
		return isKnown && io >= 64
	})
	config["io_threshold_kbps"] = 1e9
	plugin.Configure(config)
	becomes(t, plugin, true)
	delete(config, "io_threshold_kbps")
	plugin.Configure(config)
	if vote := becomes(t, plugin, true); vote.Details["io_kbps"] != nil {
		t.Fatal(vote)
	}
}

func TestStorageThatMayNotBeReadIsUnknownAndNotZero(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		// Nobody but the superuser may look at what is his.
		config := map[string]any{"command_lines": []string{initial(t)}, "cpu_threshold_percent": 100000, "io_threshold_kbps": 1e9}
		closed(t, stand.Start(t, config))
		return
	}
	script(t, "snooze-closed", wait)
	config := map[string]any{"processes": []string{"snooze-closed"}, "io_threshold_kbps": 1e9}
	closed(t, stand.StartCopy(t, "snooze-nobody", 65534, config))
	script(t, "snooze-busy", spin)
	config["processes"] = []string{"snooze-closed", "snooze-busy"}
	vote := becomes(t, stand.StartCopy(t, "snooze-nobody", 65534, config), false)
	if vote.Details["io_kbps"] != nil {
		t.Fatal(vote)
	}
}

func initial(t *testing.T) string {
	text, err := os.ReadFile("/proc/1/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\x00")
	return line
}

func closed(t *testing.T, plugin *stand.Plugin) {
	t.Helper()
	stand.WaitUntil(t, "it says that it may not look", func() bool {
		vote := plugin.Check()
		if vote.Unknown == "" {
			t.Fatal(vote)
		}
		return strings.Contains(vote.Unknown, "may not be read")
	})
}
