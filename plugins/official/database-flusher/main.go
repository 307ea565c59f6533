// The plugin database-flusher: has a MySQL, MariaDB, PostgreSQL or Redis server write what it was given to disk, before
// the machine goes away. It never reads or changes anybody's data, never waits beyond the time that is left, and never
// says that it succeeded where anything is left to write.
package main

import (
	"context"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudsnooze.local/official/internal/handler"
	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// database is one server, which is connected to when it is flushed.
type database interface {
	// flush works until all is done, the context ends or a step fails, and tells each step that it did.
	flush(ctx context.Context, work *work) error
	close()
}

// target is how a database is reached.
type target struct {
	text        string
	authorities *x509.CertPool
	// Whether pages are written out too, where the write-ahead log alone would do.
	pages bool
}

// kinds are how a database is made, by what db_type says.
var kinds = map[string]func(target) (database, error){
	"mysql": newMySQL, "mariadb": newMySQL, "postgresql": newPostgreSQL, "postgres": newPostgreSQL, "redis": newRedis,
}

// work is what was done so far.
type work struct {
	done    []string
	details snooze.Values
}

// did notes a step: what of it is on disk.
func (work *work) did(what string) { work.done = append(work.done, what) }

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	make        func(target) (database, error)
	kind        string
	connection  settings.Secret
	authorities *x509.CertPool
	pages       bool
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	kind, err := config.Text("db_type", "")
	if err != nil {
		return err
	}
	make, isKnown := kinds[kind]
	if !isKnown {
		return fmt.Errorf("db_type has to be one of mysql, mariadb, postgresql and redis and is %q", kind)
	}
	connection, err := settings.SecretOf(config, "connection_string")
	if err != nil {
		return err
	}
	if !connection.Given() {
		return errors.New("connection_string is missing: it names the server, as user:password@tcp(host:port)/ for MySQL")
	}
	authorities, err := settings.Authorities(config)
	if err != nil {
		return err
	}
	pages, err := config.Flag("write_pages", true)
	if err != nil {
		return err
	}
	// What stands in a file is looked at when it is used: it may come later, or change.
	if _, inFile := config["connection_string_file"]; !inFile {
		text, err := connection.Read()
		if err != nil {
			return err
		}
		database, err := make(target{text, authorities, pages})
		if err != nil {
			return fmt.Errorf("connection_string %w", err)
		}
		database.close()
	}
	plugin.make, plugin.kind, plugin.connection, plugin.authorities, plugin.pages = make, kind, connection, authorities, pages
	return nil
}

func (plugin *plugin) SupportedEvents() []string { return plugin.Events() }

func (plugin *plugin) HandleEvent(ctx context.Context, event snooze.Event) (snooze.Outcome, error) {
	if !handler.Concerns(event, plugin.Events()) {
		return snooze.NotHandled(), nil
	}
	if plugin.make == nil {
		return snooze.Outcome{}, errors.New("db_type and connection_string are not configured, so no server is known")
	}
	// A Redis that saves takes the space that there is too little of; the other two need none.
	if event.Type == "system.disk.low" && plugin.kind == "redis" {
		return snooze.NotHandled(), nil
	}
	ctx, cancel := handler.Within(ctx)
	defer cancel()
	begun := time.Now()
	work := &work{details: snooze.Values{}}
	err := plugin.flush(ctx, work)
	work.details["done"] = append([]string{}, work.done...)
	work.details["took_ms"] = time.Since(begun).Milliseconds()
	if err != nil {
		return snooze.Failed(fmt.Sprintf("%s; %s", err, work), work.details), nil
	}
	return snooze.Handled(work.String(), work.details), nil
}

func (plugin *plugin) flush(ctx context.Context, work *work) error {
	text, err := plugin.connection.Read()
	if err != nil {
		return err
	}
	database, err := plugin.make(target{text, plugin.authorities, plugin.pages})
	if err != nil {
		return fmt.Errorf("connection_string %w", err)
	}
	// It is asked so rarely that a connection held meanwhile would only be one more client for whoever counts them.
	defer database.close()
	return database.flush(ctx, work)
}

func (work *work) String() string {
	if len(work.done) == 0 {
		return "nothing was brought to disk"
	}
	return "on disk: " + strings.Join(work.done, ", ")
}

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest)})
}
