package main

import (
	"context"
	"reflect"
	"testing"

	"cloudsnooze.local/snooze"
)

func TestBelowTheThresholdIsIdleAndAtItIsBusy(t *testing.T) {
	plugin := &monitor{threshold: 20}
	for load, expected := range map[float64]snooze.Opinion{
		19.9: snooze.Idle("cpu at 19.9 %", snooze.Values{"cpu_usage": 19.9}),
		20:   snooze.Busy("cpu at 20.0 %", snooze.Values{"cpu_usage": 20.0}),
	} {
		said, err := plugin.CheckIdle(context.Background(), snooze.Metrics{CPUUsage: &load})
		if err != nil || !reflect.DeepEqual(said, expected) {
			t.Errorf("at %v: %v, %v", load, said, err)
		}
	}
}

func TestWhatIsUnknownIsNotIdle(t *testing.T) {
	plugin := &monitor{threshold: 20}
	if _, err := plugin.CheckIdle(context.Background(), snooze.Metrics{}); err == nil {
		t.Error("it has an opinion")
	}
}
