package snooze

// The headers of a question over NATS: what has an effect says what it is. A server can be made to send a message that
// it stores to a subject whose sender may not publish there, so a body alone proves nothing.

import (
	"strings"

	"github.com/nats-io/nats.go/micro"
)

const (
	kindHeader    = "Snooze-Kind"
	versionHeader = "Snooze-Version"
	// The only version of the messages so far.
	spokenVersion = "1"
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
