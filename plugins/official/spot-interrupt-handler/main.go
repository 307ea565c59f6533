// The plugin spot-interrupt-handler: runs the operator's script when a spot instance is about to be taken away. The
// script's exit status is its success. It has no vote, runs nothing else, runs no script that somebody else may write,
// and lets none go on when the time of the event is over.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"cloudsnooze.local/official/internal/handler"
	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

const interrupt = "cloud.spot.interrupt"

const (
	// As in the original's example: of the two minutes that AWS gives, some are left for the machine's own end.
	defaultTimeoutSeconds = 90
	// The original had no time of its own for an event without one either: what AWS gives.
	withoutDeadline = 120 * time.Second
	// Of less than that nothing would come: starting a shell takes as long.
	leastTime = 10 * time.Millisecond
)

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	script  string
	timeout time.Duration
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	script, err := settings.Path(config, "shutdown_script_path")
	if err != nil {
		return err
	}
	if script == "" {
		return errors.New("shutdown_script_path is missing: it names the script to run")
	}
	seconds, err := settings.Above(config, "timeout_seconds", defaultTimeoutSeconds)
	if err != nil {
		return err
	}
	plugin.script = script
	// No event lasts for longer than a day, and a duration holds no more than some centuries.
	plugin.timeout = time.Duration(min(seconds, 86_400) * float64(time.Second))
	// Not refused: it may be put there later, and a plugin that is not run could not even say so then.
	if err := trusted(script); err != nil {
		fmt.Fprintf(os.Stderr, "as it is now it would not be run: %s\n", err)
	}
	return nil
}

func (plugin *plugin) SupportedEvents() []string { return []string{interrupt} }

func (plugin *plugin) HandleEvent(ctx context.Context, event snooze.Event) (snooze.Outcome, error) {
	if !handler.Concerns(event, []string{interrupt}) {
		return snooze.NotHandled(), nil
	}
	if plugin.script == "" {
		return snooze.Failed("shutdown_script_path is not configured: there is nothing to run", nil), nil
	}
	if err := trusted(plugin.script); err != nil {
		return snooze.Failed(fmt.Sprintf("it was not run: %s", err), nil), nil
	}
	input, err := json.Marshal(event.Data)
	if err != nil {
		return snooze.Failed(fmt.Sprintf("it was not run: the event's data cannot be written: %s", err), nil), nil
	}
	left := withoutDeadline
	if deadline, has := ctx.Deadline(); has {
		left = time.Until(deadline)
	}
	times := share(left, plugin.timeout)
	if times.terminate < leastTime {
		return snooze.Failed(fmt.Sprintf("it was not run: the event leaves %.3f s", seconds(max(left, 0))), nil), nil
	}
	ended, err := run(ctx, job{program: plugin.script, environment: told(event, times), input: input, times: times})
	if err != nil {
		return snooze.Failed(fmt.Sprintf("%s could not be started: %s; grant the plugin `run` with this path", plugin.script, err), nil), nil
	}
	details := snooze.Values{
		"script":        plugin.script,
		"exit_code":     ended.code,
		"signal":        ended.signal,
		"timed_out":     ended.timedOut,
		"seconds":       seconds(ended.took),
		"seconds_given": seconds(times.terminate),
		// The original's name for it.
		"script_output": ended.output,
	}
	if ended.cut > 0 {
		details["script_output_cut_bytes"] = ended.cut
	}
	if ended.succeeded() {
		return snooze.Handled(fmt.Sprintf("%s has succeeded", plugin.script), details), nil
	}
	return snooze.Failed(fmt.Sprintf("%s %s", plugin.script, ended.how(times)), details), nil
}

// told is the environment of the script: the plugin's own, and what happens to whom and how long there is.
func told(event snooze.Event, times times) []string {
	environment := inherited(os.Environ())
	add := func(name, value string) { environment = append(environment, name+"="+value) }
	add("SNOOZE_EVENT_ID", event.ID)
	add("SNOOZE_EVENT_TYPE", event.Type)
	add("SNOOZE_EVENT_SEVERITY", fmt.Sprint(event.Severity))
	add("SNOOZE_EVENT_SOURCE", event.Source)
	add("SNOOZE_EVENT_HOST", event.Host)
	if event.Deadline != nil {
		add("SNOOZE_EVENT_DEADLINE", event.Deadline.UTC().Format(time.RFC3339))
	}
	// Whole ones, which a shell can count with, and never more than there are.
	add("SNOOZE_SECONDS_LEFT", fmt.Sprint(int64(times.terminate/time.Second)))
	return environment
}

func seconds(duration time.Duration) float64 {
	return float64(duration.Milliseconds()) / 1000
}

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest), timeout: defaultTimeoutSeconds * time.Second})
}
