package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, nil) }

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	manifest := stand.ManifestHolds(t)
	if manifest.Default(t, "poll_interval_ms") != float64(defaultPollInterval) || manifest.Default(t, "complete_status") != 200.0 ||
		manifest.Default(t, "retry_seconds") != float64(defaultRetry) {
		t.Error("the manifest's defaults are others")
	}
}

func TestItHasNoVote(t *testing.T) {
	stand.StartUnconfigured(t).Unknown("Unknown method")
}

func TestWhatIsOverOrIsNoneOfItsEventsIsPassedOver(t *testing.T) {
	job := serve(t, nil)
	plugin := stand.Start(t, job.config(nil))
	plugin.Passes("custom.conformance", nil)
	plugin.Passes("snooze.cancelled", nil)
	plugin.Passes("cloud.instance.maintenance", map[string]any{"state": "cancelled"})
	if len(job.seen()) != 0 {
		t.Fatalf("the application was asked: %v", job.seen())
	}
}

func TestWithoutAConfigurationAnEventIsAnError(t *testing.T) {
	outcome := stand.StartUnconfigured(t).Handle("cloud.spot.interrupt", stand.AnswerLimit)
	if !strings.Contains(outcome.Error, "url is not configured") {
		t.Fatal(outcome)
	}
}

func TestARefusedConfigurationNamesTheFieldAndNoSecret(t *testing.T) {
	plugin := stand.StartUnconfigured(t)
	for field, config := range map[string]map[string]any{
		"url":                     {},
		"url is not":              {"url": "ftp://x/"},
		"url names a user":        {"url": "http://a:hush@x/"},
		"status_url":              {"url": "http://x/", "status_url": "x"},
		"status_url has":          {"url": "http://x/", "status_url": "http://x/status"},
		"url has to begin":        {"url": "http://x/", "token": "hush"},
		"status_url has to begin": {"url": "http://127.0.0.1/", "status_url": "http://x/{id}", "token_file": "/hush"},
		"complete_status":         {"url": "http://x/", "complete_status": 404},
		"complete_value":          {"url": "http://x/", "complete_pointer": "/state"},
		"complete_pointer":        {"url": "http://x/", "complete_pointer": "state", "complete_value": 1},
		"failed_values":           {"url": "http://x/", "complete_pointer": "/state", "complete_value": 1, "failed_values": []any{[]any{}}},
		"poll_interval_ms":        {"url": "http://x/", "poll_interval_ms": 1},
		"retry_seconds":           {"url": "http://x/", "retry_seconds": -1},
		"token":                   {"url": "http://x/", "token": 7},
		"token_file":              {"url": "http://x/", "token": "hush", "token_file": "/x"},
		"ca_file":                 {"url": "http://x/", "ca_file": "relative"},
	} {
		if said := plugin.Refuses(config); !strings.Contains(said, field) || strings.Contains(said, "hush") {
			t.Errorf("%v is refused so: %s", config, said)
		}
	}
}

func TestTheTokenComesFromAFileThatChangesAndIsNotShown(t *testing.T) {
	job := serve(t, func(writer http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "Bearer hush-2" {
			writer.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(writer, "not this one")
		}
	})
	path := filepath.Join(t.TempDir(), "token")
	plugin := stand.Start(t, job.config(map[string]any{"token_file": path}))
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "token_file")
	for _, token := range []string{"hush-1", "hush-2"} {
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if token == "hush-2" {
			plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
			break
		}
		outcome := plugin.Fails("cloud.spot.interrupt", 30*time.Second, "401 Unauthorized", "not this one")
		if strings.Contains(outcome.String()+plugin.Log(), "hush") {
			t.Fatal(outcome, plugin.Log())
		}
	}
}

func TestTLSIsHeldToItsAuthority(t *testing.T) {
	own, others := stand.Certify(t), stand.Certify(t)
	job := serveTLS(t, own)
	plugin := stand.Start(t, job.config(map[string]any{"ca_file": own.Authority}))
	plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
	plugin.Configure(job.config(map[string]any{"ca_file": others.Authority}))
	if outcome := plugin.Fails("cloud.spot.interrupt", 30*time.Second, "certificate", "ca_file"); outcome.Details["requests"] != 1.0 {
		t.Fatalf("it is asked again what cannot change: %s", outcome)
	}
}
