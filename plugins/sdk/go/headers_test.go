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

func TestI3ABodyThatNamesAnotherHostThanItsSubjectIsRefused(t *testing.T) {
	for _, each := range []struct {
		body, host string
		refused    bool
	}{
		{`{"host":"web-2"}`, "web-1", true},
		{`{"host":"WEB-1"}`, "web-1", true},
		{`{"host":7}`, "web-1", true},
		{`{"host":["web-1"]}`, "web-1", true},
		{`{"event":{"host":"web-2"},"left_ms":1}`, "web-1", true},
		{`{"host":"web-1","event":{"host":"web-2"}}`, "web-1", true},
		{`{"host":"web-1","event":{"host":"web-1"}}`, "web-1", false},
		{`{"host":null,"event":{"host":"fleet"}}`, "web-1", false},
		{`{"event":{"data":{"host":"web-2"}}}`, "web-1", false},
		{`{"event":7}`, "web-1", false},
		{``, "web-1", false},
		// Who serves every host is asked about any.
		{`{"host":"web-2","event":{"host":"web-3"}}`, "", false},
	} {
		failed := checkHost([]byte(each.body), each.host)
		if (failed != nil) != each.refused {
			t.Errorf("%s to %q: %v", each.body, each.host, failed)
		}
		if failed != nil && !strings.HasSuffix(failed.text, "and the subject web-1") {
			t.Error(failed.text)
		}
	}
}
