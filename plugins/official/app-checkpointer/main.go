// The plugin app-checkpointer: asks an application over HTTP to write a checkpoint, and has it say that the checkpoint is
// complete, before the time that is left is over. It never takes "accepted" for "complete", never follows to another
// address than those that are configured, and never shows the token.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"cloudsnooze.local/official/internal/handler"
	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	application *application
	token       settings.Secret
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	token, err := settings.SecretOf(config, "token")
	if err != nil {
		return err
	}
	application, err := applicationOf(config)
	if err != nil {
		return err
	}
	if field, is := application.readable(); is && token.Given() {
		return fmt.Errorf("%s has to begin with https:// where a token is sent: over http it can be read on the way, but on this machine", field)
	}
	plugin.application, plugin.token = application, token
	return nil
}

func (plugin *plugin) SupportedEvents() []string { return plugin.Events() }

func (plugin *plugin) HandleEvent(ctx context.Context, event snooze.Event) (snooze.Outcome, error) {
	if !handler.Concerns(event, plugin.Events()) {
		return snooze.NotHandled(), nil
	}
	if plugin.application == nil {
		return snooze.Outcome{}, errors.New("url is not configured, so no application is known")
	}
	ctx, cancel := handler.Within(ctx)
	defer cancel()
	begun := time.Now()
	asked := &asked{details: snooze.Values{}}
	err := plugin.checkpoint(ctx, event, asked)
	asked.details["took_ms"] = time.Since(begun).Milliseconds()
	asked.details["requests"] = asked.requests
	asked.details["polls"] = asked.polls
	if err != nil {
		return snooze.Failed(err.Error(), asked.details), nil
	}
	return snooze.Handled(fmt.Sprintf("%s says that its checkpoint is complete", plugin.application.url.Host), asked.details), nil
}

func (plugin *plugin) checkpoint(ctx context.Context, event snooze.Event, asked *asked) error {
	token := ""
	if plugin.token.Given() {
		var err error
		// Where it stands in a file it is read anew each time: it may have been renewed.
		if token, err = plugin.token.Read(); err != nil {
			return err
		}
	}
	client := newClient(plugin.application.authorities)
	// It is asked so rarely that a connection held meanwhile would only be one more client for whoever counts them.
	defer client.CloseIdleConnections()
	return (&checkpoint{plugin.application, client, token, event, asked}).run(ctx)
}

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest)})
}
