package main

// MySQL and MariaDB. What was committed is safe once InnoDB's redo log and the binary log are on disk ("FLUSH Statement"
// of both manuals); tables of engines without a log once they are closed ("FLUSH TABLES"). Writing InnoDB's changed pages
// as well, as before a fast shutdown ("innodb_max_dirty_pages_pct"), saves the next start from repeating the log.

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"cloudsnooze.local/official/internal/mysqlserver"
)

// FLUSH TABLES waits for statements that use a table, and whoever comes next waits behind it. So it waits no longer,
// whatever time is left.
const tablesLimit = 5 * time.Second

// What a server does meanwhile is looked at so often.
const pollInterval = 50 * time.Millisecond

var words = mysqlserver.Words{Field: "connection_string",
	Grant: "GRANT RELOAD, SUPER ON *.* to this user (MySQL 8: RELOAD, SYSTEM_VARIABLES_ADMIN)"}

type mysqlDatabase struct {
	*mysqlserver.Server
	pages bool
}

func newMySQL(target target) (database, error) {
	server, err := mysqlserver.Open(target.text, target.authorities)
	if err != nil {
		return nil, err
	}
	return &mysqlDatabase{server, target.pages}, nil
}

func (server *mysqlDatabase) close() { server.Close() }

func (server *mysqlDatabase) flush(ctx context.Context, work *work) error {
	if err := server.logs(ctx, work); err != nil {
		return err
	}
	if err := server.tables(ctx); err != nil {
		return fmt.Errorf("tables without a log are not closed, as something uses them: %w", server.Explain(err, words))
	}
	work.did("tables")
	if !server.pages {
		return nil
	}
	if err := server.writePages(ctx, work); err != nil {
		return fmt.Errorf("not all changed pages are written, which lengthens the next start and loses nothing: %w", server.Explain(err, words))
	}
	work.did("pages")
	return nil
}

// logs brings to disk what is committed. LOCAL keeps all of it out of the binary log, and so from replicas.
func (server *mysqlDatabase) logs(ctx context.Context, work *work) error {
	begun, err := server.status(ctx)
	if err != nil {
		return server.Explain(err, words)
	}
	isFlushed, err := server.flushLog(ctx, begun)
	if err == nil && !isFlushed {
		// MariaDB flushes no more than it does at a commit, which with 0 is nothing, and with 2 not as far as the disk.
		err = server.during(ctx, []global{{"innodb_flush_log_at_trx_commit", "1"}}, func(ctx context.Context) error {
			isFlushed, err = server.flushLog(ctx, begun)
			return err
		})
	}
	switch {
	case err != nil:
		return fmt.Errorf("what was committed last is not on disk: %w", server.Explain(err, words))
	case !isFlushed:
		return fmt.Errorf("MySQL at %s says of its redo log that it is flushed, and shows that it is not", server.Name)
	}
	work.did("redo log")
	var isLogged bool
	if err := server.Pool.QueryRowContext(ctx, "SELECT @@GLOBAL.log_bin").Scan(&isLogged); err != nil {
		return server.Explain(err, words)
	}
	if !isLogged {
		return nil
	}
	if err := server.execute(ctx, "FLUSH LOCAL BINARY LOGS"); err != nil {
		return fmt.Errorf("the end of the binary log is not on disk: %w", server.Explain(err, words))
	}
	work.did("binary log")
	return nil
}

// flushLog has InnoDB flush its redo log, and says whether it is on disk as far as it went before. One that does not tell
// is believed.
func (server *mysqlDatabase) flushLog(ctx context.Context, before standing) (bool, error) {
	if err := server.execute(ctx, "FLUSH LOCAL ENGINE LOGS"); err != nil {
		return false, err
	}
	after, err := server.status(ctx)
	return !before.isKnown || after.flushed >= before.current, err
}

// tables closes those that are open, so that engines without a log write what they hold of them. Its own limit is the
// server's: a statement whose client has left goes on.
func (server *mysqlDatabase) tables(ctx context.Context) error {
	limit := tablesLimit
	if end, isKnown := ctx.Deadline(); isKnown {
		limit = min(limit, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// Of one connection, as its limit is.
	connection, err := server.Pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	seconds := strconv.Itoa(max(1, int(limit/time.Second)))
	if _, err := connection.ExecContext(ctx, "SET SESSION lock_wait_timeout = "+seconds); err != nil {
		return err
	}
	_, err = connection.ExecContext(ctx, "FLUSH LOCAL TABLES")
	return err
}

// writePages has InnoDB write all changed pages.
func (server *mysqlDatabase) writePages(ctx context.Context, work *work) error {
	begun, err := server.status(ctx)
	if err != nil {
		return err
	}
	// The low mark may not be above the other one.
	none := []global{{"innodb_max_dirty_pages_pct_lwm", "0"}, {"innodb_max_dirty_pages_pct", "0"}}
	return server.during(ctx, none, func(ctx context.Context) error {
		for {
			seen, err := server.status(ctx)
			if err != nil {
				return err
			}
			work.details["dirty_pages"] = seen.dirty
			// Where others go on writing there is always a changed page: those of before are written once the log is not
			// needed from there on.
			if seen.dirty == 0 || seen.isKnown && seen.checkpoint >= begun.current {
				return nil
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	})
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(pollInterval):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
