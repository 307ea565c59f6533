// The example: idle below a threshold of processor use, and a handler of custom events. It shows everything that a
// plugin can have, and is what every SDK's example is.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cloudsnooze.local/snooze"
)

// Below so many percent nobody is at work, where nothing else is configured.
const defaultThreshold = 10

type example struct {
	threshold float64
}

func (*example) Info() snooze.Info {
	return snooze.Info{
		Name:        "example-go",
		Version:     "1.0.0",
		DisplayName: "Example in Go",
		Author:      "CloudSnooze",
		Description: "Idle while the processor is",
		Category:    "example",
	}
}

func (example *example) Configure(_ context.Context, config snooze.Values) error {
	threshold, err := config.Number("threshold", defaultThreshold)
	if err != nil {
		return err
	}
	if threshold <= 0 {
		return fmt.Errorf("threshold has to be above 0 and is %s", percent(threshold))
	}
	example.threshold = threshold
	return nil
}

func (example *example) CheckIdle(_ context.Context, metrics snooze.Metrics) (snooze.Opinion, error) {
	// Goes to the log: standard output is the protocol's.
	fmt.Println("noise")
	if metrics.CPUUsage == nil {
		return snooze.Opinion{}, errors.New("cpu_usage is unknown")
	}
	cpu := *metrics.CPUUsage
	reason := fmt.Sprintf("cpu at %s %%", percent(cpu))
	details := snooze.Values{"cpu_usage": cpu}
	if cpu < example.threshold {
		return snooze.Idle(fmt.Sprintf("%s, below %s %%", reason, percent(example.threshold)), details), nil
	}
	return snooze.Busy(reason, details), nil
}

func (*example) SupportedEvents() []string {
	return []string{"custom"}
}

func (*example) HandleEvent(_ context.Context, event snooze.Event) (snooze.Outcome, error) {
	fmt.Println("noise")
	if event.Type != "custom" && !strings.HasPrefix(event.Type, "custom.") {
		return snooze.NotHandled(), nil
	}
	message := "seen " + event.ID
	if event.Data["fail"] == true {
		return snooze.Failed(message, event.Data), nil
	}
	return snooze.Handled(message, event.Data), nil
}

func percent(number float64) string {
	return strconv.FormatFloat(number, 'f', -1, 64)
}

func main() {
	snooze.Run(&example{threshold: defaultThreshold})
}
