// Package handler is what the plugins here that handle events have in common: what an event asks of them, and how much
// of the time that is left they work. It knows nothing of what they do, and never gives them time that there is not.
package handler

import (
	"context"
	"slices"
	"strings"
	"time"

	"cloudsnooze.local/snooze"
)

// Of what is left a tenth is kept for saying what was done, and no more than this: whoever is late is killed, and
// nobody learns what he did.
const lastWords = 500 * time.Millisecond

// Where nobody says how much time is left, as over the line protocol by hand: what a runner gives for what is not critical.
const otherwise = 30 * time.Second

// Concerns says whether an event asks for anything: it is of one of the types, and says neither that what it told of is
// over or was called off, nor that the instance is being launched: on one that comes there is nothing to save yet.
func Concerns(event snooze.Event, types []string) bool {
	state, _ := event.Data["state"].(string)
	transition, _ := event.Data["transition"].(string)
	isOver := state == "cleared" || state == "cancelled"
	return slices.Contains(types, event.Type) && !isOver && !strings.HasSuffix(transition, "_LAUNCHING")
}

// Within is the context for the work: it ends before the one that the answer has to be there by.
func Within(ctx context.Context) (context.Context, context.CancelFunc) {
	end, isKnown := ctx.Deadline()
	if !isKnown {
		return context.WithTimeout(ctx, otherwise)
	}
	left := time.Until(end)
	return context.WithDeadline(ctx, end.Add(-min(left/10, lastWords)))
}
