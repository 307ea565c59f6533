package snooze

import (
	"fmt"
	"os"
	"strings"
)

// The longest error text of an answer, in characters; the runner keeps no more of it.
const errorLimit = 500

// The codes of JSON-RPC 2.0; those from -32000 to -32099 are the implementation's own.
const (
	codeParse         = -32700
	codeInvalid       = -32600
	codeUnknownMethod = -32601
	codeParams        = -32602
	codeInternal      = -32603
	codePlugin        = -32000
)

// failure is an answer that is an error. Its text is bounded and never empty.
type failure struct {
	code int
	text string
}

func (failure *failure) Error() string { return failure.text }

func fail(code int, format string, arguments ...any) *failure {
	text := bounded(strings.TrimSpace(fmt.Sprintf(format, arguments...)), errorLimit)
	if text == "" {
		text = "it failed and did not say why"
	}
	return &failure{code: code, text: text}
}

// note writes a line to the plugin's log.
func note(format string, arguments ...any) {
	// Where even the log cannot be written there is nobody left to tell.
	_, _ = fmt.Fprintf(os.Stderr, "snooze: "+format+"\n", arguments...)
}

// status is the code of the NATS services protocol, which uses those of HTTP.
func (failure *failure) status() string {
	switch failure.code {
	case codeUnknownMethod:
		return "404"
	case codeParse, codeInvalid, codeParams:
		return "400"
	}
	return "500"
}
