package snooze

// Whether a question over NATS is one to its subject. What has an effect says in its headers what it is: a server can be
// made to send a message that it stores to a subject whose sender may not publish there, so a body alone proves nothing.
// And no body says of another host what its subject says of this one.

import (
	"encoding/json"
	"strings"

	"github.com/nats-io/nats.go/micro"
)

const (
	kindHeader    = "Snooze-Kind"
	versionHeader = "Snooze-Version"
	// The only version of the messages so far.
	spokenVersion = "1"
	// What stands for every host, and is no host's name.
	fleet = "fleet"
)

// Methods by the last token of their subject that nobody may ask without saying so.
var haveEffect = map[string]bool{"handle_event": true, "configure": true, "initialize": true, "shutdown": true}

// checkHeaders refuses what is no question to this method. Asking may come bare, and never mislabelled.
func checkHeaders(token string, headers micro.Headers) *failure {
	for name := range headers {
		// Nats-Request-Info says from which account a question came; what is stored has others as well.
		lower := strings.ToLower(name)
		if (strings.HasPrefix(lower, "nats-") || strings.HasPrefix(lower, "kv-")) && lower != "nats-request-info" {
			return fail(codeInvalid, "the header %s is one that only a server adds", name)
		}
	}
	for _, needed := range []struct{ name, value string }{{kindHeader, token}, {versionHeader, spokenVersion}} {
		if haveEffect[token] && len(headers[needed.name]) == 0 {
			return fail(codeInvalid, "%s has an effect and needs the header %s: %s", token, needed.name, needed.value)
		}
	}
	if kinds := headers[kindHeader]; len(kinds) > 0 && kinds[0] != token {
		return fail(codeInvalid, "the header %s says %s, and the subject %s", kindHeader, kinds[0], token)
	}
	if versions := headers[versionHeader]; len(versions) > 0 && versions[0] != spokenVersion {
		return fail(codeInvalid, "version %s of %s is not known, this plugin speaks version %s", versions[0], token, spokenVersion)
	}
	return nil
}

// checkHost refuses a body that names, or whose event names, another host than its subject. Whoever may publish to one
// host's subjects could else have another's event handled there.
func checkHost(body []byte, host string) *failure {
	var named struct {
		Host  any             `json:"host"`
		Event json.RawMessage `json:"event"`
	}
	// Whoever reads the body says what is wrong with it.
	if host == "" || json.Unmarshal(body, &named) != nil {
		return nil
	}
	var event struct {
		Host any `json:"host"`
	}
	// What is no object names none.
	_ = json.Unmarshal(named.Event, &event)
	for _, other := range []any{named.Host, event.Host} {
		if other != nil && other != any(host) && other != any(fleet) {
			return fail(codeInvalid, "the body names the host %v, and the subject %s", other, host)
		}
	}
	return nil
}
