package main

// On made-up folders like /proc: what the counters hold, and what of it shows that a process stays below its threshold.

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/snooze"
)

const sharedMounts = "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw,relatime 0 0\n"

const headings = "Inter-|   Receive\n face |bytes\n"

func diskLine(name string, read, written uint64) string {
	return fmt.Sprintf("   8       0 %s 1 2 %d 4 5 6 %d 8 9 10 11\n", name, read, written)
}

func interfaceLine(name string, received, sent uint64) string {
	return fmt.Sprintf("%6s: %d 2 3 4 5 6 7 8 %d 10 11 12 13 14 15 16\n", name, received, sent)
}

// closedFiles are of a machine where nothing tells what the process `mine` uses of storage. It has two threads.
func closedFiles() map[string]string {
	return map[string]string{
		"1/stat": line(1, "init", 0, 0, 0, 1), "1/cmdline": "init", "1/task/1/mounts": sharedMounts,
		"12/stat": line(12, "mine", 1, 0, 0, 5), "12/cmdline": "mine",
		"12/task/12/mounts": sharedMounts, "12/task/13/mounts": sharedMounts,
		"14/stat": line(14, "other", 1, 0, 0, 5), "14/cmdline": "other", "14/task/14/mounts": sharedMounts,
		"diskstats": diskLine("sda", 0, 0), "1/net/dev": headings + interfaceLine("eth0", 0, 0),
	}
}

// unclearWith says why the counters do not hold everything, where these files are otherwise, or none with an empty text.
func unclearWith(t *testing.T, changed map[string]string) string {
	t.Helper()
	files := closedFiles()
	maps.Copy(files, changed)
	maps.DeleteFunc(files, func(_, text string) bool { return text == "" })
	sample, err := proc{root: folder(t, files)}.look(wanted{names: []string{"mine"}}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sample.machine.unclear
}

// after asks a plugin with a threshold of 1000 KiB/s for its vote, so long after it looked when all counters were zero.
func after(t *testing.T, pause time.Duration, changed map[string]string, disk, network float64) (snooze.Opinion, error) {
	t.Helper()
	threshold := 1000.0
	root := folder(t, closedFiles())
	plugin := &plugin{proc: proc{root: root}, wanted: wanted{names: []string{"mine"}}, cpu: 5, io: &threshold}
	if opinion, err := plugin.CheckIdle(context.Background(), snooze.Metrics{}); err == nil {
		t.Fatal(opinion)
	}
	plugin.newest.at, plugin.newest.machine.at = plugin.newest.at.Add(-pause), plugin.newest.machine.at.Add(-pause)
	for path, text := range changed {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return plugin.CheckIdle(context.Background(), snooze.Metrics{DiskIO: &disk, NetworkTraffic: &network})
}

func isUnknown(t *testing.T, opinion snooze.Opinion, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%q is not in %+v, %v", words, opinion, err)
	}
}

func isIdle(t *testing.T, opinion snooze.Opinion, err error, words string) {
	t.Helper()
	if said := fmt.Sprintf("%+v", opinion); err != nil || !strings.Contains(said, "idle:true") || !strings.Contains(said, words) {
		t.Errorf("%q is not in %s, %v", words, said, err)
	}
}

func TestWhatWasCarriedSinceTheLookBeforeCountsAndNotTheNewestReadingAlone(t *testing.T) {
	// Three rounds of ten seconds, of which two were missed: they had all the traffic.
	const pause, kib = 30 * time.Second, 1024
	for _, changed := range []map[string]string{
		{"diskstats": diskLine("sda", 2*31000, 0)},
		{"diskstats": diskLine("sda", 0, 2*31000)},
		{"1/net/dev": headings + interfaceLine("eth0", 31000*kib, 0)},
		{"1/net/dev": headings + interfaceLine("eth0", 0, 31000*kib)},
		{"diskstats": diskLine("sda", 2*8000, 2*8000), "1/net/dev": headings + interfaceLine("eth0", 8000*kib, 8000*kib)},
	} {
		opinion, err := after(t, pause, changed, 0, 0)
		isUnknown(t, opinion, err, "it may be theirs")
	}
	opinion, err := after(t, pause, map[string]string{"diskstats": diskLine("sda", 2*15000, 2*14000)}, 0, 0)
	isIdle(t, opinion, err, " io_kbps:<nil>")
}

func TestAReadingThatReachesTheThresholdIsUnknownWhateverTheCountersSay(t *testing.T) {
	for _, reading := range [][2]float64{{1000, 0}, {0, 1000}, {500, 500}} {
		opinion, err := after(t, time.Minute, nil, reading[0], reading[1])
		isUnknown(t, opinion, err, "carry 1000 KiB/s")
	}
	opinion, err := after(t, time.Minute, nil, 600.25, 399)
	isIdle(t, opinion, err, "machine_io_kbps:999.3")
}

func TestWhatIsUnclearAtEitherLookIsUnknown(t *testing.T) {
	opinion, err := after(t, time.Minute, map[string]string{"12/task/13/mounts": "home /home virtiofs rw 0 0\n"}, 0, 0)
	isUnknown(t, opinion, err, "virtiofs on /home")
	clear, unclear := &machine{at: time.Now()}, &machine{at: time.Now().Add(-time.Minute), unclear: "it is hidden"}
	if _, got := clear.since(unclear); got != unclear.unclear {
		t.Error(got)
	}
	if _, got := clear.since(nil); !strings.Contains(got, "not looked at") {
		t.Error(got)
	}
}

func TestCountersThatBeganAnewAreUnknownAndNewOnesCount(t *testing.T) {
	before := &machine{at: time.Now(), carried: map[string]uint64{"disk sda": 2048, "interface eth0": 2048}}
	at := before.at.Add(time.Second)
	for _, carried := range []map[string]uint64{
		{"disk sda": 2047, "interface eth0": 4096}, {"disk sda": 4096}, {"interface eth0": 4096, "disk sdb": 4096},
	} {
		if _, unclear := (&machine{at: at, carried: carried}).since(before); !strings.Contains(unclear, "began anew") {
			t.Errorf("%v: %q", carried, unclear)
		}
	}
	now := &machine{at: at, carried: map[string]uint64{"disk sda": 3072, "interface eth0": 3072, "disk sdb": 1024}}
	if kbps, unclear := now.since(before); kbps != 3 || unclear != "" {
		t.Error(kbps, unclear)
	}
}

func TestEachDiskCountsOnceAndEachInterfaceButTheLoop(t *testing.T) {
	files := closedFiles()
	files["diskstats"] = ""
	for _, name := range []string{
		"sda", "sda1", "sdaa", "nvme0n1", "nvme0n1p15", "nvme0c0n1", "vda", "vda2", "mmcblk0", "mmcblk0p1", "mmcblk0boot0", "sr0",
		"dm-0", "md127", "md127p1", "loop0", "loop0p1", "ram15", "zram0", "xvda1", "xvda2",
	} {
		files["diskstats"] += diskLine(name, 1, 2)
	}
	files["1/net/dev"] = headings + interfaceLine("lo", 9, 9) + interfaceLine("eth0", 1, 2) + interfaceLine("eth0:1", 3, 4)
	now := proc{root: folder(t, files)}.machine(nil)
	want := map[string]uint64{"interface eth0": 3, "interface eth0:1": 7}
	for _, name := range []string{"sda", "sdaa", "nvme0n1", "vda", "mmcblk0", "mmcblk0boot0", "sr0", "xvda1", "xvda2"} {
		want["disk "+name] = 3 * 512
	}
	if now.unclear != "" || !maps.Equal(now.carried, want) {
		t.Errorf("%s, %v", now.unclear, now.carried)
	}
}

func TestADeviceThatMayGoPastTheCountersIsUnclear(t *testing.T) {
	for _, name := range []string{"pmem0", "pmem0p1", "nbd0", "rbd0", "drbd1", "ublkb0", "dcssblk0", "zd0", "sdx!y", "cciss!c0d0"} {
		if unclear := unclearWith(t, map[string]string{"diskstats": diskLine("sda", 0, 0) + diskLine(name, 0, 0)}); !strings.Contains(unclear, name) {
			t.Errorf("%s: %q", name, unclear)
		}
	}
}

func TestCountersThatCannotBeReadAreUnclearAndNotZero(t *testing.T) {
	if unclear := unclearWith(t, nil); unclear != "" {
		t.Fatal(unclear)
	}
	for _, changed := range []map[string]string{
		{"diskstats": ""}, {"diskstats": "\n"}, {"diskstats": "8 0 sda 1\n"}, {"diskstats": "8 0 sda 1 2 x 4 5 6 7 8\n"},
		{"diskstats": diskLine("dm-0", 0, 0)}, {"1/net/dev": ""}, {"1/net/dev": headings},
		{"1/net/dev": headings + interfaceLine("lo", 0, 0)}, {"1/net/dev": headings + "eth0 1 2 3 4 5 6 7 8 9\n"},
		{"1/net/dev": headings + "eth0: 1 2\n"}, {"1/net/dev": headings + "eth0: x 2 3 4 5 6 7 8 9\n"},
		{"1/task/1/mounts": ""}, {"1/task/1/mounts": "/dev/sda1 / ext4\n"},
	} {
		if unclear := unclearWith(t, changed); unclear == "" {
			t.Errorf("%q is clear", changed)
		}
	}
}
