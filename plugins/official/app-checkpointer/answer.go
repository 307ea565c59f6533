package main

// What an answer says of the checkpoint. Nothing here asks anybody.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Of a body so much is read; one that says how a checkpoint goes is short.
const bodyLimit = 1024 * 1024

// Of what an application says so much is told.
const saidLimit = 200

// state is what an answer comes to.
type state int

const (
	isComplete state = iota
	// It works, or cannot say just now.
	isUnderWay
	isFailed
)

// answer is a whole one.
type answer struct {
	code int
	body []byte
}

// judge says what an answer comes to, and why where it is not complete.
func (complete complete) judge(answer answer) (state, error) {
	switch {
	case isPassing(answer.code):
		return isUnderWay, fmt.Errorf("it answers %s", name(answer.code))
	case answer.code < 200 || answer.code > 299:
		return isFailed, fmt.Errorf("it answers %s: %s", name(answer.code), excerpt(answer.body))
	case complete.pointer == nil:
		if answer.code == complete.code {
			return isComplete, nil
		}
		return isUnderWay, fmt.Errorf("it answers %s, and %d says that it is complete", name(answer.code), complete.code)
	}
	found, err := complete.find(answer.body)
	if err != nil {
		return isUnderWay, err
	}
	if same(found, complete.expected) {
		return isComplete, nil
	}
	for _, failed := range complete.failed {
		if same(found, failed) {
			return isFailed, fmt.Errorf("it says %s", shown(found))
		}
	}
	return isUnderWay, fmt.Errorf("it says %s in place of %s", shown(found), shown(complete.expected))
}

// isPassing says whether a status is one that another try may not meet: too many requests, too early, and what stands
// before an application and cannot reach it just now.
func isPassing(code int) bool {
	switch code {
	case http.StatusTooEarly, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// find looks up the pointer.
func (complete complete) find(body []byte) (any, error) {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, errors.New("its answer is no JSON: " + excerpt(body))
	}
	for index, part := range complete.pointer {
		var isThere bool
		switch inner := value.(type) {
		case map[string]any:
			value, isThere = inner[part]
		case []any:
			place, err := strconv.Atoi(part)
			// RFC 6901 knows no leading zeros and no signs.
			if isThere = err == nil && strconv.Itoa(place) == part && place >= 0 && place < len(inner); isThere {
				value = inner[place]
			}
		}
		if !isThere {
			return nil, fmt.Errorf("its answer has nothing at /%s", strings.Join(complete.pointer[:index+1], "/"))
		}
	}
	return value, nil
}

func name(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "what cannot be shown"
	}
	return excerpt(text)
}

// excerpt is the beginning of a text, on one line.
func excerpt(text []byte) string {
	line := strings.Join(strings.Fields(strings.ToValidUTF8(string(text[:min(len(text), saidLimit)]), "")), " ")
	if line == "" {
		return "nothing"
	}
	return line
}
