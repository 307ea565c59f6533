package snooze

// What a plugin is asked, whatever the transport: one question at a time, every one answered. Nothing here knows a
// pipe, a subject or how an answer is written.

import (
	"context"
	"encoding/json"
	"runtime/debug"
	"time"
)

// So long has a plugin to return once its context has ended with the process.
const lastWords = time.Second

// So long has its Shutdown, as in the line protocol.
const shutdownLimit = 2 * time.Second

// The largest body or line, in either direction.
const bodyLimit = 1024 * 1024

// session is a plugin between its start and its end.
type session struct {
	plugin Plugin
	info   Info
	// Info as it is answered, without waiting for a turn.
	introduction json.RawMessage
	// Ends when the plugin has to: every method's context is below it.
	life context.Context
	end  context.CancelFunc
	// Holds one token while the plugin is asked something.
	turn chan struct{}
	// Both only by who has the turn.
	initialized, shut bool
}

func newSession(plugin Plugin) (*session, error) {
	session := &session{plugin: plugin, turn: make(chan struct{}, 1)}
	session.life, session.end = context.WithCancel(context.Background())
	if err := checkMethods(plugin); err != nil {
		return nil, err
	}
	introduction, failed := guarded(session.life, session.life, func(context.Context) (any, error) {
		session.info = plugin.Info()
		return session.info, nil
	})
	if failed != nil {
		return nil, failed
	}
	session.introduction = introduction
	return session, checkInfo(session.info)
}

// ask answers a question. Methods have the names of the line protocol; `asked` is what the asker called it.
func (session *session) ask(ctx context.Context, method, asked string, params []byte) (json.RawMessage, *failure) {
	handle, known := methods[method]
	if !known {
		return nil, fail(codeUnknownMethod, "Unknown method: %s", asked)
	}
	if method == "Info" {
		return session.introduction, nil
	}
	select {
	case session.turn <- struct{}{}:
		defer func() { <-session.turn }()
	case <-ctx.Done():
		return nil, fail(codePlugin, "no time is left")
	}
	// Both may have been possible.
	if ctx.Err() != nil {
		return nil, fail(codePlugin, "no time is left")
	}
	if session.shut && method != "Shutdown" {
		return nil, fail(codePlugin, "it was shut down")
	}
	result, failed := handle(session, ctx, params)
	if failed != nil && failed.code == codeUnknownMethod {
		return nil, fail(codeUnknownMethod, "Unknown method: %s", asked)
	}
	return result, failed
}

// finish ends the plugin: what is under way has until the end of the context, and is told to end then.
func (session *session) finish(ctx context.Context) {
	defer session.end()
	select {
	case session.turn <- struct{}{}:
	case <-ctx.Done():
		session.end()
		select {
		case session.turn <- struct{}{}:
		case <-time.After(lastWords):
			note("it did not return; it is ended without Shutdown")
			return
		}
	}
	defer func() { <-session.turn }()
	// Cleaning up is not cut short by the signal that asks for it.
	if _, failed := session.shutdown(context.Background()); failed != nil {
		note("Shutdown: %s", failed.text)
	}
}

// guarded runs a part of the plugin and writes down what it returns, which is the plugin's code too where details
// have a form of their own. A panic is an error, and so is ending the goroutine. What does not return after the
// end of `life` is left alone.
func guarded(ctx, life context.Context, run func(context.Context) (any, error)) (json.RawMessage, *failure) {
	type outcome struct {
		result json.RawMessage
		failed *failure
	}
	done := make(chan outcome, 1)
	go func() {
		ended := outcome{failed: fail(codeInternal, "it ended its goroutine instead of answering")}
		defer func() {
			if cause := recover(); cause != nil {
				ended.failed = fail(codeInternal, "panic: %v", cause)
				note("panic: %v\n%s", cause, debug.Stack())
			}
			done <- ended
		}()
		result, failed := written(run(ctx))
		ended = outcome{result, failed}
	}()
	select {
	case ended := <-done:
		return ended.result, ended.failed
	case <-life.Done():
	}
	select {
	case ended := <-done:
		return ended.result, ended.failed
	case <-time.After(lastWords):
		return nil, fail(codePlugin, "it was ended before it had answered")
	}
}

func written(result any, err error) (json.RawMessage, *failure) {
	if err != nil {
		return nil, fail(codePlugin, "%s", err)
	}
	text, err := toJSON(result)
	if err != nil {
		return nil, fail(codeInternal, "its answer cannot be written as JSON: %s", err)
	}
	return text, nil
}

// within is a context of the session's that also ends with the time that is left, if a limit is named.
func (session *session) within(left *leftMs) (context.Context, context.CancelFunc) {
	if left == nil {
		return context.WithCancel(session.life)
	}
	return context.WithTimeout(session.life, left.duration())
}

// leftMs is a number of milliseconds, as large as it may be.
type leftMs float64

func (left *leftMs) duration() time.Duration {
	// A day is longer than any event; more would not fit into a duration.
	return time.Duration(min(max(float64(*left), 0), 86_400_000) * float64(time.Millisecond))
}

// timeLeft finds left_ms, beside the event as over NATS or in it as over standard input.
func timeLeft(params []byte) *leftMs {
	var found struct {
		Left  *leftMs `json:"left_ms"`
		Event struct {
			Left *leftMs `json:"left_ms"`
		} `json:"event"`
	}
	if err := json.Unmarshal(params, &found); err != nil {
		// Whoever reads the event says what is wrong with it.
		return nil
	}
	if found.Left != nil {
		return found.Left
	}
	return found.Event.Left
}
