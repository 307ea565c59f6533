// The plugin container-monitor: idle while a Docker or Podman engine runs fewer containers than a threshold. It asks the
// engine's socket for the list of them and for nothing else, and never changes one; what it cannot read is unknown.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// The runner waits five seconds; an answer that says what hangs is worth more than one that comes too late.
const questionLimit = 3500 * time.Millisecond

const (
	// A machine on which any container runs is in use, where nothing says otherwise.
	defaultThreshold = 1
	defaultSocket    = "/var/run/docker.sock"
)

// So many names are in the details: the runner keeps few kilobytes of them.
const namesShown = 10

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	threshold int64
	ignored   ignored
	engine    *engine
	// The number of the container that this runs in itself, if it does.
	own string
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	threshold, err := settings.Whole(config, "container_threshold", defaultThreshold, 1)
	if err != nil {
		return err
	}
	socket, err := config.Text("socket", defaultSocket)
	if err != nil {
		return err
	}
	socket = strings.TrimPrefix(socket, "unix://")
	if !filepath.IsAbs(socket) {
		return errors.New("socket has to be the absolute path of a Unix socket, as " + defaultSocket)
	}
	ignored, err := ignoredOf(config)
	if err != nil {
		return err
	}
	if plugin.engine.socket != socket {
		plugin.engine.close()
		plugin.engine = reach(socket)
	}
	plugin.threshold, plugin.ignored = threshold, ignored
	return nil
}

func (plugin *plugin) CheckIdle(ctx context.Context, _ snooze.Metrics) (snooze.Opinion, error) {
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	containers, err := plugin.engine.containers(ctx)
	if err != nil {
		return snooze.Opinion{}, err
	}
	var names []string
	count, passedOver, resting := int64(0), int64(0), int64(0)
	for _, container := range containers {
		switch {
		case container.isResting():
			resting++
		case container.ID == plugin.own || plugin.ignored.covers(container):
			passedOver++
		default:
			count++
			if len(names) < namesShown {
				names = append(names, container.name())
			}
		}
	}
	details := snooze.Values{
		"containers": count,
		"threshold":  plugin.threshold,
		"ignored":    passedOver,
		"paused":     resting,
		"names":      names,
	}
	reason := fmt.Sprintf("%d containers run", count)
	if count == 1 {
		reason = "1 container runs"
	}
	if count < plugin.threshold {
		return snooze.Idle(fmt.Sprintf("%s (below threshold %d)", reason, plugin.threshold), details), nil
	}
	return snooze.Busy(fmt.Sprintf("%s: %s", reason, shown(names, count)), details), nil
}

func shown(names []string, count int64) string {
	text := strings.Join(names, ", ")
	if int64(len(names)) < count {
		text += ", …"
	}
	return text
}

func (plugin *plugin) Shutdown(context.Context) error {
	plugin.engine.close()
	return nil
}

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest), threshold: defaultThreshold, engine: reach(defaultSocket), own: ownContainer()})
}
