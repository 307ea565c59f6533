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

// More than any machine carries, in KiB/s.
const lots = 1e12

// closed is the plugin with a process whose storage it may not read, as in any fence, and other ones. No machine
// reaches its threshold.
func closed(t *testing.T, name string, cpu int, others ...string) *stand.Plugin {
	t.Helper()
	config := map[string]any{"processes": append(others, name), "cpu_threshold_percent": cpu, "io_threshold_kbps": lots}
	if os.Getuid() != 0 {
		// Nobody but the superuser may look at what is his.
		config["command_lines"] = []string{initial(t)}
		return stand.Start(t, config)
	}
	script(t, name, wait)
	return stand.StartCopy(t, "snooze-nobody", 65534, config)
}

// says asks, with these readings of the machine, until it is no longer too early to say.
func says(t *testing.T, plugin *stand.Plugin, metrics map[string]any) stand.Vote {
	t.Helper()
	var vote stand.Vote
	stand.WaitUntil(t, "rates are known", func() bool {
		vote = plugin.CheckAmid(metrics)
		return !strings.Contains(vote.Unknown, "not known yet")
	})
	return vote
}

func TestStorageThatMayNotBeReadIsUnknownAndNotZero(t *testing.T) {
	t.Parallel()
	plugin := closed(t, "snooze-closed-0", 100000)
	for _, metrics := range []map[string]any{{}, {"disk_io": 1}, {"network_traffic": 1}, {"disk_io": nil, "network_traffic": 1}} {
		vote := says(t, plugin, metrics)
		if !strings.Contains(vote.Unknown, "may not be read") || !strings.Contains(vote.Unknown, "not known either") {
			t.Errorf("%v: %s", metrics, vote)
		}
	}
}

func TestStorageThatMayNotBeReadIsIdleWhereTheWholeMachineUsesLess(t *testing.T) {
	t.Parallel()
	plugin := closed(t, "snooze-closed-1", 100000)
	// On a machine with storage that no counter counts there is no such vote.
	unclear := proc{root: "/proc"}.machine(nil).unclear
	stand.WaitUntil(t, "it goes by the counters", func() bool {
		vote := says(t, plugin, map[string]any{"disk_io": lots / 2, "network_traffic": lots / 4})
		if unclear != "" {
			return strings.Contains(vote.Unknown, unclear)
		}
		machine, isKnown := vote.Details["machine_io_kbps"].(float64)
		return vote.Idle && vote.Details["io_kbps"] == nil && isKnown && machine >= lots*3/4
	})
	for _, metrics := range []map[string]any{
		{"disk_io": lots, "network_traffic": 0}, {"disk_io": 0, "network_traffic": lots}, {"disk_io": lots / 2, "network_traffic": lots / 2},
	} {
		if vote := says(t, plugin, metrics); !strings.Contains(vote.Unknown, "may not be read") {
			t.Errorf("%v: %s", metrics, vote)
		}
	}
}

func TestProcessorTimeIsBusyWhoeverUsesStorage(t *testing.T) {
	t.Parallel()
	script(t, "snooze-busy", spin)
	vote := becomes(t, closed(t, "snooze-closed-2", 5, "snooze-busy"), false)
	if vote.Details["io_kbps"] != nil || !strings.Contains(vote.Reason, "storage unknown") {
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
