package main

// What cannot be brought about on a real machine without changing it: made-up folders like /proc.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloudsnooze.local/snooze"
)

func line(number int, name string, parent int, own, children, start uint64) string {
	return fmt.Sprintf("%d (%s) S %d 1 1 0 -1 4194560 1 2 3 4 %d 0 %d 0 20 0 1 0 %d 1 2 3", number, name, parent, own, children, start)
}

// folder is one like /proc, with files by their paths.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestANameMayHoldAnything(t *testing.T) {
	for _, name := range []string{"tmux: server", "a) S 1 (b", "()", "\xff\n"} {
		process, err := parse([]byte(line(7, name, 3, 5, 6, 9)))
		if err != nil || process.name != name || process.parent != 3 || process.own != 5 || process.children != 6 || process.start != 9 {
			t.Errorf("%q: %+v, %v", name, process, err)
		}
	}
}

func TestWhatIsNoProcessLineIsAnError(t *testing.T) {
	for _, text := range []string{"", "7", "7 (a", "7 (a) S", "7 (a) S x 1 1 0 -1 0 1 2 3 4 5 0 6 0 20 0 1 0 9", ")("} {
		if process, err := parse([]byte(text)); err == nil {
			t.Errorf("%q was taken as %+v", text, process)
		}
	}
}

func TestWhoDoesNotSeeProcessOneDoesNotSeeAll(t *testing.T) {
	root := folder(t, map[string]string{"12/stat": line(12, "mine", 1, 0, 0, 5), "12/cmdline": "mine"})
	_, err := proc{root: root}.look(wanted{names: []string{"other"}}, false, nil)
	if err == nil || !strings.Contains(err.Error(), "hidepid") {
		t.Fatal(err)
	}
}

func TestGarbageIsUnknown(t *testing.T) {
	for path, text := range map[string]string{"12/stat": "garbage", "12/io": "garbage", "12/other": ""} {
		files := map[string]string{"1/stat": line(1, "init", 0, 0, 0, 1), "1/cmdline": "init",
			"12/stat": line(12, "mine", 1, 0, 0, 5), "12/cmdline": "mine"}
		files[path] = text
		sample, err := proc{root: folder(t, files)}.look(wanted{names: []string{"mine"}}, true, nil)
		if err == nil && used(sample, sample).missingBytes == "" {
			t.Errorf("%s: nothing is missing", path)
		}
	}
}

func TestAFolderThatIsNotGrantedIsAnErrorThatSaysSo(t *testing.T) {
	_, err := proc{root: filepath.Join(t.TempDir(), "none")}.look(wanted{}, false, nil)
	if err == nil || !strings.Contains(err.Error(), "grant") {
		t.Fatal(err)
	}
}

func TestAHangingProcessIsUnknownInTime(t *testing.T) {
	root := folder(t, map[string]string{"1/stat": line(1, "init", 0, 0, 0, 1)})
	// Opening it hangs until somebody writes, as reading a command line does where the kernel hangs.
	gate := filepath.Join(root, "1/cmdline")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	plugin := &plugin{proc: proc{root: root}, wanted: wanted{names: []string{"mine"}}}
	for range 2 {
		_, err := plugin.CheckIdle(context.Background(), snooze.Metrics{})
		if err == nil || !strings.Contains(err.Error(), "hangs") {
			t.Fatal(err)
		}
	}
	// Both sides: this opening does not wait for the other one.
	opened, err := os.OpenFile(gate, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody else may hang there afterwards.
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	if _, err := opened.WriteString("init\x00"); err != nil {
		t.Fatal(err)
	}
	opened.Close()
	_, err = plugin.CheckIdle(context.Background(), snooze.Metrics{})
	if err == nil || !strings.Contains(err.Error(), "not known yet") {
		t.Fatal(err)
	}
}

func TestAChildThatNobodyWaitedForIsNotForgotten(t *testing.T) {
	parent, child := identity{2, 1}, identity{3, 1}
	since := &sample{processes: map[identity]*process{
		parent: {identity: parent, own: 10, children: 0}, child: {identity: child, parent: 2, own: 50},
	}, members: map[identity]bool{parent: true, child: true}}
	now := &sample{processes: map[identity]*process{parent: {identity: parent, own: 10, children: 0}},
		members: map[identity]bool{parent: true}}
	if usage := used(since, now); usage.missingTicks == "" {
		t.Fatalf("%+v", usage)
	}
	now.processes[parent].children = 57
	if usage := used(since, now); usage.missingTicks != "" || usage.ticks != 7 {
		t.Fatalf("%+v", usage)
	}
}

func TestANumberThatIsUsedAgainIsAnotherProcess(t *testing.T) {
	before, after := identity{2, 1}, identity{2, 900}
	since := &sample{processes: map[identity]*process{before: {identity: before, own: 10}}, members: map[identity]bool{before: true}}
	now := &sample{processes: map[identity]*process{after: {identity: after, own: 4}}, members: map[identity]bool{after: true}}
	if usage := used(since, now); usage.ticks != 4 || usage.missingTicks == "" {
		t.Fatalf("%+v", usage)
	}
}
