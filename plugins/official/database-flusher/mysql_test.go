package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
	_ "github.com/go-sql-driver/mysql"
)

// mariadb is a real server that writes nothing to disk by itself: not its redo log when something is committed, not the
// keys of tables without a log, and no changed pages.
type mariadb struct {
	t       *testing.T
	folder  string
	port    int
	options []string
	process *stand.Server
	// As the superuser, over the socket.
	root *sql.DB
}

func startMariaDB(t *testing.T, options ...string) *mariadb {
	t.Helper()
	// Sockets have short names.
	folder, err := os.MkdirTemp("", "snooze-flusher-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	server := &mariadb{t: t, folder: folder, port: stand.Port(t), options: options}
	mariadbTemplate.copy(t, server.data(), func(folder string) {
		stand.Run(t, stand.Program(t, "mariadb-install-db", "mariadb-server-core"), server.arguments("--datadir="+folder,
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--innodb-fast-shutdown=2")...)
	})
	server.root, err = sql.Open("mysql", "root@unix("+folder+"/s)/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.root.Close() })
	server.run()
	server.execute("CREATE USER flusher@'%' IDENTIFIED BY 'p@ss/word:)'")
	server.execute("GRANT RELOAD, SUPER ON *.* TO flusher@'%'")
	server.execute("CREATE DATABASE work")
	return server
}

func (server *mariadb) data() string { return filepath.Join(server.folder, "data") }

func (server *mariadb) arguments(more ...string) []string {
	me, err := user.Current()
	if err != nil {
		server.t.Fatal(err)
	}
	return append([]string{"--no-defaults", "--user=" + me.Username, "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M",
		"--innodb-data-file-path=ibdata1:12M:autoextend", "--innodb-flush-log-at-trx-commit=0"}, more...)
}

func (server *mariadb) run() {
	server.t.Helper()
	arguments := server.arguments("--datadir="+server.data(), "--socket="+server.folder+"/s", fmt.Sprintf("--port=%d", server.port),
		"--bind-address=127.0.0.1", "--skip-name-resolve", "--pid-file="+server.folder+"/pid", "--tmpdir="+server.folder,
		"--innodb-flush-log-at-timeout=2700", "--delay-key-write=ALL", "--myisam-recover-options=OFF",
		"--innodb-max-dirty-pages-pct=75", "--innodb-max-dirty-pages-pct-lwm=70")
	server.process = stand.Serve(server.t, exec.Command(stand.Program(server.t, "mariadbd", "mariadb-server-core"),
		append(arguments, server.options...)...))
	stand.WaitUntil(server.t, "MariaDB answers", func() bool {
		if server.process.Ended() {
			server.t.Fatalf("MariaDB ended:\n%s", server.process.Log())
		}
		return server.root.Ping() == nil
	})
}

// breakDown kills it, as a machine that goes away would, and starts it again on what is on disk.
func (server *mariadb) breakDown() {
	server.t.Helper()
	server.process.End()
	server.run()
}

func (server *mariadb) execute(statement string) {
	server.t.Helper()
	if _, err := server.root.Exec(statement); err != nil {
		server.t.Fatalf("%s: %s", statement, err)
	}
}

func (server *mariadb) ask(question string) (answer string) {
	server.t.Helper()
	if err := server.root.QueryRow(question).Scan(&answer); err != nil {
		server.t.Fatalf("%s: %s", question, err)
	}
	return answer
}

func (server *mariadb) config(more map[string]any) map[string]any {
	config := map[string]any{"db_type": "mysql",
		"connection_string": fmt.Sprintf("flusher:p@ss/word:)@tcp(127.0.0.1:%d)/nobody-may-use-it", server.port)}
	for key, value := range more {
		config[key] = value
	}
	return config
}

// isSetBack checks that it is configured as it was.
func (server *mariadb) isSetBack() {
	server.t.Helper()
	const settings = "SELECT CONCAT_WS(' ', @@GLOBAL.innodb_max_dirty_pages_pct, @@GLOBAL.innodb_max_dirty_pages_pct_lwm, @@GLOBAL.innodb_flush_log_at_trx_commit)"
	if set := server.ask(settings); set != "75.000000 70.000000 0" {
		server.t.Errorf("it is left with %s", set)
	}
}

var logsAlone = map[string]any{"write_pages": false}

// status is a number that the server tells of itself.
const status = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '%s'"

func number(t *testing.T, text string) uint64 {
	t.Helper()
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestRowsThatMySQLCommittedBeforeOutliveAKill(t *testing.T) {
	server := startMariaDB(t, "--log-bin=binlog", "--sync-binlog=0")
	plugin := stand.Start(t, server.config(logsAlone))
	server.execute("CREATE TABLE work.jobs (id INT PRIMARY KEY) ENGINE=InnoDB")
	for id := range 10 {
		server.execute(fmt.Sprintf("INSERT INTO work.jobs VALUES (%d)", id))
	}
	outcome := plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	server.breakDown()
	if count := server.ask("SELECT COUNT(*) FROM work.jobs"); count != "10" {
		t.Fatalf("%s rows are left after %s", count, outcome)
	}
	if said := fmt.Sprint(outcome.Details["done"]); said != "[redo log binary log tables]" {
		t.Fatal(outcome)
	}
}

func TestTablesOfMySQLWithoutALogAreClosedWhole(t *testing.T) {
	server := startMariaDB(t)
	plugin := stand.Start(t, server.config(logsAlone))
	server.execute("CREATE TABLE work.words (word VARCHAR(64), KEY (word)) ENGINE=MyISAM")
	for word := range 3 {
		server.execute(fmt.Sprintf("INSERT INTO work.words VALUES ('%d')", word))
	}
	plugin.Succeeds("snooze.pending", 30*time.Second)
	server.breakDown()
	rows, err := server.root.Query("CHECK TABLE work.words")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, check, kind, text string
		if err := rows.Scan(&table, &check, &kind, &text); err != nil {
			t.Fatal(err)
		}
		if kind != "status" || text != "OK" {
			t.Errorf("after the kill: %s %s", kind, text)
		}
	}
}

func TestChangedPagesOfMySQLAreWrittenAndItIsSetBack(t *testing.T) {
	server := startMariaDB(t)
	plugin := stand.Start(t, server.config(nil))
	server.execute("CREATE TABLE work.jobs (id INT PRIMARY KEY, text VARCHAR(200)) ENGINE=InnoDB")
	server.execute("INSERT INTO work.jobs SELECT SEQ, REPEAT('x', 200) FROM work.seq_1_to_10000")
	before := number(t, server.ask(fmt.Sprintf(status, "INNODB_LSN_CURRENT")))
	outcome := plugin.Succeeds("cloud.spot.interrupt", 10*time.Second)
	// From where the next start repeats the log.
	if after := number(t, server.ask(fmt.Sprintf(status, "INNODB_LSN_LAST_CHECKPOINT"))); after < before {
		t.Errorf("it would start from %d, and was at %d: %s", after, before, outcome)
	}
	server.isSetBack()
	server.breakDown()
	if count := server.ask("SELECT COUNT(*) FROM work.jobs"); count != "10000" {
		t.Fatalf("%s rows are left after %s", count, outcome)
	}
}

func TestPagesThatAreNotWrittenInTimeAreToldOfAndNothingIsLost(t *testing.T) {
	// It writes a hundred pages a second.
	server := startMariaDB(t, "--innodb-io-capacity=100", "--innodb-io-capacity-max=100", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=96M")
	plugin := stand.Start(t, server.config(nil))
	server.execute("CREATE TABLE work.jobs (id INT PRIMARY KEY, text VARCHAR(200)) ENGINE=InnoDB")
	server.execute("INSERT INTO work.jobs SELECT SEQ, REPEAT('x', 200) FROM work.seq_1_to_100000")
	isSet, done := make(chan bool, 1), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				isSet <- false
				return
			default:
				var most float64
				if server.root.QueryRow("SELECT @@GLOBAL.innodb_max_dirty_pages_pct").Scan(&most) == nil && most == 0 {
					isSet <- true
					return
				}
			}
		}
	}()
	outcome := plugin.Fails("cloud.spot.interrupt", 2*time.Second, "pages", "in time", "on disk: redo log, tables")
	close(done)
	if !<-isSet {
		t.Error("it was never told to keep no changed page")
	}
	if left, isNumber := outcome.Details["dirty_pages"].(float64); !isNumber || left == 0 {
		t.Error(outcome)
	}
	server.isSetBack()
	server.breakDown()
	if count := server.ask("SELECT COUNT(*) FROM work.jobs"); count != "100000" {
		t.Fatalf("%s rows are left after %s", count, outcome)
	}
}

func TestWithoutItsPrivilegesMySQLIsNotFlushedAndWhatToGrantIsSaid(t *testing.T) {
	server := startMariaDB(t)
	plugin := stand.Start(t, server.config(logsAlone))
	server.execute("REVOKE SUPER ON *.* FROM flusher@'%'")
	server.execute("CREATE TABLE work.jobs (id INT PRIMARY KEY) ENGINE=InnoDB")
	server.execute("INSERT INTO work.jobs VALUES (0)")
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "committed last is not on disk", "SUPER", "nothing was brought to disk")
	// One that flushes at each commit needs less.
	server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	plugin.Configure(server.config(nil))
	server.execute("INSERT INTO work.jobs VALUES (1)")
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "SUPER", "pages", "on disk: redo log, tables")
	server.execute("REVOKE RELOAD ON *.* FROM flusher@'%'")
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "GRANT RELOAD", "nothing was brought to disk")
}

func TestAMySQLThatHangsOrIsGoneFailsInTime(t *testing.T) {
	server := startMariaDB(t)
	plugin := stand.Start(t, server.config(nil))
	server.process.Freeze()
	plugin.Fails("cloud.spot.interrupt", time.Second, "in time", "nothing was brought to disk")
	server.process.Thaw()
	server.process.End()
	plugin.Fails("cloud.spot.interrupt", time.Second, fmt.Sprintf("127.0.0.1:%d", server.port), "nothing was brought to disk")
}

func TestAWrongPasswordOfMySQLIsNotShown(t *testing.T) {
	server := startMariaDB(t)
	config := server.config(map[string]any{"connection_string": fmt.Sprintf("flusher:hush@tcp(127.0.0.1:%d)/", server.port)})
	plugin := stand.Start(t, config)
	outcome := plugin.Fails("cloud.spot.interrupt", 30*time.Second, "check user and password")
	if strings.Contains(outcome.String()+plugin.Log(), "hush") {
		t.Fatal(outcome, plugin.Log())
	}
}
