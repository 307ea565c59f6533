package snooze

// The seven methods, from parameters to result. A method that the plugin does not have is unknown, but for those
// that every plugin answers alike.

import (
	"context"
	"encoding/json"
	"errors"
)

type method = func(session *session, ctx context.Context, params []byte) (json.RawMessage, *failure)

// By their names in the line protocol.
var methods = map[string]method{
	"Info":               (*session).introduce,
	"Configure":          (*session).configure,
	"Initialize":         (*session).initializeOnRequest,
	"GetSupportedEvents": (*session).supportedEvents,
	"CheckIdle":          (*session).checkIdle,
	"HandleEvent":        (*session).handleEvent,
	"Shutdown":           (*session).shutdownOnRequest,
}

var succeeded = json.RawMessage(`{"success":true}`)

var notThere = fail(codeUnknownMethod, "Unknown method")

func (session *session) introduce(context.Context, []byte) (json.RawMessage, *failure) {
	return session.introduction, nil
}

func (session *session) configure(ctx context.Context, params []byte) (json.RawMessage, *failure) {
	configurer, ok := session.plugin.(Configurer)
	if !ok {
		return nil, notThere
	}
	var given struct {
		Config *Values `json:"config"`
	}
	if failed := read(params, &given); failed != nil {
		return nil, failed
	}
	if given.Config == nil {
		return nil, fail(codeParams, "params.config is missing")
	}
	return guarded(ctx, session.life, func(ctx context.Context) (any, error) {
		return succeeded, configurer.Configure(ctx, *given.Config)
	})
}

func (session *session) initializeOnRequest(ctx context.Context, _ []byte) (json.RawMessage, *failure) {
	if failed := session.initialize(ctx); failed != nil {
		return nil, failed
	}
	return succeeded, nil
}

func (session *session) initialize(ctx context.Context) *failure {
	initializer, ok := session.plugin.(Initializer)
	if !ok || session.initialized {
		return nil
	}
	_, failed := guarded(ctx, session.life, func(ctx context.Context) (any, error) {
		return nil, initializer.Initialize(ctx)
	})
	session.initialized = failed == nil
	return failed
}

func (session *session) supportedEvents(ctx context.Context, _ []byte) (json.RawMessage, *failure) {
	handler, ok := session.plugin.(EventHandler)
	if !ok {
		return json.RawMessage(`{"events":[]}`), nil
	}
	return guarded(ctx, session.life, func(context.Context) (any, error) {
		return struct {
			Events []string `json:"events"`
		}{append([]string{}, handler.SupportedEvents()...)}, nil
	})
}

func (session *session) checkIdle(ctx context.Context, params []byte) (json.RawMessage, *failure) {
	checker, ok := session.plugin.(IdleChecker)
	if !ok {
		return nil, notThere
	}
	var given struct {
		Metrics Metrics `json:"metrics"`
		Host    string  `json:"host"`
	}
	// Without metrics, as a person may ask, all readings are unknown.
	if failed := read(params, &given); failed != nil {
		return nil, failed
	}
	given.Metrics.Host = given.Host
	if failed := session.initialize(ctx); failed != nil {
		return nil, failed
	}
	return guarded(ctx, session.life, func(ctx context.Context) (any, error) {
		opinion, err := checker.CheckIdle(ctx, given.Metrics)
		switch {
		case err != nil:
			return nil, err
		case !opinion.said:
			return nil, errors.New("CheckIdle returned neither Idle nor Busy")
		}
		return struct {
			IsIdle  bool   `json:"is_idle"`
			Reason  string `json:"reason"`
			Details Values `json:"details"`
		}{opinion.idle, opinion.reason, object(opinion.details)}, nil
	})
}

func (session *session) handleEvent(ctx context.Context, params []byte) (json.RawMessage, *failure) {
	handler, ok := session.plugin.(EventHandler)
	if !ok {
		return nil, notThere
	}
	var given struct {
		Event *Event `json:"event"`
	}
	if failed := read(params, &given); failed != nil {
		return nil, failed
	}
	if given.Event == nil {
		return nil, fail(codeParams, "params.event is missing")
	}
	given.Event.Data = object(given.Event.Data)
	if failed := session.initialize(ctx); failed != nil {
		return nil, failed
	}
	return guarded(ctx, session.life, func(ctx context.Context) (any, error) {
		outcome, err := handler.HandleEvent(ctx, *given.Event)
		switch {
		case err != nil:
			return nil, err
		case !outcome.said:
			return nil, errors.New("HandleEvent returned neither Handled, Failed nor NotHandled")
		}
		return struct {
			Handled   bool   `json:"handled"`
			Succeeded bool   `json:"succeeded"`
			Message   string `json:"message"`
			Details   Values `json:"details"`
		}{outcome.handled, outcome.succeeded, outcome.message, object(outcome.details)}, nil
	})
}

func (session *session) shutdownOnRequest(ctx context.Context, _ []byte) (json.RawMessage, *failure) {
	return session.shutdown(ctx)
}

func (session *session) shutdown(ctx context.Context) (json.RawMessage, *failure) {
	shutdowner, ok := session.plugin.(Shutdowner)
	if !ok || session.shut {
		session.shut = true
		return succeeded, nil
	}
	session.shut = true
	ctx, cancel := context.WithTimeout(ctx, shutdownLimit)
	defer cancel()
	return guarded(ctx, ctx, func(ctx context.Context) (any, error) {
		return succeeded, shutdowner.Shutdown(ctx)
	})
}

// read reads parameters; absent ones are an empty object.
func read(params []byte, into any) *failure {
	if len(params) == 0 {
		return nil
	}
	if err := json.Unmarshal(params, into); err != nil {
		return fail(codeParams, "its parameters cannot be read: %s", err)
	}
	return nil
}

func object(values Values) Values {
	if values == nil {
		return Values{}
	}
	return values
}
