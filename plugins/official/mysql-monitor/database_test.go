package main

// A real MariaDB for each test, on a free port and in a folder of its own. The tables of the system are made once and
// copied.

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"testing"

	"cloudsnooze.local/official/internal/stand"
	"github.com/go-sql-driver/mysql"
)

// Of the users that the tests make.
const password = "p@ss/word:)"

type database struct {
	t       *testing.T
	folder  string
	port    int
	options []string
	process *stand.Server
	// As the superuser, over the socket.
	root *sql.DB
}

var (
	prepare  sync.Once
	template string
	failure  error
)

// forget removes what the tests share.
func forget() {
	if template != "" {
		_ = os.RemoveAll(template)
	}
}

// Small, and without waiting for the disk: the machine may break, the test's data with it.
var small = []string{
	"--no-defaults", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0",
	"--innodb-data-file-path=ibdata1:12M:autoextend", "--innodb-fast-shutdown=2",
}

func start(t *testing.T, options ...string) *database {
	t.Helper()
	stand.Program(t, "mariadbd", "mariadb-server-core")
	prepare.Do(func() {
		if template, failure = os.MkdirTemp("", "snooze-mysql-"); failure != nil {
			return
		}
		arguments := append(append([]string{}, small...), "--datadir="+template, "--auth-root-authentication-method=normal",
			"--skip-test-db", "--skip-name-resolve", "--user="+me(t))
		output, err := exec.Command(stand.Program(t, "mariadb-install-db", "mariadb-server-core"), arguments...).CombinedOutput()
		if err != nil {
			failure = fmt.Errorf("mariadb-install-db: %w\n%s", err, output)
		}
	})
	if failure != nil {
		t.Fatal(failure)
	}
	// Sockets have short names.
	folder, err := os.MkdirTemp("", "snooze-mysql-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	stand.Run(t, "cp", "-a", template+"/.", filepath.Join(folder, "data"))
	server := &database{t: t, folder: folder, port: stand.Port(t), options: options}
	server.root, err = sql.Open("mysql", "root@unix("+server.socket()+")/mysql")
	if err != nil {
		t.Fatal(err)
	}
	server.root.SetMaxIdleConns(0)
	t.Cleanup(func() { server.root.Close() })
	server.run()
	server.execute("CREATE USER monitor@'%' IDENTIFIED BY '" + password + "'")
	server.execute("GRANT PROCESS ON *.* TO monitor@'%'")
	server.execute("CREATE USER client@'%' IDENTIFIED BY '" + password + "'")
	return server
}

func me(t *testing.T) string {
	t.Helper()
	current, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return current.Username
}

// run starts it and waits until it answers.
func (server *database) run() {
	server.t.Helper()
	arguments := append(append([]string{}, small...), "--user="+me(server.t), "--datadir="+filepath.Join(server.folder, "data"),
		"--socket="+server.socket(), fmt.Sprintf("--port=%d", server.port), "--bind-address=127.0.0.1", "--skip-name-resolve",
		"--pid-file="+filepath.Join(server.folder, "pid"), "--tmpdir="+server.folder)
	server.process = stand.Serve(server.t, exec.Command(stand.Program(server.t, "mariadbd", "mariadb-server-core"),
		append(arguments, server.options...)...))
	stand.WaitUntil(server.t, "MariaDB answers", func() bool {
		if server.process.Ended() {
			server.t.Fatalf("MariaDB ended:\n%s", server.process.Log())
		}
		return server.root.Ping() == nil
	})
}

func (server *database) stop() { server.process.End() }

func (server *database) socket() string { return filepath.Join(server.folder, "s") }

func (server *database) address() string { return fmt.Sprintf("127.0.0.1:%d", server.port) }

func (server *database) dsn(user, password string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/", user, password, server.address())
}

// monitor is the dsn of the user that has PROCESS and nothing else.
func (server *database) monitor() string { return server.dsn("monitor", password) }

func (server *database) execute(statement string) {
	server.t.Helper()
	if _, err := server.root.Exec(statement); err != nil {
		server.t.Fatalf("%s: %s", statement, err)
	}
}

func (server *database) number(query string) (number int64) {
	server.t.Helper()
	if err := server.root.QueryRow(query).Scan(&number); err != nil {
		server.t.Fatalf("%s: %s", query, err)
	}
	return number
}

// connect is one more client that does nothing.
func (server *database) connect() *sql.DB {
	server.t.Helper()
	return server.connectAs("client", password)
}

func (server *database) connectAs(user, password string) *sql.DB {
	server.t.Helper()
	config, err := mysql.ParseDSN(server.dsn(user, password))
	if err != nil {
		server.t.Fatal(err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		server.t.Fatal(err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(1)
	server.t.Cleanup(func() { pool.Close() })
	if err := pool.Ping(); err != nil {
		server.t.Fatal(err)
	}
	return pool
}

// sleep is a client that works until the test ends.
func (server *database) sleep() {
	pool := server.connect()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := pool.ExecContext(ctx, "DO SLEEP(600)")
		done <- err
	}()
	server.t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			server.t.Errorf("the client that works: %v", err)
		}
	})
}

// follow makes it a replica of another one, and waits until both have their threads.
func (server *database) follow(primary *database) {
	server.t.Helper()
	primary.execute("CREATE USER replica@'%' IDENTIFIED BY 'x'")
	primary.execute("GRANT REPLICATION SLAVE ON *.* TO replica@'%'")
	server.execute(fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='replica', "+
		"MASTER_PASSWORD='x', MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=4", primary.port))
	server.execute("START SLAVE")
	stand.WaitUntil(server.t, "the primary serves its replica", func() bool {
		return primary.number("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'") == 1
	})
}
