// The plugin process-monitor: idle while the named processes, and all that they started, use little processor time and
// storage. It looks at /proc and at nothing else; what it may not read there is unknown, never 0, and so is a rate
// before it has looked twice.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// The runner waits five seconds; reading /proc hangs where a process that is looked at hangs in the kernel.
const questionLimit = 3500 * time.Millisecond

// Processor time is counted in hundredths of a second: over less than a second one of them would be more than a
// percent. Who asks more often is told of the time since an older check.
const shortest = time.Second

// An interactive program that waits uses one to two percent.
const defaultCPUThreshold = 5

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	wanted wanted
	cpu    float64
	// Nil where storage is not looked at.
	io *float64
	// The newest sample, and the one before, which is at least `shortest` older.
	newest, previous *sample
	proc             proc
	// Holds what a look at /proc found that did not come to its end in time.
	looking chan looked
}

type looked struct {
	sample *sample
	err    error
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	names, err := settings.Texts(config, "processes")
	if err != nil {
		return err
	}
	lines, err := settings.Texts(config, "command_lines")
	if err != nil {
		return err
	}
	if len(names)+len(lines) == 0 {
		return errors.New("processes is missing: it lists the names of programs; command_lines may be given instead")
	}
	cpu, err := settings.Above(config, "cpu_threshold_percent", defaultCPUThreshold)
	if err != nil {
		return err
	}
	var io *float64
	if _, given := config["io_threshold_kbps"]; given {
		threshold, err := settings.Above(config, "io_threshold_kbps", 0)
		if err != nil {
			return err
		}
		io = &threshold
	}
	plugin.wanted, plugin.cpu, plugin.io = wanted{names, lines}, cpu, io
	// Who belonged to the named processes is another question now; what each had used is the same.
	plugin.newest, plugin.previous = plugin.newest.withoutMembers(), plugin.previous.withoutMembers()
	return nil
}

func (plugin *plugin) CheckIdle(ctx context.Context, metrics snooze.Metrics) (snooze.Opinion, error) {
	if len(plugin.wanted.names)+len(plugin.wanted.lines) == 0 {
		return snooze.Opinion{}, errors.New("processes is not configured, so nothing is looked at")
	}
	now, err := plugin.look(ctx)
	if err != nil {
		return snooze.Opinion{}, err
	}
	since := plugin.newest
	if since != nil && now.at.Sub(since.at) < shortest {
		since = plugin.previous
	} else {
		plugin.previous, plugin.newest = plugin.newest, now
	}
	if since == nil {
		return snooze.Opinion{}, errors.New("rates are not known yet: they take two checks, with a second between them")
	}
	return plugin.judge(since, now, metrics)
}

// look reads /proc. What hangs is left behind, and waited for by the next check before there is another look.
func (plugin *plugin) look(ctx context.Context) (*sample, error) {
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	if plugin.looking != nil {
		select {
		case <-plugin.looking:
			plugin.looking = nil
		case <-ctx.Done():
			return nil, fmt.Errorf("reading %s has not come back since an earlier check: a process hangs in the kernel", plugin.proc.root)
		}
	}
	done := make(chan looked, 1)
	// Its own copies: a configuration may come while it hangs.
	proc, wanted, withIO, newest := plugin.proc, plugin.wanted, plugin.io != nil, plugin.newest
	go func() {
		sample, err := proc.look(wanted, withIO, newest)
		done <- looked{sample, err}
	}()
	select {
	case ended := <-done:
		return ended.sample, ended.err
	case <-ctx.Done():
		plugin.looking = done
		return nil, fmt.Errorf("reading %s takes longer than %s: a process hangs in the kernel", proc.root, questionLimit)
	}
}

// judge is the vote of what was used between two looks, on a machine with these readings.
func (plugin *plugin) judge(since, now *sample, metrics snooze.Metrics) (snooze.Opinion, error) {
	usage, seconds := used(since, now), now.at.Sub(since.at).Seconds()
	cpu := tenths(float64(usage.ticks) / ticksPerSecond / seconds * 100)
	details := snooze.Values{
		"processes":             usage.processes,
		"cpu_percent":           cpu,
		"cpu_threshold_percent": plugin.cpu,
		"seconds":               tenths(seconds),
	}
	said := fmt.Sprintf("%s: %v %% of a core", processes(usage.processes), cpu)
	isBusy := cpu >= plugin.cpu
	missing := usage.missingTicks
	if plugin.io != nil {
		io := tenths(float64(usage.bytes) / 1024 / seconds)
		details["io_kbps"], details["io_threshold_kbps"] = io, *plugin.io
		// What is known of it is no more than all of it.
		isBusy = isBusy || io >= *plugin.io
		if usage.missingBytes == "" {
			said += fmt.Sprintf(", %v KiB/s", io)
		} else {
			machine, unclear := machineBelow(*plugin.io, since, now, metrics)
			details["io_kbps"], details["machine_io_kbps"] = nil, machine
			switch {
			case unclear == "":
				said += fmt.Sprintf(", %v KiB/s of the whole machine", machine)
			case missing == "":
				missing = usage.missingBytes + "; " + unclear
				fallthrough
			default:
				said += ", storage unknown"
			}
		}
	}
	switch {
	case isBusy:
		return snooze.Busy(said, details), nil
	case missing != "":
		return snooze.Opinion{}, errors.New(missing)
	case usage.processes == 0:
		return snooze.Idle("none of the named processes runs", details), nil
	}
	return snooze.Idle(said+", below the threshold", details), nil
}

// machineBelow is what the disks and network cards of the whole machine carried between two looks, in KiB/s; and why that
// does not show that a process stays below the threshold, where it does not. The rate is nil where it is not known.
//
// The counters hold the whole time between, the readings only that of the newest sample: questions may have been missed.
// But who reads the counters does not know which are of real cards; who took the readings does, and has none without one.
func machineBelow(threshold float64, since, now *sample, metrics snooze.Metrics) (machine any, unclear string) {
	const remedy = "run the plugin on NATS as the superuser, or leave io_threshold_kbps out"
	if metrics.DiskIO == nil || metrics.NetworkTraffic == nil {
		return nil, "what the whole machine's disks and networks carry is not known either: " + remedy
	}
	carried, unclear := now.machine.since(since.machine)
	if unclear != "" {
		return nil, unclear + ": " + remedy
	}
	most := max(carried, *metrics.DiskIO+*metrics.NetworkTraffic)
	if !(most < threshold) {
		return tenths(most), fmt.Sprintf(
			"and the whole machine's disks and networks carry %v KiB/s, not less than io_threshold_kbps, so it may be theirs: %s",
			tenths(most), remedy)
	}
	return tenths(most), ""
}

func processes(count int) string {
	if count == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", count)
}

func tenths(number float64) float64 { return math.Round(number*10) / 10 }

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest), cpu: defaultCPUThreshold, proc: proc{root: "/proc", self: os.Getpid()}})
}
