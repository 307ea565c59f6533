package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
	"github.com/redis/go-redis/v9"
)

// redisStand is a real Redis that saves nothing by itself.
type redisStand struct {
	t       *testing.T
	folder  string
	port    int
	options []string
	process *stand.Server
	client  *redis.Client
}

func startRedis(t *testing.T, options ...string) *redisStand {
	t.Helper()
	server := &redisStand{t: t, folder: t.TempDir(), port: stand.Port(t), options: options}
	server.client = redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", server.port), Password: "boss"})
	t.Cleanup(func() { server.client.Close() })
	server.run()
	return server
}

func (server *redisStand) run() {
	server.t.Helper()
	// The user who asks has the rights that the README names and no others.
	arguments := append([]string{"--port", fmt.Sprint(server.port), "--bind", "127.0.0.1", "--dir", server.folder, "--save", "",
		"--requirepass", "boss", "--enable-debug-command", "local",
		"--user", "flusher", "on", ">p@ss/word", "+info", "+bgsave", "+bgrewriteaof"}, server.options...)
	server.process = stand.Serve(server.t, exec.Command(stand.Program(server.t, "redis-server", "redis-server"), arguments...))
	stand.WaitUntil(server.t, "Redis answers", func() bool {
		if server.process.Ended() {
			server.t.Fatalf("Redis ended:\n%s", server.process.Log())
		}
		return server.client.Ping(context.Background()).Err() == nil
	})
}

func (server *redisStand) do(arguments ...any) any {
	server.t.Helper()
	answer, err := server.client.Do(context.Background(), arguments...).Result()
	if err != nil {
		server.t.Fatalf("%v: %s", arguments, err)
	}
	return answer
}

func (server *redisStand) url() string {
	return fmt.Sprintf("redis://flusher:p%%40ss%%2Fword@127.0.0.1:%d/0", server.port)
}

func (server *redisStand) config() map[string]any {
	return map[string]any{"db_type": "redis", "connection_string": server.url()}
}

func TestKeysOfRedisOutliveAKill(t *testing.T) {
	server := startRedis(t)
	plugin := stand.Start(t, server.config())
	server.do("SET", "job", "half done")
	outcome := plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	server.process.End()
	server.run()
	if said := server.do("GET", "job"); said != "half done" {
		t.Fatalf("%v is left after %s", said, outcome)
	}
}

func TestTheSameEventAgainDoesTheSameAgain(t *testing.T) {
	server := startRedis(t)
	plugin := stand.Start(t, server.config())
	for try := range 2 {
		server.do("SET", "try", try)
		plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	}
	server.process.End()
	server.run()
	if said := server.do("GET", "try"); said != "1" {
		t.Fatal(said)
	}
}

func TestAnAppendOnlyFileOfRedisIsOnDiskWhole(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "no")
	plugin := stand.Start(t, server.config())
	server.do("SET", "job", "half done")
	outcome := plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	server.process.End()
	// What is appended is on disk when the system likes: here, never. What was rewritten is.
	appended, err := filepath.Glob(filepath.Join(server.folder, "appendonlydir", "*.incr.aof"))
	if err != nil || len(appended) != 1 {
		t.Fatalf("%v %v", appended, err)
	}
	if err := os.Truncate(appended[0], 0); err != nil {
		t.Fatal(err)
	}
	server.run()
	if said := server.do("GET", "job"); said != "half done" {
		t.Fatalf("%v is left after %s", said, outcome)
	}
}

func TestASnapshotThatBeganBeforeIsNotTakenForOneOfNow(t *testing.T) {
	// A fifth of a second for each key.
	server := startRedis(t, "--rdb-key-save-delay", "200000")
	plugin := stand.Start(t, server.config())
	for key := range 5 {
		server.do("SET", fmt.Sprint(key), "x")
	}
	server.do("BGSAVE")
	server.do("SET", "job", "half done")
	outcome := plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	server.process.End()
	server.run()
	if said := server.do("GET", "job"); said != "half done" {
		t.Fatalf("%v is left after %s", said, outcome)
	}
}

func TestASnapshotThatIsNotThereInTimeIsNoSuccess(t *testing.T) {
	server := startRedis(t, "--rdb-key-save-delay", "30000000")
	plugin := stand.Start(t, server.config())
	server.do("SET", "job", "half done")
	plugin.Fails("cloud.spot.interrupt", time.Second, "not written yet", "in time", "nothing was brought to disk")
}

func TestASnapshotThatFailsIsNoSuccess(t *testing.T) {
	server := startRedis(t)
	plugin := stand.Start(t, server.config())
	server.do("SET", "job", "half done")
	if err := os.RemoveAll(server.folder); err != nil {
		t.Fatal(err)
	}
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "rdb_last_bgsave_status", "nothing was brought to disk")
}

func TestARedisThatHangsOrRefusesFailsInTime(t *testing.T) {
	server := startRedis(t)
	plugin := stand.Start(t, server.config())
	server.process.Freeze()
	plugin.Fails("cloud.spot.interrupt", time.Second, "in time")
	server.process.Thaw()
	config := server.config()
	config["connection_string"] = strings.Replace(server.url(), "word", "hush", 1)
	plugin.Configure(config)
	if outcome := plugin.Fails("cloud.spot.interrupt", 30*time.Second, "+bgsave"); strings.Contains(outcome.String()+plugin.Log(), "hush") {
		t.Fatal(outcome, plugin.Log())
	}
}
