package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// random are some steps, of which some wait and some are limited.
func random(source *rand.Rand) []step {
	steps := make([]step, 1+source.IntN(12))
	for index := range steps {
		steps[index].name = string(rune('a' + index))
		if source.IntN(3) == 0 {
			steps[index].signal = "SIGTERM"
		}
		if source.IntN(3) == 0 {
			steps[index].limit = 1 + time.Duration(source.Int64N(int64(time.Minute)))
		}
	}
	return steps
}

func TestNoShareIsNegativeAndAllTogetherAreNoMoreThanIsLeft(t *testing.T) {
	source := rand.New(rand.NewPCG(9, 0))
	for range 50_000 {
		steps := random(source)
		left := time.Duration(source.Int64N(int64(5*time.Minute))) - time.Second
		// Each takes all that it is given, as the worst do, a signal at a socket that hangs as well.
		for rest, index := left, 0; index < len(steps); index++ {
			own := share(steps[index:], rest)
			switch {
			case own < 0 || own > max(rest, 0):
				t.Fatalf("%+v has %s of %s", steps[index:], own, rest)
			case steps[index].limit > 0 && own > steps[index].limit:
				t.Fatalf("%+v has %s and is limited", steps[index], own)
			case left > time.Second && own < time.Millisecond && steps[index].limit == 0:
				t.Fatalf("%+v has %s of %s: it is starved", steps[index:], own, left)
			case anyWaits(steps[index+1:]) && rest > 0 && own > rest/2+time.Duration(1):
				t.Fatalf("%+v has %s of %s: it leaves the others less than itself", steps[index:], own, rest)
			}
			rest -= own
		}
	}
}

func anyWaits(steps []step) bool { return slices.ContainsFunc(steps, step.waits) }

func TestWhatOneDoesNotNeedIsTheOthers(t *testing.T) {
	steps := []step{{name: "a"}, {name: "b"}, {name: "c", signal: "SIGUSR1"}, {name: "d"}}
	// Of each, a second is for the signal.
	if got := share(steps, 91*time.Second); got != 30*time.Second {
		t.Error(got)
	}
	// The first took two seconds.
	if got := share(steps[1:], 89*time.Second); got != 44*time.Second {
		t.Error(got)
	}
	steps[1].limit = 10 * time.Second
	if got := share(steps[1:], 88*time.Second); got != 10*time.Second {
		t.Error(got)
	}
	if got := share(steps[3:], 78*time.Second); got != 78*time.Second {
		t.Error(got)
	}
}

func TestStepsAreDoneInOrderAlsoAfterAFailureAndNoneAfterTheEnd(t *testing.T) {
	steps := []step{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}}
	order := ""
	ctx, cancel := context.WithCancel(context.Background())
	results := drain(ctx, steps, time.Now().Add(time.Minute), func(within context.Context, step step) result {
		order += step.name
		if end, has := within.Deadline(); !has || time.Until(end) > time.Minute {
			t.Errorf("%s has no end of its own", step.name)
		}
		switch step.name {
		case "a":
			return bad("failed")
		case "c":
			cancel()
		}
		return good("stopped")
	})
	if order != "abc" || len(results) != 4 || results[0].good || !results[1].good || results[3].good {
		t.Errorf("%s: %+v", order, results)
	}
	for _, result := range drain(context.Background(), steps, time.Now(), nil) {
		if result.good {
			t.Error("something was done when no time was left")
		}
	}
}

func TestTheAnswerComesBeforeTheEnd(t *testing.T) {
	now := time.Now()
	for _, left := range []time.Duration{-time.Second, 0, time.Millisecond, time.Second, time.Hour} {
		own := lessAnswer(now, now.Add(left)).Sub(now)
		if left > 0 && own >= left || own > max(left, 0) && left > 0 || left > time.Minute && left-own != answerTime {
			t.Errorf("of %s it uses %s", left, own)
		}
	}
}
