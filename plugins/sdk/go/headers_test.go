package snooze

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/micro"
)

func TestWhatHasAnEffectNeedsItsKindAndVersion(t *testing.T) {
	kind, version := []string{"handle_event"}, []string{"1"}
	for _, each := range []struct {
		token    string
		headers  micro.Headers
		expected string
	}{
		{"handle_event", micro.Headers{kindHeader: kind, versionHeader: version}, ""},
		{"handle_event", nil, kindHeader},
		{"configure", nil, kindHeader},
		{"initialize", nil, kindHeader},
		{"shutdown", nil, kindHeader},
		{"handle_event", micro.Headers{versionHeader: version}, kindHeader},
		{"handle_event", micro.Headers{kindHeader: kind}, versionHeader},
		{"handle_event", micro.Headers{kindHeader: {"check_idle"}, versionHeader: version}, "says check_idle"},
		{"handle_event", micro.Headers{kindHeader: kind, versionHeader: {"2"}}, "version 2"},
		{"handle_event", micro.Headers{kindHeader: kind, versionHeader: version, "nats-Sequence": {"7"}}, "nats-Sequence"},
		{"handle_event", micro.Headers{kindHeader: kind, versionHeader: version, "KV-Operation": {"DEL"}}, "KV-Operation"},
		// Asking may come bare, and never mislabelled.
		{"info", nil, ""},
		{"check_idle", micro.Headers{"Nats-Request-Info": {"{}"}}, ""},
		{"supported_events", nil, ""},
		{"check_idle", micro.Headers{versionHeader: {"9"}}, "version 9"},
	} {
		told := ""
		if failed := checkHeaders(each.token, each.headers); failed != nil {
			told = failed.text
		}
		if (told == "") != (each.expected == "") || !strings.Contains(told, each.expected) {
			t.Errorf("%s with %v: %q", each.token, each.headers, told)
		}
	}
}
