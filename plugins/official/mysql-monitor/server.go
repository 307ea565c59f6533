package main

// One server: its name, the one connection that is held to it, and what its threads do. No error of it shows a
// password or a part of the dsn that could be one.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"cloudsnooze.local/official/internal/bounded"
	"github.com/go-sql-driver/mysql"
)

type server struct {
	dsn  string
	name string
	pool *sql.DB
	read *bounded.Budget
}

// threads are those of a server, without the one that asked.
type threads struct {
	// Clients that run something, and those that hold a connection and run nothing.
	working, sleeping int64
	// Replicas that read from this server, and the threads by which it is a replica itself.
	replication int64
	// The server's own.
	system int64
}

// Whoever lacks PROCESS sees his own threads only, without being told: a busy server would look like an idle one. The
// table INNODB_CMP is small, has nothing to do with the question, and is refused to whoever lacks PROCESS, by whatever
// grants and roles he has it or not. Client threads cannot be of the command Daemon. A client may be called `system
// user`, but it comes from somewhere.
const question = `SELECT CASE
  WHEN ID = CONNECTION_ID() THEN 'own'
  WHEN COMMAND IN ('Binlog Dump', 'Binlog Dump GTID', 'Slave_IO', 'Slave_SQL', 'Slave_worker') THEN 'replication'
  WHEN COMMAND = 'Daemon' THEN 'system'
  WHEN USER = 'system user' AND (HOST IS NULL OR HOST IN ('', 'connecting host')) THEN 'system'
  WHEN COMMAND = 'Sleep' THEN 'sleeping'
  ELSE 'working' END AS kind, COUNT(*), (SELECT COUNT(*) FROM information_schema.INNODB_CMP)
FROM information_schema.PROCESSLIST GROUP BY kind`

// parse reads a dsn, and says what is wrong with one without repeating any of it. With authorities the server is reached
// by TLS and no other way.
func parse(dsn string, authorities *x509.CertPool) (*mysql.Config, error) {
	const form = "is not of the form user:password@tcp(host:port)/database or user:password@unix(/path)/database"
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		// These are constant; other ones hold pieces of it, and where it is written wrong any piece may be the password.
		if cause, isConstant := strings.CutPrefix(err.Error(), "invalid DSN: "); isConstant {
			return nil, fmt.Errorf("%s: %s", form, cause)
		}
		return nil, errors.New(form)
	}
	if config.Net != "tcp" && config.Net != "unix" {
		return nil, errors.New(form)
	}
	if authorities != nil {
		host, _, err := net.SplitHostPort(config.Addr)
		if config.Net != "tcp" || err != nil {
			return nil, errors.New("names a Unix socket, which ca_file is of no use for")
		}
		config.TLS = &tls.Config{RootCAs: authorities, ServerName: host, MinVersion: tls.VersionTLS12}
		config.AllowFallbackToPlaintext = false
	}
	// The question needs no database, and whoever may ask it may have rights on none.
	config.DBName = ""
	// The question's own limit holds for all of it, and says what it is. Nothing is ever loaded from this machine's files.
	config.Timeout, config.ReadTimeout, config.WriteTimeout = 0, 0, 0
	config.AllowAllFiles = false
	// Every failure is answered; the driver's own log would say it twice.
	config.Logger = &mysql.NopLogger{}
	return config, nil
}

// open makes a server of a dsn; it does not connect yet.
func open(dsn string, authorities *x509.CertPool) (*server, error) {
	config, err := parse(dsn, authorities)
	if err != nil {
		return nil, err
	}
	read := &bounded.Budget{}
	config.DialFunc = read.Within((&net.Dialer{}).DialContext)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, errors.New("names settings that the driver does not take")
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(1)
	pool.SetMaxIdleConns(1)
	return &server{dsn: dsn, name: fmt.Sprintf("%s(%s)", config.Net, config.Addr), pool: pool, read: read}, nil
}

func (server *server) close() {
	// It is left, and nothing that it could say would change anything.
	_ = server.pool.Close()
}

// threads asks what there is.
func (server *server) threads(ctx context.Context) (threads, error) {
	var seen threads
	server.read.Renew()
	rows, err := server.pool.QueryContext(ctx, question)
	if err != nil {
		return seen, server.explain(err)
	}
	defer rows.Close()
	own := false
	for rows.Next() {
		var kind string
		var count, unused int64
		if err := rows.Scan(&kind, &count, &unused); err != nil {
			return seen, server.explain(err)
		}
		switch kind {
		case "own":
			own = true
		case "replication":
			seen.replication = count
		case "system":
			seen.system = count
		case "sleeping":
			seen.sleeping = count
		case "working":
			seen.working = count
		}
	}
	if err := rows.Err(); err != nil {
		return seen, server.explain(err)
	}
	if !own {
		return seen, fmt.Errorf("MySQL at %s does not list the connection that asks: what it lists is not whole", server.name)
	}
	return seen, nil
}

// Codes of the server, as its manual lists them.
const (
	tooManyConnections = 1040
	accessDenied       = 1045
	lacksPrivilege     = 1227
)

func (server *server) explain(err error) error {
	var refused *mysql.MySQLError
	advice := "is it running, and is dsn right?"
	switch {
	case errors.As(err, &refused):
		switch refused.Number {
		case tooManyConnections:
			advice = "it has no connection left to ask it by"
		case accessDenied:
			advice = "check user and password in dsn"
		case lacksPrivilege:
			advice = "GRANT PROCESS ON *.* to this user: without it other users' connections are not seen"
		default:
			advice = "it refuses the question"
		}
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("MySQL at %s did not answer within %s: it hangs or is not reached", server.name, questionLimit)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		advice = "its certificate is not one of the authorities that are trusted: name its own in ca_file"
	case errors.Is(err, mysql.ErrNoTLS):
		advice = "it has no TLS, which dsn or ca_file asks for"
	case errors.As(err, &bounded.TooMuchError{}):
		advice = "is it MySQL that listens there?"
	case errors.Is(err, fs.ErrPermission):
		advice = "grant the plugin `tcp` with this port, or `unix` with this path, and let it open the socket"
	}
	return fmt.Errorf("MySQL at %s cannot be asked: %w; %s", server.name, err, advice)
}
