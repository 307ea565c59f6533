package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, forget) }

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	if manifest := stand.ManifestHolds(t); manifest.Default(t, "write_pages") != true {
		t.Errorf("the manifest's default is %v", manifest.Default(t, "write_pages"))
	}
}

func TestWhatIsNotThereIsSaidInOneLineWithNothingDone(t *testing.T) {
	for kind, connection := range map[string]string{
		"mysql": "x:y@tcp(127.0.0.1:1)/", "postgresql": "postgresql://x:y@127.0.0.1:1/x", "redis": "redis://127.0.0.1:1",
	} {
		plugin := stand.Start(t, map[string]any{"db_type": kind, "connection_string": connection})
		outcome := plugin.Fails("cloud.spot.interrupt", stand.AnswerLimit, "127.0.0.1:1", "connection refused", "is it running")
		if done, isList := outcome.Details["done"].([]any); !isList || len(done) > 0 || strings.Contains(outcome.Message, "\n") {
			t.Errorf("%s: %s", kind, outcome)
		}
	}
}

func TestItHasNoVote(t *testing.T) {
	stand.StartUnconfigured(t).Unknown("Unknown method")
}

func TestWhatIsOverOrIsNoneOfItsEventsIsPassedOver(t *testing.T) {
	// Whoever asked a server would fail: nothing listens there.
	plugin := stand.Start(t, map[string]any{"db_type": "mysql", "connection_string": "x:y@tcp(127.0.0.1:1)/"})
	plugin.Passes("custom.conformance", nil)
	plugin.Passes("snooze.cancelled", nil)
	plugin.Passes("cloud.instance.maintenance", map[string]any{"state": "cancelled"})
	plugin.Passes("system.disk.low", map[string]any{"state": "cleared"})
}

func TestARedisIsNotMadeToSaveWhereThereIsNoSpace(t *testing.T) {
	stand.Start(t, map[string]any{"db_type": "redis", "connection_string": "redis://127.0.0.1:1"}).Passes("system.disk.low", nil)
}

func TestWithoutAConfigurationAnEventIsAnError(t *testing.T) {
	outcome := stand.StartUnconfigured(t).Handle("cloud.spot.interrupt", stand.AnswerLimit)
	if !strings.Contains(outcome.Error, "db_type") {
		t.Fatal(outcome)
	}
}

func TestARefusedConfigurationNamesTheFieldAndNoSecret(t *testing.T) {
	plugin := stand.StartUnconfigured(t)
	for _, wrong := range []struct {
		field  string
		config map[string]any
	}{
		{"db_type", map[string]any{"connection_string": "x:y@tcp(h:1)/"}},
		{"db_type", map[string]any{"db_type": "oracle", "connection_string": "x:y@tcp(h:1)/"}},
		{"connection_string", map[string]any{"db_type": "mysql"}},
		{"connection_string", map[string]any{"db_type": "mysql", "connection_string": 7}},
		{"connection_string", map[string]any{"db_type": "mysql", "connection_string": "root:hush@pipe(x)/"}},
		{"connection_string", map[string]any{"db_type": "postgresql", "connection_string": "postgresql://a:hush@[x"}},
		{"connection_string", map[string]any{"db_type": "redis", "connection_string": "http://a:hush@x"}},
		{"connection_string", map[string]any{"db_type": "redis", "connection_string": "redis://a:b@x", "connection_string_file": "/x"}},
		{"connection_string_file", map[string]any{"db_type": "redis", "connection_string_file": "relative"}},
		{"write_pages", map[string]any{"db_type": "redis", "connection_string": "redis://x", "write_pages": "yes"}},
		{"ca_file", map[string]any{"db_type": "redis", "connection_string": "redis://x", "ca_file": "relative"}},
	} {
		if said := plugin.Refuses(wrong.config); !strings.Contains(said, wrong.field) || strings.Contains(said, "hush") {
			t.Errorf("%v is refused so: %s", wrong.config, said)
		}
	}
}

func TestTheConnectionStringMayStandInAFileThatComesLater(t *testing.T) {
	server := startRedis(t)
	path := filepath.Join(t.TempDir(), "connection")
	plugin := stand.Start(t, map[string]any{"db_type": "redis", "connection_string_file": path})
	plugin.Fails("cloud.spot.interrupt", stand.AnswerLimit, "connection_string_file")
	if err := os.WriteFile(path, []byte(server.url()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plugin.Succeeds("cloud.spot.interrupt", stand.Limit)
}
