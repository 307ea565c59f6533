package main

// One step after the other, each with its share of the time. It knows neither systemd nor an engine.

import (
	"context"
	"time"
)

const (
	// Kept back for the answer: the runner ends the plugin when the time is over.
	answerTime = 500 * time.Millisecond
	// Of a time that is short, so much of it is kept back: a tenth.
	answerShare = 10
	// Sending a signal takes a few milliseconds. Of a time that is short, half is kept for all of them at most.
	signalTime = time.Second
)

// result is what became of a step.
type result struct {
	good bool
	said string
	took time.Duration
}

func good(said string) result { return result{good: true, said: said} }
func bad(said string) result  { return result{said: said} }

// lessAnswer is the end, but for what answering takes.
func lessAnswer(now, end time.Time) time.Time {
	left := max(end.Sub(now), 0)
	return end.Add(-min(answerTime, left/answerShare))
}

// share is what the first of these steps has: as much of what is left as each of those that wait, so that what one does
// not need is the others'. For a signal that is not waited for a little is kept; where its socket hangs it takes no more
// than a step that waits.
func share(steps []step, left time.Duration) time.Duration {
	left = max(left, 0)
	kept, places := min(signalTime, left/time.Duration(2*len(steps))), 1
	for _, each := range steps[1:] {
		if each.waits() {
			places++
		} else {
			left -= kept
		}
	}
	own := left / time.Duration(places)
	if limit := steps[0].limit; limit > 0 {
		own = min(own, limit)
	}
	return own
}

// drain does all steps, the later ones also where an earlier one has failed, until the end.
func drain(ctx context.Context, steps []step, end time.Time, do func(context.Context, step) result) []result {
	results := make([]result, 0, len(steps))
	for index, each := range steps {
		begun := time.Now()
		own := share(steps[index:], end.Sub(begun))
		if own <= 0 || ctx.Err() != nil {
			results = append(results, bad("was not begun: no time was left"))
			continue
		}
		within, cancel := context.WithTimeout(ctx, own)
		result := do(within, each)
		cancel()
		result.took = time.Since(begun)
		results = append(results, result)
	}
	return results
}
