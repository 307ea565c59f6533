package main

// Containers, by the engine's socket and the Docker API, which Podman answers as well. It stops containers, sends them
// signals and looks whether they run; nothing else.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// What is said of a container takes some kilobytes.
	answerLimit = 1024 * 1024
	// The engine kills what does not stop in whole seconds, and then needs a moment to say so.
	engineTime = time.Second
)

type engine struct {
	socket    string
	transport *http.Transport
}

func reach(socket string) *engine {
	return &engine{socket, &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

func (engine *engine) close() { engine.transport.CloseIdleConnections() }

// do stops a container or sends it a signal, and waits for its end while the context lasts.
func (engine *engine) do(ctx context.Context, step step) result {
	running, err := engine.isRunning(ctx, step.name)
	if err != nil {
		return bad(engine.explain(ctx, err))
	}
	if !running {
		return good("was not running")
	}
	if step.signal == "" {
		return engine.stop(ctx, step.name)
	}
	if _, err := engine.ask(ctx, http.MethodPost, step.name, "kill", url.Values{"signal": {step.signal}}, http.StatusNoContent); err != nil {
		return bad(engine.explain(ctx, err))
	}
	if !step.waits() {
		return good("was sent " + step.signal)
	}
	return engine.awaitEnd(ctx, step.name)
}

func (engine *engine) stop(ctx context.Context, name string) result {
	seconds := 0
	if end, has := ctx.Deadline(); has {
		seconds = int(max(time.Until(end)-engineTime, 0) / time.Second)
	}
	within := url.Values{"t": {strconv.Itoa(seconds)}}
	// Where it has stopped by itself meanwhile, it is not modified.
	if _, err := engine.ask(ctx, http.MethodPost, name, "stop", within, http.StatusNoContent, http.StatusNotModified); err != nil {
		if ctx.Err() != nil {
			return bad("has not stopped in its time; the engine goes on with it")
		}
		return bad(engine.explain(ctx, err))
	}
	return engine.awaitEnd(ctx, name)
}

func (engine *engine) awaitEnd(ctx context.Context, name string) result {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		running, err := engine.isRunning(ctx, name)
		switch {
		case ctx.Err() != nil:
			return bad("still runs when its time is over")
		case isAbsent(err):
			// One that is removed when it ends.
			return good("stopped, and is gone")
		case err != nil:
			return bad(engine.explain(ctx, err))
		case !running:
			return good("stopped")
		}
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
}

func (engine *engine) isRunning(ctx context.Context, name string) (bool, error) {
	text, err := engine.ask(ctx, http.MethodGet, name, "json", nil, http.StatusOK)
	if err != nil {
		return false, err
	}
	var said struct {
		State *struct {
			Running *bool `json:"Running"`
			Paused  bool  `json:"Paused"`
		} `json:"State"`
	}
	if err := json.Unmarshal(text, &said); err != nil || said.State == nil || said.State.Running == nil {
		return false, errors.New("what answers does not say whether it runs: is it an engine?")
	}
	// Podman says of what is paused that it does not run.
	return *said.State.Running || said.State.Paused, nil
}

// answered is an answer with another status than was wished.
type answered struct {
	status int
	text   string
}

func (answered answered) Error() string { return answered.text }

func isAbsent(err error) bool {
	var said answered
	return errors.As(err, &said) && said.status == http.StatusNotFound
}

// ask asks about one container, and hands back the answer where its status is one of the wished.
func (engine *engine) ask(ctx context.Context, method, name, what string, query url.Values, wished ...int) ([]byte, error) {
	// The host is nobody's: the transport knows the socket alone.
	address := url.URL{Scheme: "http", Host: "engine", RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, address.JoinPath("containers", name, what).String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := engine.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return nil, err
	}
	for _, status := range wished {
		if answer.StatusCode == status {
			return text, nil
		}
	}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = answer.Status
	}
	return nil, answered{answer.StatusCode, fmt.Sprintf("%.200s", said.Message)}
}

func (engine *engine) explain(ctx context.Context, err error) string {
	var said answered
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("the engine at %s did not answer in time", engine.socket)
	case isAbsent(err):
		return "there is no such container"
	case errors.As(err, &said):
		return fmt.Sprintf("the engine refuses: %s", said)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("the engine's socket %s may not be opened: %s; grant the plugin `unix` with this path, and let it open the socket", engine.socket, err)
	}
	return fmt.Sprintf("the engine cannot be asked at %s: %s; does it run, and is engine_socket right?", engine.socket, err)
}
