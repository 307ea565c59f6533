// The plugin drain: stops systemd units and containers, in the order that is configured, when the machine is about to be
// taken away, and reports each. It has no vote, and never starts or removes anything.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudsnooze.local/official/internal/handler"
	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

const (
	defaultEngine  = "/var/run/docker.sock"
	defaultSystemd = "/run/dbus/system_bus_socket"
	// What AWS gives before it takes a machine away, for an event that does not say.
	withoutDeadline = 120 * time.Second
)

// Those after which the machine is gone. What may be cancelled, as a stop for want of use, is none: nothing starts again
// what was stopped.
var events = []string{"cloud.spot.interrupt", "cloud.instance.termination", "cloud.autoscaling.scale", "custom.drain"}

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	steps           []step
	engine, systemd string
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	steps, err := stepsOf(config)
	if err != nil {
		return err
	}
	engine, err := socket(config, "engine_socket", defaultEngine)
	if err != nil {
		return err
	}
	systemd, err := socket(config, "systemd_socket", defaultSystemd)
	if err != nil {
		return err
	}
	plugin.steps, plugin.engine, plugin.systemd = steps, engine, systemd
	return nil
}

func socket(config snooze.Values, name, otherwise string) (string, error) {
	path, err := settings.Path(config, name)
	if err != nil || path != "" {
		return path, err
	}
	return otherwise, nil
}

func (plugin *plugin) SupportedEvents() []string { return events }

func (plugin *plugin) HandleEvent(ctx context.Context, event snooze.Event) (snooze.Outcome, error) {
	if !handler.Concerns(event, events) {
		return snooze.NotHandled(), nil
	}
	if len(plugin.steps) == 0 {
		return snooze.Outcome{}, errors.New("steps are not configured: there is nothing to stop")
	}
	end, has := ctx.Deadline()
	if !has {
		end = time.Now().Add(withoutDeadline)
	}
	units, containers := &systemd{socket: plugin.systemd}, reach(plugin.engine)
	defer units.close()
	defer containers.close()
	results := drain(ctx, plugin.steps, lessAnswer(time.Now(), end), func(ctx context.Context, step step) result {
		if step.isUnit {
			return units.do(ctx, step)
		}
		return containers.do(ctx, step)
	})
	return outcome(plugin.steps, results), nil
}

// outcome says of each step what became of it. Each is an entry of its own: the runner leaves out those for which it has
// no room, and not all of them.
func outcome(steps []step, results []result) snooze.Outcome {
	details, failed := snooze.Values{}, []string{}
	for index, result := range results {
		said := fmt.Sprintf("%s, after %.1f s", result.said, result.took.Seconds())
		details[fmt.Sprintf("%02d %s", index+1, steps[index])] = fmt.Sprintf("%.300s", said)
		if !result.good {
			failed = append(failed, fmt.Sprintf("%s: %s", steps[index], result.said))
		}
	}
	message := fmt.Sprintf("%d of %d steps succeeded", len(steps)-len(failed), len(steps))
	if len(failed) == 0 {
		return snooze.Handled(message, details)
	}
	return snooze.Failed(message+"; "+strings.Join(failed, "; "), details)
}

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest), engine: defaultEngine, systemd: defaultSystemd})
}
