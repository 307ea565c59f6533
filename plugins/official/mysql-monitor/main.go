// The plugin mysql-monitor: idle while a MySQL or MariaDB server has fewer client connections than a threshold. It asks
// the server who is connected and never looks at a table or a statement of its users; what it cannot see whole is
// unknown.
package main

import (
	"context"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/mysqlserver"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// The runner waits five seconds; an answer that says what hangs is worth more than one that comes too late.
const questionLimit = 3500 * time.Millisecond

// The original's default.
const defaultThreshold = 5

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	threshold int64
	dsn       settings.Secret
	// Whom the server's certificate is held to; nil for what the dsn says.
	authorities *x509.CertPool
	server      *server
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	threshold, err := settings.Whole(config, "connection_threshold", defaultThreshold, 1)
	if err != nil {
		return err
	}
	dsn, err := settings.SecretOf(config, "dsn")
	if err != nil {
		return err
	}
	if !dsn.Given() {
		return errors.New("dsn is missing: it names the server, as user:password@tcp(host:port)/database")
	}
	authorities, err := settings.Authorities(config)
	if err != nil {
		return err
	}
	// What stands in a file is looked at when it is used: it may come later, or change.
	if _, inFile := config["dsn_file"]; !inFile {
		text, err := dsn.Read()
		if err != nil {
			return err
		}
		if _, err := mysqlserver.Parse(text, authorities); err != nil {
			return fmt.Errorf("dsn %w", err)
		}
	}
	if !plugin.authorities.Equal(authorities) {
		plugin.leave()
	}
	plugin.threshold, plugin.dsn, plugin.authorities = threshold, dsn, authorities
	return nil
}

func (plugin *plugin) CheckIdle(ctx context.Context, _ snooze.Metrics) (snooze.Opinion, error) {
	if !plugin.dsn.Given() {
		return snooze.Opinion{}, errors.New("dsn is not configured, so no server is known")
	}
	text, err := plugin.dsn.Read()
	if err != nil {
		return snooze.Opinion{}, err
	}
	if err := plugin.turnTo(text); err != nil {
		return snooze.Opinion{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	seen, err := plugin.server.threads(ctx)
	if err != nil {
		return snooze.Opinion{}, err
	}
	count := seen.sleeping + seen.working
	details := snooze.Values{
		"connections": count,
		"threshold":   plugin.threshold,
		"working":     seen.working,
		"sleeping":    seen.sleeping,
		"replication": seen.replication,
		"system":      seen.system,
	}
	if count < plugin.threshold {
		return snooze.Idle(fmt.Sprintf("MySQL has only %d client connections (below threshold %d)",
			count, plugin.threshold), details), nil
	}
	return snooze.Busy(fmt.Sprintf("MySQL has %d client connections (threshold %d)", count, plugin.threshold),
		details), nil
}

// turnTo makes the server that of this dsn; where it is already, its connection is kept.
func (plugin *plugin) turnTo(text string) error {
	if plugin.server != nil && plugin.server.DSN == text {
		return nil
	}
	server, err := open(text, plugin.authorities)
	if err != nil {
		return fmt.Errorf("dsn %w", err)
	}
	plugin.leave()
	plugin.server = server
	return nil
}

// leave closes the connection, where there is one.
func (plugin *plugin) leave() {
	if plugin.server != nil {
		plugin.server.Close()
		plugin.server = nil
	}
}

func (plugin *plugin) Shutdown(context.Context) error {
	plugin.leave()
	return nil
}

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest), threshold: defaultThreshold})
}
