package snooze

// The line protocol: one JSON object a line in each direction, in the original's form or as JSON-RPC 2.0, each
// answered in the form of its question. A line never costs more memory than its limit.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// The longest id, in bytes: more than any number has, and little beside an answer.
const idLimit = 256

// streams are where the protocol is spoken.
type streams struct {
	in, out *os.File
}

// line is one that was read: its text, or that it was too long.
type line struct {
	text    []byte
	tooLong bool
}

// serveLines answers until the input ends or the context does.
func serveLines(asked context.Context, session *session, streams *streams) error {
	// What is under way when a signal comes is told at once: the runner kills two seconds later.
	stop := context.AfterFunc(asked, session.end)
	defer stop()
	// Held from a question to its answer.
	speaking := make(chan struct{}, 1)
	ended := make(chan error, 1)
	// One goroutine reads, asks and writes: handing each line to another one took a question half as long again.
	go func() { ended <- answerLines(session, streams, speaking) }()
	select {
	case err := <-ended:
		session.finish(asked)
		return err
	case <-asked.Done():
	}
	select {
	case speaking <- struct{}{}:
	case err := <-ended:
		session.finish(asked)
		return err
	// An answer that nobody reads is not waited for.
	case <-time.After(2 * lastWords):
	}
	session.finish(asked)
	return nil
}

// answerLines answers line after line, and returns at the end of the input.
func answerLines(session *session, streams *streams, speaking chan struct{}) error {
	reader := bufio.NewReaderSize(streams.in, 64*1024)
	form := &form{}
	for {
		next, failed := readLine(reader)
		if len(next.text) > 0 || next.tooLong {
			speaking <- struct{}{}
			if answer := form.answer(session, next); answer != nil {
				if _, err := streams.out.Write(answer); err != nil {
					return fmt.Errorf("writing an answer: %w", err)
				}
			}
			<-speaking
		}
		switch {
		case errors.Is(failed, io.EOF):
			return nil
		case failed != nil:
			return fmt.Errorf("reading a question: %w", failed)
		}
	}
}

// readLine reads to the end of a line, and keeps nothing of one that is too long.
func readLine(reader *bufio.Reader) (line, error) {
	var next line
	for {
		part, err := reader.ReadSlice('\n')
		if !next.tooLong && len(next.text)+len(bytes.TrimRight(part, "\r\n")) > bodyLimit {
			next = line{tooLong: true}
		}
		if !next.tooLong {
			next.text = append(next.text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			next.text = bytes.TrimSpace(next.text)
			return next, err
		}
	}
}

// form is how the asker writes: that of its last question, for what cannot be read.
type form struct {
	isRPC bool
}

// question is a line that could be read.
type question struct {
	method string
	params json.RawMessage
	id     json.RawMessage
}

var null = json.RawMessage("null")

// answer is the line to write, or nothing for what wants no answer.
func (form *form) answer(session *session, line line) []byte {
	if line.tooLong {
		return form.write(null, nil, fail(codeInvalid, "the line has more than %d bytes", bodyLimit))
	}
	asked, wantsNone, failed := form.read(line.text)
	if failed != nil {
		return form.write(asked.id, nil, failed)
	}
	var left *leftMs
	if asked.method == "HandleEvent" {
		left = timeLeft(asked.params)
	}
	ctx, cancel := session.within(left)
	defer cancel()
	result, failed := session.ask(ctx, asked.method, asked.method, asked.params)
	if wantsNone {
		return nil
	}
	return form.write(asked.id, result, failed)
}

// read takes a line apart. A notification of JSON-RPC wants no answer.
func (form *form) read(text []byte) (asked question, wantsNone bool, failed *failure) {
	asked.id = null
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return asked, false, fail(codeParse, "the line is not JSON: %s", err)
		}
		return asked, false, fail(codeInvalid, "the line is no JSON object")
	}
	if members == nil {
		return asked, false, fail(codeInvalid, "the line is no JSON object")
	}
	form.isRPC = string(members["jsonrpc"]) == `"2.0"`
	id, hasID := members["id"]
	if hasID {
		if id[0] == '{' || id[0] == '[' || len(id) > idLimit {
			return asked, false, fail(codeInvalid, "the id is neither a number nor a short text")
		}
		asked.id = id
	}
	// Absent and null are both no name.
	if err := json.Unmarshal(members["method"], &asked.method); err != nil || asked.method == "" {
		return asked, false, fail(codeInvalid, "the line names no method")
	}
	asked.params = members["params"]
	return asked, form.isRPC && !hasID, nil
}

// write is the line of an answer.
func (form *form) write(id, result json.RawMessage, failed *failure) []byte {
	text := form.envelope(id, result, failed)
	if len(text) > bodyLimit {
		long := fail(codeInternal, "its answer has %d bytes, %d are allowed", len(text), bodyLimit)
		text = form.envelope(id, nil, long)
	}
	return append(text, '\n')
}

func (form *form) envelope(id, result json.RawMessage, failed *failure) []byte {
	type rpcError struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	version := ""
	if form.isRPC {
		version = "2.0"
	}
	if failed == nil {
		return certain(struct {
			Version string          `json:"jsonrpc,omitempty"`
			Result  json.RawMessage `json:"result"`
			ID      json.RawMessage `json:"id"`
		}{version, result, id})
	}
	var text any = failed.text
	if form.isRPC {
		text = rpcError{failed.code, failed.text}
	}
	return certain(struct {
		Version string          `json:"jsonrpc,omitempty"`
		Error   any             `json:"error"`
		ID      json.RawMessage `json:"id"`
	}{version, text, id})
}

// certain writes what holds nothing but texts, numbers and JSON that was written before.
func certain(value any) []byte {
	text, err := toJSON(value)
	if err != nil {
		panic(fmt.Sprintf("what consists of JSON has no form in JSON: %s", err))
	}
	return text
}

// toJSON writes without the escapes that only web pages need: people read these texts.
func toJSON(value any) ([]byte, error) {
	var text bytes.Buffer
	writer := json.NewEncoder(&text)
	writer.SetEscapeHTML(false)
	if err := writer.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
