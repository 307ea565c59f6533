package snooze

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Run serves a plugin until its standard input ends, or SIGTERM or an interrupt comes; a second signal ends the
// process at once. Where it cannot serve, it says why on standard error and ends the process with exit code 1.
//
// It serves over standard input and output, which belong to the protocol from here on: os.Stdout goes to standard
// error, for child processes too.
func Run(plugin Plugin) {
	if err := run(plugin); err != nil {
		note("%s", err)
		os.Exit(1)
	}
}

func run(plugin Plugin) error {
	// First of all: Info may print as well.
	streams, err := takeStreams()
	if err != nil {
		return err
	}
	session, err := newSession(plugin)
	if err != nil {
		return err
	}
	asked, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the next one has its usual effect.
	context.AfterFunc(asked, stop)
	return serveLines(asked, session, streams)
}
