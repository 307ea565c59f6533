// Votes idle while the processor is below a threshold.
package main

import (
	"context"
	"errors"
	"fmt"

	"cloudsnooze.local/snooze"
)

// In percent, where nothing is configured.
const defaultThreshold = 10

type monitor struct {
	threshold float64
}

func (*monitor) Info() snooze.Info {
	return snooze.Info{Name: "{{name}}", Version: "0.1.0"}
}

// Configure takes what the schema in plugin.json has let through.
func (m *monitor) Configure(_ context.Context, config snooze.Values) error {
	threshold, err := config.Number("threshold", defaultThreshold)
	if err == nil {
		m.threshold = threshold
	}
	return err
}

// CheckIdle returns an error where it does not know: that is an unknown vote, and unknown is never idle.
func (m *monitor) CheckIdle(_ context.Context, metrics snooze.Metrics) (snooze.Opinion, error) {
	if metrics.CPUUsage == nil {
		return snooze.Opinion{}, errors.New("cpu_usage is unknown")
	}
	cpu := *metrics.CPUUsage
	reason, details := fmt.Sprintf("cpu at %.1f %%", cpu), snooze.Values{"cpu_usage": cpu}
	if cpu < m.threshold {
		return snooze.Idle(reason, details), nil
	}
	return snooze.Busy(reason, details), nil
}

func main() {
	snooze.Run(&monitor{threshold: defaultThreshold})
}
