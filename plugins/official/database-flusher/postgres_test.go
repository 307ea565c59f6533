package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is a real server that says of a commit that it is done before it is on disk.
type postgres struct {
	t       *testing.T
	folder  string
	port    int
	options []string
	process *stand.Server
	as      *syscall.SysProcAttr
}

func startPostgreSQL(t *testing.T, options ...string) *postgres {
	t.Helper()
	folder, err := os.MkdirTemp("", "snooze-flusher-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	server := &postgres{t: t, folder: folder, port: stand.Port(t), options: options}
	if os.Geteuid() == 0 {
		server.turnTo("postgres")
	}
	postgresTemplate.copy(t, server.data(), func(folder string) {
		server.own(filepath.Dir(folder))
		command := server.program("initdb", "--pgdata="+folder, "--username=owner", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8")
		command.SysProcAttr = server.as
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("initdb: %s\n%s", err, output)
		}
	})
	server.run()
	server.ask("CREATE ROLE flusher LOGIN")
	server.ask("CREATE TABLE jobs (id int PRIMARY KEY)")
	// Whoever fills a page of the log wakes who writes it: what a test adds to it is less than that, from here on.
	server.ask("CHECKPOINT")
	return server
}

// turnTo lets it run as somebody else: it refuses to be the superuser.
func (server *postgres) turnTo(name string) {
	server.t.Helper()
	other, err := user.Lookup(name)
	if err != nil {
		server.t.Fatalf("%s: install PostgreSQL (Debian: apt-get install postgresql)", err)
	}
	id, _ := strconv.ParseUint(other.Uid, 10, 32)
	group, _ := strconv.ParseUint(other.Gid, 10, 32)
	server.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(group)}}
	server.own(server.folder)
}

// own gives a file or folder to whom it runs as.
func (server *postgres) own(path string) {
	server.t.Helper()
	if server.as == nil {
		return
	}
	if err := os.Chown(path, int(server.as.Credential.Uid), int(server.as.Credential.Gid)); err != nil {
		server.t.Fatal(err)
	}
}

func (server *postgres) data() string { return filepath.Join(server.folder, "data") }

// program is one of PostgreSQL's, which Debian has outside of everybody's search path.
func (server *postgres) program(name string, arguments ...string) *exec.Cmd {
	server.t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		found = []string{stand.Program(server.t, name, "postgresql")}
	}
	command := exec.Command(found[len(found)-1], arguments...)
	command.Dir = "/"
	return command
}

func (server *postgres) run() {
	server.t.Helper()
	settings := append([]string{fmt.Sprintf("port=%d", server.port), "listen_addresses=127.0.0.1", "unix_socket_directories=",
		"synchronous_commit=off", "wal_writer_delay=10s", "wal_writer_flush_after=1GB", "autovacuum=off", "full_page_writes=off"}, server.options...)
	arguments := []string{"-D", server.data()}
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	command := server.program("postgres", arguments...)
	if server.as != nil {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: server.as.Credential}
	}
	server.process = stand.Serve(server.t, command)
	stand.WaitUntil(server.t, "PostgreSQL is ready", func() bool {
		if server.process.Ended() {
			server.t.Fatalf("PostgreSQL ended:\n%s", server.process.Log())
		}
		return strings.Contains(server.process.Log(), "ready to accept connections")
	})
}

func (server *postgres) url(role string) string {
	return fmt.Sprintf("postgresql://%s@127.0.0.1:%d/postgres?sslmode=disable", role, server.port)
}

// ask asks as the superuser, and hands back the first column.
func (server *postgres) ask(statement string) (answers []string) {
	server.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stand.Limit)
	defer cancel()
	connection, err := pgconn.Connect(ctx, server.url("owner"))
	if err != nil {
		server.t.Fatal(err)
	}
	defer connection.Close(ctx)
	results, err := connection.Exec(ctx, statement).ReadAll()
	if err != nil {
		server.t.Fatalf("%s: %s", statement, err)
	}
	for _, row := range results[0].Rows {
		answers = append(answers, string(row[0]))
	}
	return answers
}

// breakDown kills all of its processes, as a machine that goes away would, and starts it again on what is on disk.
func (server *postgres) breakDown() {
	server.t.Helper()
	var all []int
	for _, text := range server.ask("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()") {
		id, err := strconv.Atoi(text)
		if err != nil {
			server.t.Fatal(err)
		}
		all = append(all, id)
	}
	server.process.End()
	for _, id := range all {
		// The others end by themselves when the first one is gone; one that has needs no signal.
		_ = syscall.Kill(id, syscall.SIGKILL)
	}
	for _, id := range all {
		stand.WaitUntil(server.t, "it is gone", func() bool { return stand.Dead(id) })
	}
	server.run()
}

func (server *postgres) config(more map[string]any) map[string]any {
	config := map[string]any{"db_type": "postgresql", "connection_string": server.url("flusher")}
	for key, value := range more {
		config[key] = value
	}
	return config
}

func TestRowsThatPostgreSQLCommittedBeforeOutliveAKill(t *testing.T) {
	server := startPostgreSQL(t)
	plugin := stand.Start(t, server.config(logsAlone))
	server.ask("INSERT INTO jobs VALUES (7)")
	outcome := plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	// Asking who is there writes nothing.
	server.breakDown()
	if rows := server.ask("SELECT id FROM jobs"); len(rows) != 1 || rows[0] != "7" {
		t.Fatalf("%v is left after %s", rows, outcome)
	}
	if said := fmt.Sprint(outcome.Details["done"]); said != "[write-ahead log]" {
		t.Fatal(outcome)
	}
}

func TestACheckpointOfPostgreSQLCoversWhatWasWrittenBefore(t *testing.T) {
	server := startPostgreSQL(t)
	server.ask("GRANT pg_checkpoint TO flusher")
	plugin := stand.Start(t, server.config(nil))
	server.ask("INSERT INTO jobs SELECT generate_series(1, 10000)")
	before := server.ask("SELECT pg_current_wal_insert_lsn()")[0]
	outcome := plugin.Succeeds("snooze.pending", 30*time.Second)
	if said := server.ask("SELECT redo_lsn >= '" + before + "'::pg_lsn FROM pg_control_checkpoint()"); said[0] != "t" {
		t.Errorf("the next start would repeat what was before %s: %s", before, outcome)
	}
	server.breakDown()
	if rows := server.ask("SELECT count(*) FROM jobs"); rows[0] != "10000" {
		t.Fatalf("%v rows are left after %s", rows, outcome)
	}
}

func TestWithoutItsRightPostgreSQLHasItsLogOnDiskAndWhatToGrantIsSaid(t *testing.T) {
	server := startPostgreSQL(t)
	plugin := stand.Start(t, server.config(nil))
	server.ask("INSERT INTO jobs VALUES (7)")
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "GRANT pg_checkpoint", "loses nothing", "on disk: write-ahead log")
	server.breakDown()
	if rows := server.ask("SELECT id FROM jobs"); len(rows) != 1 {
		t.Fatal(rows)
	}
}

func TestAPostgreSQLThatNeverSyncsIsNoSuccess(t *testing.T) {
	server := startPostgreSQL(t, "fsync=off")
	stand.Start(t, server.config(logsAlone)).Fails("cloud.spot.interrupt", 30*time.Second, "fsync = off", "nothing was brought to disk")
}

func TestAPostgreSQLThatHangsRefusesOrIsGoneFailsInTime(t *testing.T) {
	server := startPostgreSQL(t)
	plugin := stand.Start(t, server.config(nil))
	server.process.Freeze()
	plugin.Fails("cloud.spot.interrupt", time.Second, "in time", "nothing was brought to disk")
	server.process.Thaw()
	plugin.Configure(server.config(map[string]any{"connection_string": strings.Replace(server.url("nobody"), "@", ":hush@", 1)}))
	outcome := plugin.Fails("cloud.spot.interrupt", 30*time.Second, "nobody")
	if strings.Contains(outcome.String()+plugin.Log(), "hush") {
		t.Fatal(outcome, plugin.Log())
	}
	server.process.End()
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, fmt.Sprintf("127.0.0.1:%d", server.port))
}

func TestAPostgreSQLIsHeldToItsAuthority(t *testing.T) {
	own, others := stand.Certify(t), stand.Certify(t)
	server := startPostgreSQL(t)
	// It takes no key that others may read, and has to read it itself.
	for name, path := range map[string]string{"server.crt": own.Certificate, "server.key": own.Key} {
		stand.Run(t, "install", "-m", "600", path, filepath.Join(server.data(), name))
		server.own(filepath.Join(server.data(), name))
	}
	server.options = append(server.options, "ssl=on")
	server.breakDown()
	// Whatever its address says of TLS.
	plugin := stand.Start(t, server.config(map[string]any{"ca_file": own.Authority, "write_pages": false}))
	plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	plugin.Configure(server.config(map[string]any{"ca_file": others.Authority, "write_pages": false}))
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "certificate", "ca_file")
}
