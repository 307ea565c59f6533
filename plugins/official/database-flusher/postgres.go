package main

// PostgreSQL. What was committed is safe once the write-ahead log is on disk up to there ("Asynchronous Commit" of its
// manual), which takes as long as one commit; a checkpoint writes the changed pages as well ("CHECKPOINT"), and saves the
// next start from repeating that log.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"cloudsnooze.local/official/internal/bounded"
	"github.com/jackc/pgx/v5/pgconn"
)

// Codes of the server, as "PostgreSQL Error Codes" lists them.
const (
	wrongPassword  = "28P01"
	notAuthorized  = "28000"
	lacksPrivilege = "42501"
)

type postgresDatabase struct {
	config *pgconn.Config
	pages  bool
	read   *bounded.Budget
}

func newPostgreSQL(target target) (database, error) {
	config, err := pgconn.ParseConfig(target.text)
	if err != nil {
		// What is wrong with it may be a piece of the password.
		return nil, errors.New("is not of the form postgresql://user:password@host:5432/postgres or host=… user=…")
	}
	if _, isNamed := config.RuntimeParams["application_name"]; !isNamed {
		config.RuntimeParams["application_name"] = "database-flusher"
	}
	if target.authorities != nil {
		config.TLSConfig = &tls.Config{RootCAs: target.authorities, ServerName: config.Host, MinVersion: tls.VersionTLS12}
		config.Fallbacks = nil
	}
	read := &bounded.Budget{}
	config.DialFunc = pgconn.DialFunc(read.Within((&net.Dialer{}).DialContext))
	// The time that is left holds for all of it.
	config.ConnectTimeout = 0
	return &postgresDatabase{config, target.pages, read}, nil
}

func (server *postgresDatabase) close() {}

func (server *postgresDatabase) flush(ctx context.Context, work *work) error {
	server.read.Renew()
	connection, err := pgconn.ConnectConfig(ctx, server.config)
	if err != nil {
		return server.explain(ctx, err)
	}
	// In order where there is time for it; else it is cut.
	defer connection.Close(ctx)
	if err := server.log(ctx, connection, work); err != nil {
		return server.explain(ctx, err)
	}
	if server.pages {
		if _, err := server.ask(ctx, connection, "CHECKPOINT"); err != nil {
			return fmt.Errorf("not all changed pages are written, which lengthens the next start and loses nothing: %w", server.explain(ctx, err))
		}
		work.did("pages")
	}
	return nil
}

// log brings the write-ahead log to disk by a commit of its own that holds a message for nobody, and that waits for this
// disk and no replica's. A standby has no commits of its own: what it wrote of its primary's is for a checkpoint.
func (server *postgresDatabase) log(ctx context.Context, connection *pgconn.PgConn, work *work) error {
	said, err := server.ask(ctx, connection, "SELECT current_setting('fsync'), pg_is_in_recovery()")
	if err != nil {
		return err
	}
	if said[0] != "on" {
		return errors.New("it is configured with fsync = off, so it never says what is on disk")
	}
	if said[1] == "t" {
		if !server.pages {
			return errors.New("it is a standby, which write_pages has to be on for")
		}
		return nil
	}
	before, err := server.ask(ctx, connection, "SELECT pg_current_wal_insert_lsn()")
	if err != nil {
		return err
	}
	for _, statement := range []string{
		"SET synchronous_commit = local", "SELECT pg_logical_emit_message(true, 'database-flusher', '')",
	} {
		if _, err := server.ask(ctx, connection, statement); err != nil {
			return err
		}
	}
	after, err := server.ask(ctx, connection, "SELECT pg_current_wal_flush_lsn() >= '"+before[0]+"'::pg_lsn")
	if err != nil {
		return err
	}
	if after[0] != "t" {
		return fmt.Errorf("it has not flushed its write-ahead log up to %s, which was written before", before[0])
	}
	work.did("write-ahead log")
	return nil
}

// ask runs one statement, and hands back its first row as texts.
func (server *postgresDatabase) ask(ctx context.Context, connection *pgconn.PgConn, statement string) ([]string, error) {
	server.read.Renew()
	results, err := connection.Exec(ctx, statement).ReadAll()
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, result := range results {
		for _, row := range result.Rows {
			for _, value := range row {
				texts = append(texts, string(value))
			}
		}
	}
	return texts, nil
}

func (server *postgresDatabase) explain(ctx context.Context, err error) error {
	where := fmt.Sprintf("PostgreSQL at %s", net.JoinHostPort(server.config.Host, fmt.Sprint(server.config.Port)))
	var refused *pgconn.PgError
	advice := "is it running, and is connection_string right?"
	switch {
	case errors.As(err, &refused):
		switch refused.Code {
		case wrongPassword, notAuthorized:
			advice = "check user and password in connection_string"
		case lacksPrivilege:
			advice = "GRANT pg_checkpoint to this user (before PostgreSQL 15 it has to be a superuser)"
		default:
			advice = "it refuses the question"
		}
		// The error of connecting repeats what the client was told, and its text is the server's own.
		return fmt.Errorf("%s refuses: %s; %s", where, refused.Message, advice)
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s did not answer in time", where)
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.UnknownAuthorityError)):
		advice = "its certificate is not one of the authorities that are trusted: name its own in ca_file"
	case errors.As(err, &bounded.TooMuchError{}):
		advice = "is it PostgreSQL that listens there?"
	case errors.Is(err, fs.ErrPermission):
		advice = "grant the plugin `tcp` with this port, or `unix` with this folder, and let it open the socket"
	}
	return fmt.Errorf("%s cannot be asked: %w; %s", where, cause(err), advice)
}

// cause is the last try's of an error of connecting, which has a line for each: with TLS, and without.
func cause(err error) error {
	var failed *pgconn.ConnectError
	if !errors.As(err, &failed) {
		return err
	}
	err = failed.Unwrap()
	if tries, isSeveral := err.(interface{ Unwrap() []error }); isSeveral {
		all := tries.Unwrap()
		return all[len(all)-1]
	}
	return err
}
