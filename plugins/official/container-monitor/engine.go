package main

// The engine behind a socket: one question of the Docker API, which Podman answers as well. An answer that is anything
// but the whole list is an error, and never an empty list.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
)

// A container takes one kilobyte or two; nobody runs ten thousand on a machine.
const answerLimit = 16 * 1024 * 1024

type engine struct {
	socket    string
	transport *http.Transport
}

type container struct {
	ID     string            `json:"Id"`
	Names  []string          `json:"Names"`
	Image  string            `json:"Image"`
	State  string            `json:"State"`
	Labels map[string]string `json:"Labels"`
}

// isResting says whether it is on the list and does not run: what is paused stands still. A state that is not known
// counts as running, so as restarting or stopping.
func (container container) isResting() bool {
	switch container.State {
	case "paused", "created", "configured", "initialized", "exited", "stopped", "dead", "removing":
		return true
	}
	return false
}

// name is what people call it.
func (container container) name() string {
	for _, name := range container.Names {
		return strings.TrimPrefix(name, "/")
	}
	return container.ID
}

func reach(socket string) *engine {
	return &engine{socket, &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxConnsPerHost: 1,
	}}
}

func (engine *engine) close() { engine.transport.CloseIdleConnections() }

// containers is the list of those that the engine does not think of as ended.
func (engine *engine) containers(ctx context.Context) ([]container, error) {
	// The host is nobody's: the transport knows the socket alone. Without a version in the path engines answer with theirs,
	// and these fields have been the same since the first.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/containers/json", nil)
	if err != nil {
		return nil, err
	}
	answer, err := engine.transport.RoundTrip(request)
	if err != nil {
		return nil, engine.explain(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit+1))
	switch {
	case err != nil:
		return nil, engine.explain(err)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the engine at %s answers %s: %.200s", engine.socket, answer.Status, text)
	case len(text) > answerLimit:
		return nil, fmt.Errorf("the engine at %s answers with more than %d bytes", engine.socket, answerLimit)
	// What is null would be read as an empty list.
	case !bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")):
		return nil, fmt.Errorf("what listens at %s does not answer with a list: is it an engine?", engine.socket)
	}
	var containers []container
	if err := json.Unmarshal(text, &containers); err != nil {
		return nil, fmt.Errorf("the answer of the engine at %s cannot be read: %w", engine.socket, err)
	}
	for _, container := range containers {
		if container.ID == "" {
			return nil, fmt.Errorf("what listens at %s lists something that is no container: is it an engine?", engine.socket)
		}
	}
	return containers, nil
}

func (engine *engine) explain(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the engine at %s did not answer within %s: it hangs", engine.socket, questionLimit)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the engine's socket may not be opened: %w; grant the plugin `unix` with this path, and let it open the socket", err)
	}
	return fmt.Errorf("the engine at %s cannot be asked: %w; does it run, and is socket right?", engine.socket, err)
}
