package snooze

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Where a plugin is told about its transport. Without the first it speaks over standard input and output.
const (
	urlVariable         = "SNOOZE_NATS_URL"
	credentialsVariable = "SNOOZE_NATS_CREDENTIALS"
	hostVariable        = "SNOOZE_HOST"
)

// Run serves a plugin until its standard input ends, it is asked to shut down over NATS, or SIGTERM or an interrupt
// comes; a second signal ends the process at once. Where it cannot serve, it says why on standard error and ends
// the process with exit code 1.
//
// With SNOOZE_NATS_URL set it serves over NATS, with the credentials in the file SNOOZE_NATS_CREDENTIALS, for
// the host SNOOZE_HOST or, without that, for any. Else it serves over standard input and output, which belong to
// the protocol from here on: os.Stdout goes to standard error, for child processes too.
func Run(plugin Plugin) {
	if err := run(plugin); err != nil {
		note("%s", err)
		os.Exit(1)
	}
}

func run(plugin Plugin) error {
	url := os.Getenv(urlVariable)
	var streams *streams
	if url == "" {
		// First of all: Info may print as well.
		var err error
		if streams, err = takeStreams(); err != nil {
			return err
		}
	}
	session, err := newSession(plugin)
	if err != nil {
		return err
	}
	asked, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the next one has its usual effect.
	context.AfterFunc(asked, stop)
	if streams != nil {
		return serveLines(asked, session, streams)
	}
	return serveBus(asked, session, busSettings{
		url:         url,
		credentials: os.Getenv(credentialsVariable),
		host:        os.Getenv(hostVariable),
	})
}
