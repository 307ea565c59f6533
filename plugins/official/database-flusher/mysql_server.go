package main

// What a MySQL or MariaDB server is asked while it writes: how far it is, and to be set otherwise for so long.

import (
	"context"
	"fmt"
	"time"
)

// Of the time, this is kept for setting the server back to what it was.
const restoreLimit = 200 * time.Millisecond

// global is one of the server's variables.
type global struct{ name, value string }

// during does something while these have other values, and sets them back whatever comes of it, the last one first. Who
// kills this process meanwhile leaves them as they are then.
func (server *mysqlDatabase) during(ctx context.Context, others []global, do func(context.Context) error) (failed error) {
	working := ctx
	if end, isBounded := ctx.Deadline(); isBounded {
		var cancel context.CancelFunc
		working, cancel = context.WithDeadline(ctx, end.Add(-min(restoreLimit, time.Until(end)/2)))
		defer cancel()
	}
	for _, other := range others {
		before := global{name: other.name}
		if err := server.Pool.QueryRowContext(working, "SELECT @@GLOBAL."+other.name).Scan(&before.value); err != nil {
			return err
		}
		// Before it is set: whether it was, nobody knows where the answer is missing.
		defer func() {
			if err := server.set(ctx, before); err != nil && failed == nil {
				failed = fmt.Errorf("it is left with %s = %s in place of %s: %w", other.name, other.value, before.value, err)
			}
		}()
		if err := server.set(working, other); err != nil {
			return err
		}
	}
	return do(working)
}

func (server *mysqlDatabase) set(ctx context.Context, variable global) error {
	return server.execute(ctx, "SET GLOBAL "+variable.name+" = "+variable.value)
}

// standing is how far a server is.
type standing struct {
	dirty uint64
	// Positions in the redo log: its end, up to where it is on disk, and from where it is needed. MySQL before 8.0.30 does
	// not tell them.
	current, flushed, checkpoint uint64
	isKnown                      bool
}

func (server *mysqlDatabase) status(ctx context.Context) (standing, error) {
	const question = `SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_buffer_pool_pages_dirty',
  'Innodb_lsn_current', 'Innodb_lsn_flushed', 'Innodb_lsn_last_checkpoint',
  'Innodb_redo_log_current_lsn', 'Innodb_redo_log_flushed_to_disk_lsn', 'Innodb_redo_log_checkpoint_lsn')`
	var seen standing
	server.Read.Renew()
	rows, err := server.Pool.QueryContext(ctx, question)
	if err != nil {
		return seen, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var value uint64
		if err := rows.Scan(&name, &value); err != nil {
			return seen, err
		}
		switch name {
		case "Innodb_buffer_pool_pages_dirty":
			seen.dirty = value
		case "Innodb_lsn_current", "Innodb_redo_log_current_lsn":
			seen.current, seen.isKnown = value, true
		case "Innodb_lsn_flushed", "Innodb_redo_log_flushed_to_disk_lsn":
			seen.flushed = value
		case "Innodb_lsn_last_checkpoint", "Innodb_redo_log_checkpoint_lsn":
			seen.checkpoint = value
		}
	}
	return seen, rows.Err()
}

func (server *mysqlDatabase) execute(ctx context.Context, statement string) error {
	server.Read.Renew()
	_, err := server.Pool.ExecContext(ctx, statement)
	return err
}
