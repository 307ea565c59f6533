package handler

import (
	"context"
	"testing"
	"time"

	"cloudsnooze.local/snooze"
)

func TestOnlyWhatIsOfATypeAndNotOverConcerns(t *testing.T) {
	types := []string{"cloud.spot.interrupt", "snooze.pending"}
	for state, concerns := range map[any]bool{nil: true, "raised": true, 7: true, "cleared": false, "cancelled": false} {
		event := snooze.Event{Type: "snooze.pending", Data: snooze.Values{"state": state}}
		if Concerns(event, types) != concerns {
			t.Errorf("%v", event)
		}
	}
	for transition, concerns := range map[any]bool{
		nil: true, 7: true, "autoscaling:EC2_INSTANCE_TERMINATING": true, "autoscaling:EC2_INSTANCE_LAUNCHING": false,
	} {
		event := snooze.Event{Type: "snooze.pending", Data: snooze.Values{"transition": transition}}
		if Concerns(event, types) != concerns {
			t.Errorf("%v", event)
		}
	}
	if !Concerns(snooze.Event{Type: "cloud.spot.interrupt"}, types) || Concerns(snooze.Event{Type: "custom"}, types) {
		t.Error("it goes by the type")
	}
}

func TestTheWorkEndsBeforeTheTimeThatIsLeft(t *testing.T) {
	for left, kept := range map[time.Duration]time.Duration{
		-time.Second: -time.Second / 10, time.Second: 100 * time.Millisecond, 2 * time.Minute: lastWords,
	} {
		outer, cancel := context.WithTimeout(context.Background(), left)
		inner, cancelInner := Within(outer)
		end, _ := outer.Deadline()
		earlier, _ := inner.Deadline()
		// What passes between two looks at the clock.
		if difference := end.Sub(earlier) - kept; left > 0 && (difference > 0 || difference < -50*time.Millisecond) {
			t.Errorf("of %s it keeps %s", left, end.Sub(earlier))
		}
		if left < 0 && inner.Err() == nil {
			t.Error("it works when no time is left")
		}
		cancelInner()
		cancel()
	}
	inner, cancel := Within(context.Background())
	defer cancel()
	if _, isBounded := inner.Deadline(); !isBounded {
		t.Error("it has no end")
	}
}
