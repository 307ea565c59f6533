package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, forget) }

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	manifest := stand.ManifestHolds(t)
	if manifest.Default(t, "connection_threshold") != float64(defaultThreshold) {
		t.Errorf("the manifest's default is %v", manifest.Default(t, "connection_threshold"))
	}
}

func TestItDoesNotCountItself(t *testing.T) {
	server := start(t)
	plugin := stand.Start(t, map[string]any{"dsn": server.monitor(), "connection_threshold": 1})
	for range 3 {
		if vote := plugin.Idle(); vote.Details["connections"] != 0.0 {
			t.Fatal(vote)
		}
	}
}

func TestTheDatabaseInTheDsnIsNotUsed(t *testing.T) {
	server := start(t)
	stand.Start(t, map[string]any{"dsn": server.monitor() + "nobody-may-use-it"}).Idle()
}

func TestIdleBelowTheThresholdAndBusyAtIt(t *testing.T) {
	server := start(t)
	plugin := stand.Start(t, map[string]any{"dsn": server.monitor()})
	for count := range defaultThreshold - 1 {
		server.connect()
		if vote := plugin.Idle(); vote.Details["connections"] != float64(count+1) {
			t.Fatal(vote)
		}
	}
	last := server.connect()
	vote := plugin.Busy()
	if vote.Details["connections"] != 5.0 || vote.Details["threshold"] != 5.0 || !strings.Contains(vote.Reason, "5") {
		t.Fatal(vote)
	}
	last.Close()
	stand.WaitUntil(t, "the one that left is counted no more", func() bool { return plugin.Check().Idle })
}

func TestWorkingAndSleepingClientsBothCount(t *testing.T) {
	server := start(t)
	plugin := stand.Start(t, map[string]any{"dsn": server.monitor(), "connection_threshold": 2})
	server.connect()
	server.sleep()
	stand.WaitUntil(t, "one works and one sleeps", func() bool {
		vote := plugin.Busy()
		return vote.Details["working"] == 1.0 && vote.Details["sleeping"] == 1.0
	})
}

func TestReplicationIsNotCounted(t *testing.T) {
	primary, replica := start(t, "--log-bin=binlog", "--server-id=1"), start(t, "--server-id=2")
	replica.follow(primary)
	for _, server := range []*database{primary, replica} {
		plugin := stand.Start(t, map[string]any{"dsn": server.monitor(), "connection_threshold": 1})
		stand.WaitUntil(t, "replication is seen and nothing else", func() bool {
			vote := plugin.Check()
			if !vote.Idle && vote.Unknown == "" && vote.Details["replication"].(float64) > 0 {
				t.Fatalf("it is counted: %s", vote)
			}
			return vote.Idle && vote.Details["replication"].(float64) > 0
		})
	}
}

func TestTheEventSchedulerIsNotCountedAndItsEventsAre(t *testing.T) {
	server := start(t, "--event-scheduler=ON")
	plugin := stand.Start(t, map[string]any{"dsn": server.monitor(), "connection_threshold": 1})
	if vote := plugin.Idle(); vote.Details["system"] == 0.0 {
		t.Fatalf("the scheduler is not seen: %s", vote)
	}
	server.execute("CREATE EVENT mysql.nightly ON SCHEDULE EVERY 1 DAY DO DO SLEEP(600)")
	stand.WaitUntil(t, "the event counts", func() bool { vote := plugin.Check(); return !vote.Idle && vote.Unknown == "" })
}

func TestAClientCalledAsTheSystemCounts(t *testing.T) {
	server := start(t)
	server.execute("CREATE USER 'system user'@'%' IDENTIFIED BY 'x'")
	plugin := stand.Start(t, map[string]any{"dsn": server.monitor(), "connection_threshold": 1})
	server.connectAs("system user", "x")
	plugin.Busy()
}

func TestWithoutPROCESSTheVoteIsUnknown(t *testing.T) {
	server := start(t)
	server.execute("CREATE USER plain@'%' IDENTIFIED BY 'x'")
	server.connect()
	plugin := stand.Start(t, map[string]any{"dsn": server.dsn("plain", "x"), "connection_threshold": 1})
	plugin.Unknown("GRANT PROCESS", server.address())
	server.execute("GRANT PROCESS ON *.* TO plain@'%'")
	plugin.Configure(map[string]any{"dsn": server.dsn("plain", "x") + "?charset=utf8mb4", "connection_threshold": 1})
	plugin.Busy()
}

func TestAWrongPasswordIsUnknownAndNotShown(t *testing.T) {
	server := start(t)
	plugin := stand.Start(t, map[string]any{"dsn": server.dsn("monitor", "hush-hush")})
	said := plugin.Unknown("password", server.address())
	if strings.Contains(said, "hush") || strings.Contains(plugin.Log(), "hush") {
		t.Fatalf("it is shown: %s %s", said, plugin.Log())
	}
}

func TestAServerThatIsDownIsUnknownUntilItIsBack(t *testing.T) {
	server := start(t)
	plugin := stand.Start(t, map[string]any{"dsn": server.monitor()})
	plugin.Idle()
	server.stop()
	plugin.Unknown(server.address())
	plugin.Unknown(server.address())
	server.run()
	plugin.Idle()
}

func TestAServerThatHangsIsUnknownInTime(t *testing.T) {
	server := start(t)
	connected := stand.Start(t, map[string]any{"dsn": server.monitor()})
	connected.Idle()
	server.process.Freeze()
	connected.Unknown("did not answer", server.address())
	fresh := stand.Start(t, map[string]any{"dsn": server.monitor()})
	fresh.Unknown("did not answer", server.address())
	server.process.Thaw()
	connected.Idle()
	fresh.Idle()
}

func TestGarbageIsUnknown(t *testing.T) {
	for _, text := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", "\x00\x00\x00\x00", "J\x00\x00\x00\x0a5.5.5-10.11.4-MariaDB\x00garbage"} {
		address := stand.Garbage(t, "tcp", "127.0.0.1:0", text)
		plugin := stand.Start(t, map[string]any{"dsn": "monitor:x@tcp(" + address + ")/"})
		plugin.Unknown(address)
	}
}

func TestItIsAskedOverAUnixSocket(t *testing.T) {
	server := start(t)
	plugin := stand.Start(t, map[string]any{"dsn": fmt.Sprintf("monitor:%s@unix(%s)/", password, server.socket()), "connection_threshold": 1})
	plugin.Idle()
	server.connect()
	plugin.Busy()
}

func TestAConnectionIsKeptAndClosedAtTheEnd(t *testing.T) {
	server := start(t)
	plugin := stand.Start(t, map[string]any{"dsn": server.monitor()})
	plugin.Idle()
	const connections = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'CONNECTIONS'"
	before := server.number(connections)
	for range 3 {
		plugin.Idle()
	}
	after := server.number(connections)
	// The test connects anew each time.
	if connected := after - before - 1; connected != 0 {
		t.Fatalf("it connected %d times", connected)
	}
	const mine = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'monitor'"
	if count := server.number(mine); count != 1 {
		t.Fatalf("it holds %d connections", count)
	}
	if _, failure := plugin.Ask("Shutdown", map[string]any{}); failure != "" {
		t.Fatal(failure)
	}
	stand.WaitUntil(t, "it has left", func() bool { return server.number(mine) == 0 })
}

func TestANewConfigurationHoldsAtOnce(t *testing.T) {
	one, other := start(t), start(t)
	other.connect()
	plugin := stand.Start(t, map[string]any{"dsn": one.monitor(), "connection_threshold": 1})
	plugin.Idle()
	plugin.Configure(map[string]any{"dsn": other.monitor(), "connection_threshold": 1})
	plugin.Busy()
	stand.WaitUntil(t, "it has left the other one", func() bool {
		return one.number("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'monitor'") == 0
	})
	plugin.Configure(map[string]any{"dsn": other.monitor()})
	plugin.Idle()
}

func TestARefusedConfigurationNamesTheFieldAndChangesNothing(t *testing.T) {
	server := start(t)
	server.connect()
	good := server.monitor()
	plugin := stand.Start(t, map[string]any{"dsn": good, "connection_threshold": 1})
	for _, wrong := range []struct {
		field  string
		config map[string]any
	}{
		{"connection_threshold", map[string]any{"dsn": good, "connection_threshold": 0}},
		{"connection_threshold", map[string]any{"dsn": good, "connection_threshold": 1.5}},
		{"connection_threshold", map[string]any{"dsn": good, "connection_threshold": "9"}},
		{"connection_threshold", map[string]any{"dsn": good, "connection_threshold": nil}},
		{"dsn", map[string]any{"connection_threshold": 9}},
		{"dsn", map[string]any{"dsn": "", "connection_threshold": 9}},
		{"dsn", map[string]any{"dsn": 7, "connection_threshold": 9}},
		{"dsn", map[string]any{"dsn": good, "dsn_file": "/x", "connection_threshold": 9}},
		{"dsn_file", map[string]any{"dsn_file": "relative", "connection_threshold": 9}},
	} {
		if said := plugin.Refuses(wrong.config); !strings.Contains(said, wrong.field) {
			t.Errorf("%q does not name %s", said, wrong.field)
		}
		plugin.Busy()
	}
}

func TestADsnThatIsWrittenWrongIsNotShown(t *testing.T) {
	plugin := stand.StartUnconfigured(t)
	for _, wrong := range []string{
		"root:hush", "root:hu/sh", "root:hush@somewhere(x)/", "root:x@tcp(localhost:3306)/?timeout=hush",
		"root:x@tcp(localhost:3306)/?tls=hush", "root:x@tcp(hush/db", "hush://root@localhost/", "root:x@pipe(hush)/",
	} {
		if said := plugin.Refuses(map[string]any{"dsn": wrong}); !strings.Contains(said, "dsn") || strings.Contains(said, "hu") {
			t.Errorf("%s: %s", wrong, said)
		}
	}
	plugin.Unknown("dsn")
}

func TestTheDsnMayStandInAFileThatChanges(t *testing.T) {
	server := start(t)
	path := filepath.Join(t.TempDir(), "dsn")
	plugin := stand.Start(t, map[string]any{"dsn_file": path, "connection_threshold": 1})
	plugin.Unknown("dsn_file")
	for _, text := range []string{server.dsn("monitor", "hush"), "hush"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := plugin.Unknown(); strings.Contains(said, "hush") {
			t.Fatal(said)
		}
	}
	if err := os.WriteFile(path, []byte(server.monitor()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plugin.Idle()
}
