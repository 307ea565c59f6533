package main

// Where the application is, and what it says when its checkpoint is complete. A configuration is taken whole or refused
// with the field's name.

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"

	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

const (
	defaultPollInterval = 500
	leastPollInterval   = 50
	// As long as a small service takes to start anew.
	defaultRetry = 2
)

// placeholder stands for the event's id in status_url.
const placeholder = "{id}"

type application struct {
	url *url.URL
	// Empty where the answer to the request itself says it.
	status       string
	authorities  *x509.CertPool
	complete     complete
	pollInterval time.Duration
	// How long it is asked again where it is not there.
	retry time.Duration
}

// complete is what an answer has to say.
type complete struct {
	// A status code, where pointer is nil.
	code int
	// The parts of a JSON Pointer (RFC 6901), and what has to be there.
	pointer  []string
	expected any
	// What says that it failed, so that nobody waits for it any longer.
	failed []any
}

func applicationOf(config snooze.Values) (*application, error) {
	made := &application{}
	text, err := config.Text("url", "")
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, errors.New("url is missing: it is where the application is asked for a checkpoint, as http://localhost:8080/checkpoint")
	}
	if made.url, err = address("url", text); err != nil {
		return nil, err
	}
	if made.status, err = config.Text("status_url", ""); err != nil {
		return nil, err
	}
	if made.status != "" {
		if _, err := address("status_url", strings.ReplaceAll(made.status, placeholder, "id")); err != nil {
			return nil, err
		}
	}
	// Else it could speak of the checkpoint before, and nobody would know.
	if made.status != "" && !strings.Contains(made.status, placeholder) {
		return nil, fmt.Errorf("status_url has to hold %s, in whose place the event's id is put: what it says could be about an earlier checkpoint", placeholder)
	}
	if made.authorities, err = settings.Authorities(config); err != nil {
		return nil, err
	}
	interval, err := settings.Whole(config, "poll_interval_ms", defaultPollInterval, leastPollInterval)
	if err != nil {
		return nil, err
	}
	made.pollInterval = time.Duration(interval) * time.Millisecond
	retry, err := settings.Whole(config, "retry_seconds", defaultRetry, 0)
	if err != nil {
		return nil, err
	}
	made.retry = time.Duration(retry) * time.Second
	made.complete, err = completeOf(config)
	return made, err
}

// address is an http or https one. It may hold no user: errors would show his password.
func address(field, text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return nil, fmt.Errorf("%s is not of the form http://host:port/path or https://…", field)
	}
	if parsed.User != nil {
		return nil, fmt.Errorf("%s names a user: put what the application asks for into token or token_file", field)
	}
	return parsed, nil
}

// readable says of which address a token sent there could be read on the way.
func (application *application) readable() (field string, is bool) {
	status, err := url.Parse(application.status)
	switch {
	case !isSafe(application.url):
		return "url", true
	case application.status != "" && (err != nil || !isSafe(status)):
		return "status_url", true
	}
	return "", false
}

func isSafe(address *url.URL) bool {
	host := address.Hostname()
	number, err := netip.ParseAddr(host)
	return address.Scheme == "https" || host == "localhost" || err == nil && number.IsLoopback()
}

func completeOf(config snooze.Values) (complete, error) {
	made := complete{}
	code, err := settings.Whole(config, "complete_status", 200, 200)
	if err != nil {
		return made, err
	}
	if code > 299 {
		return made, fmt.Errorf("complete_status has to be at most 299 and is %d", code)
	}
	made.code = int(code)
	pointer, isGiven := config["complete_pointer"]
	expected, isExpected := config["complete_value"]
	if isGiven != isExpected {
		return made, errors.New("complete_pointer and complete_value go together: where to look, and what is there when it is complete")
	}
	if list, isThere := config["failed_values"]; isThere {
		values, isList := list.([]any)
		if !isList {
			return made, errors.New("failed_values has to be a list")
		}
		if !isGiven {
			return made, errors.New("failed_values is of use with complete_pointer alone")
		}
		made.failed = values
	}
	if !isGiven {
		return made, nil
	}
	made.expected = expected
	text, isText := pointer.(string)
	if !isText || text != "" && !strings.HasPrefix(text, "/") {
		return made, errors.New("complete_pointer has to be a JSON Pointer, as /state")
	}
	// In this order: ~01 is ~1, and no slash.
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	made.pointer = []string{}
	if text != "" {
		for _, part := range strings.Split(text[1:], "/") {
			made.pointer = append(made.pointer, unescape.Replace(part))
		}
	}
	for _, value := range append([]any{made.expected}, made.failed...) {
		switch value.(type) {
		case nil, bool, string, int64, uint64, float64:
		default:
			return made, errors.New("complete_value and failed_values have to be texts, numbers, true, false or null")
		}
	}
	return made, nil
}

// same says whether two values of JSON are: numbers by what they are worth.
func same(one, other any) bool {
	first, isNumber := number(one)
	second, isToo := number(other)
	if isNumber && isToo {
		return first == second
	}
	return reflect.DeepEqual(one, other)
}

func number(value any) (float64, bool) {
	switch number := value.(type) {
	case int64:
		return float64(number), true
	case uint64:
		return float64(number), true
	case float64:
		return number, true
	}
	return 0, false
}
