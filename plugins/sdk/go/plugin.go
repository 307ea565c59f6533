// Package snooze is what a CloudSnooze plugin in Go is made of: a type with the methods that it wants,
// and [Run]. It speaks to the runner over standard input and output, or over NATS, without any change of the
// plugin. It never takes what a plugin did not say for idle.
package snooze

import "context"

// Plugin is all that a plugin needs, with one of [IdleChecker] and [EventHandler].
//
// Its methods are called one at a time, whatever the transport. An error or a panic of one becomes the answer;
// only a panic in a goroutine that the plugin itself starts ends the process.
type Plugin interface {
	// Info says who it is. It is called once, before everything else.
	Info() Info
}

// Context is context.Context, for a plugin that needs nothing else of that package.
type Context = context.Context

// IdleChecker votes.
type IdleChecker interface {
	// CheckIdle answers with [Idle] or [Busy]. With an error, or with the zero Opinion, the vote is unknown,
	// and unknown is never idle. The runner waits five seconds where it is not configured otherwise.
	CheckIdle(ctx context.Context, metrics Metrics) (Opinion, error)
}

// EventHandler handles events.
type EventHandler interface {
	// SupportedEvents names the types that it handles; `custom` stands for every `custom.*` too.
	SupportedEvents() []string
	// HandleEvent answers with [Handled], [Failed] or [NotHandled]. The context ends when no time is left.
	HandleEvent(ctx context.Context, event Event) (Outcome, error)
}

// Configurer is configured, at the start and whenever its configuration changes.
type Configurer interface {
	// Configure takes a configuration whole or refuses it with an error that names the field; what it had
	// before has to stay then.
	Configure(ctx context.Context, config Values) error
}

// Initializer has to prepare something before it is asked.
type Initializer interface {
	// Initialize is called once, after the first configuration. Where the runner does not ask for it, it is
	// called before the first question; after an error it is called again.
	Initialize(ctx context.Context) error
}

// Shutdowner has to clean up.
type Shutdowner interface {
	// Shutdown is called once, at the end, and has two seconds.
	Shutdown(ctx context.Context) error
}

// Info is what a plugin says of itself.
type Info struct {
	// Name is its identifier, 1 to 64 of `a-z 0-9 -`.
	Name string `json:"name"`
	// Version is a semantic version, as 1.0.0.
	Version string `json:"version"`
	// DisplayName is for people.
	DisplayName string `json:"display_name"`
	// Author is who made it.
	Author string `json:"author"`
	// Description is what it does.
	Description string `json:"description"`
	// Category is what kind of workload it watches, as database.
	Category string `json:"category,omitempty"`
}

// Opinion is what a plugin says of a host. Its zero value says nothing, and is answered as an error.
type Opinion struct {
	said    bool
	idle    bool
	reason  string
	details Values
}

// Idle says that nobody uses what the plugin watches. Details may be nil.
func Idle(reason string, details Values) Opinion {
	return Opinion{said: true, idle: true, reason: reason, details: details}
}

// Busy says that somebody does. Details may be nil.
func Busy(reason string, details Values) Opinion {
	return Opinion{said: true, reason: reason, details: details}
}

// Outcome is what became of an event. Its zero value says nothing, and is answered as an error.
type Outcome struct {
	said      bool
	handled   bool
	succeeded bool
	message   string
	details   Values
}

// Handled says that the plugin handled the event and that it worked. Details may be nil.
func Handled(message string, details Values) Outcome {
	return Outcome{said: true, handled: true, succeeded: true, message: message, details: details}
}

// Failed says that the plugin tried to handle the event and could not. Details may be nil.
func Failed(message string, details Values) Outcome {
	return Outcome{said: true, handled: true, message: message, details: details}
}

// NotHandled says that the event is none of the plugin's business, which is no failure.
func NotHandled() Outcome {
	return Outcome{said: true, succeeded: true}
}
