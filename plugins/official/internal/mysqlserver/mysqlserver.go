// Package mysqlserver connects to one MySQL or MariaDB server by its dsn. It never shows a password, or a part of a dsn
// that could be one, never loads a file of this machine, and says nothing to the server by itself.
package mysqlserver

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

// Codes of the server, as its manual lists them.
const (
	tooManyConnections = 1040
	accessDenied       = 1045
	lacksPrivilege     = 1227
)

// Server is one that connects when it is asked something.
type Server struct {
	// DSN is what it was opened with.
	DSN string
	// Name is where it is, for people.
	Name string
	// Pool is its connections.
	Pool *sql.DB
	// Read is what it may still answer.
	Read *bounded.Budget
}

// Words are those of an error that only the plugin knows.
type Words struct {
	// Field is the one of the configuration that names the server.
	Field string
	// Grant is what to do where a privilege lacks.
	Grant string
}

// Parse reads a dsn, and says what is wrong with one without repeating any of it. With authorities the server is reached
// by TLS and no other way.
func Parse(dsn string, authorities *x509.CertPool) (*mysql.Config, error) {
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
	// No question here needs a database, and whoever may ask it may have rights on none.
	config.DBName = ""
	// The question's own limit holds for all of it, and says what it is. Nothing is ever loaded from this machine's files.
	config.Timeout, config.ReadTimeout, config.WriteTimeout = 0, 0, 0
	config.AllowAllFiles = false
	// Every failure is answered; the driver's own log would say it twice.
	config.Logger = &mysql.NopLogger{}
	return config, nil
}

// Open makes a server of a dsn; it does not connect yet.
func Open(dsn string, authorities *x509.CertPool) (*Server, error) {
	config, err := Parse(dsn, authorities)
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
	return &Server{DSN: dsn, Name: fmt.Sprintf("%s(%s)", config.Net, config.Addr), Pool: pool, Read: read}, nil
}

// Close leaves the server.
func (server *Server) Close() {
	// It is left, and nothing that it could say would change anything.
	_ = server.Pool.Close()
}

// Explain says what failed, where, and what to do.
func (server *Server) Explain(err error, words Words) error {
	var refused *mysql.MySQLError
	advice := "is it running, and is " + words.Field + " right?"
	switch {
	case errors.As(err, &refused):
		switch refused.Number {
		case tooManyConnections:
			advice = "it has no connection left to ask it by"
		case accessDenied:
			advice = "check user and password in " + words.Field
		case lacksPrivilege:
			advice = words.Grant
		default:
			advice = "it refuses the question"
		}
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("MySQL at %s did not answer in time: %w", server.Name, err)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		advice = "its certificate is not one of the authorities that are trusted: name its own in ca_file"
	case errors.Is(err, mysql.ErrNoTLS):
		advice = "it has no TLS, which " + words.Field + " or ca_file asks for"
	case errors.As(err, &bounded.TooMuchError{}):
		advice = "is it MySQL that listens there?"
	case errors.Is(err, fs.ErrPermission):
		advice = "grant the plugin `tcp` with this port, or `unix` with this path, and let it open the socket"
	}
	return fmt.Errorf("MySQL at %s cannot be asked: %w; %s", server.Name, err, advice)
}
