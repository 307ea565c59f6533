package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
)

func TestACheckpointThatIsUnderWayIsWaitedForUntilItIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	var polls atomic.Int64
	job := serve(t, func(writer http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPost {
			writer.WriteHeader(http.StatusAccepted)
			// What this says may be about the one before.
			fmt.Fprint(writer, `{"state":"complete"}`)
			return
		}
		if polls.Add(1) < 4 {
			fmt.Fprint(writer, `{"state":"writing"}`)
			return
		}
		if err := os.WriteFile(path, []byte("half done"), 0o600); err != nil {
			t.Error(err)
		}
		fmt.Fprint(writer, `{"state":"complete"}`)
	})
	outcome := stand.Start(t, job.polled(nil)).Succeeds("cloud.spot.interrupt", 30*time.Second)
	if text, err := os.ReadFile(path); err != nil || string(text) != "half done" {
		t.Fatalf("there is no checkpoint after %s: %v", outcome, err)
	}
	if outcome.Details["polls"] != 4.0 || outcome.Details["requests"] != 1.0 {
		t.Fatal(outcome)
	}
}

func TestEveryRequestHasTheEventsIDAndTheFirstOneTheEvent(t *testing.T) {
	job := serve(t, func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprint(writer, `{"state":"complete"}`) })
	stand.Start(t, job.polled(nil)).Succeeds("snooze.pending", 10*time.Second)
	seen := job.seen()
	if len(seen) != 2 || seen[0].method != "POST" || seen[1].method != "GET" || seen[1].path != "/checkpoint/test-1" {
		t.Fatal(seen)
	}
	for _, request := range seen {
		if request.key != "test-1" {
			t.Error(request)
		}
	}
	var told struct {
		ID, Type string
		Data     map[string]any
		Left     float64 `json:"left_ms"`
	}
	if err := json.Unmarshal([]byte(seen[0].body), &told); err != nil {
		t.Fatal(err)
	}
	if told.ID != "test-1" || told.Type != "snooze.pending" || told.Data["state"] != "raised" || told.Left <= 8000 || told.Left >= 10000 {
		t.Fatal(seen[0].body)
	}
}

func TestAcceptedIsNotComplete(t *testing.T) {
	job := serve(t, func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(http.StatusAccepted) })
	plugin := stand.Start(t, job.config(nil))
	plugin.Fails("cloud.spot.interrupt", 30*time.Second, "202 Accepted", "nobody knows", "status_url")
	plugin.Configure(job.config(map[string]any{"status_url": job.server.URL + "/status/{id}"}))
	plugin.Fails("cloud.spot.interrupt", time.Second, "in time")
	plugin.Configure(job.config(map[string]any{"complete_status": 202}))
	plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
}

func TestOneThatSaysThatItFailedIsNotWaitedFor(t *testing.T) {
	job := serve(t, func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprint(writer, `{"state":"failed"}`) })
	outcome := stand.Start(t, job.polled(nil)).Fails("cloud.spot.interrupt", 30*time.Second, "did not complete", `"failed"`)
	if outcome.Details["polls"] != 1.0 {
		t.Fatal(outcome)
	}
}

func TestARefusalIsNotRepeated(t *testing.T) {
	for _, code := range []int{http.StatusFound, http.StatusBadRequest, http.StatusNotFound, http.StatusInternalServerError} {
		job := serve(t, func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Location", "/elsewhere")
			writer.WriteHeader(code)
		})
		stand.Start(t, job.polled(nil)).Fails("cloud.spot.interrupt", 30*time.Second, "made no checkpoint", fmt.Sprint(code))
		if seen := job.seen(); len(seen) != 1 {
			t.Errorf("%d: %v", code, seen)
		}
	}
}

func TestAnApplicationThatIsNotThereYetIsAskedAgainWithTheSameID(t *testing.T) {
	var tries atomic.Int64
	job := serve(t, func(writer http.ResponseWriter, _ *http.Request) {
		switch tries.Add(1) {
		case 1:
			writer.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			// Hung up in the middle of the answer.
			writer.Header().Set("Content-Length", "10")
			fmt.Fprint(writer, "half")
		}
	})
	outcome := stand.Start(t, job.config(nil)).Succeeds("cloud.spot.interrupt", 30*time.Second)
	if seen := job.seen(); len(seen) != 3 || seen[0].key != seen[2].key || outcome.Details["requests"] != 3.0 {
		t.Fatal(seen, outcome)
	}
}

func TestOneThatIsUnderWayAlreadyIsWaitedFor(t *testing.T) {
	job := serve(t, func(writer http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPost {
			writer.WriteHeader(http.StatusConflict)
		}
		fmt.Fprint(writer, `{"state":"complete"}`)
	})
	stand.Start(t, job.polled(nil)).Succeeds("cloud.spot.interrupt", 30*time.Second)
}

// As one does that answers when it is done, or a proxy that loses the answer.
func TestARequestThatHangsKeepsNobodyFromAskingHowItGoes(t *testing.T) {
	job := serve(t, func(writer http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPost {
			<-request.Context().Done()
			return
		}
		fmt.Fprint(writer, `{"state":"complete"}`)
	})
	outcome := stand.Start(t, job.polled(nil)).Succeeds("cloud.spot.interrupt", 30*time.Second)
	if outcome.Details["requests"] != 1.0 || outcome.Details["polls"] != 1.0 {
		t.Fatal(outcome)
	}
}

func TestWhatCannotBeReadIsNeverComplete(t *testing.T) {
	for _, body := range []string{
		"", "complete", `{"state":"complete"`, `{"State":"complete"}`, `["complete"]`, `{"state":["complete"]}`, `{"state":true}`,
		// Cut short it would be whole.
		`{"state":"complete"}` + strings.Repeat(" ", bodyLimit),
	} {
		job := serve(t, func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprint(writer, body) })
		plugin := stand.Start(t, job.polled(nil))
		plugin.Fails("cloud.spot.interrupt", 300*time.Millisecond, "checkpoint")
	}
}

func TestAnApplicationThatHangsOrIsGoneFailsInTime(t *testing.T) {
	over := make(chan struct{})
	job := serve(t, func(_ http.ResponseWriter, request *http.Request) {
		select {
		case <-over:
		case <-request.Context().Done():
		}
	})
	defer close(over)
	stand.Start(t, job.polled(nil)).Fails("cloud.spot.interrupt", time.Second, "deadline exceeded")
	gone := httptest.NewServer(nil)
	gone.Close()
	for retry, left := range map[int]time.Duration{1: 30 * time.Second, 30: time.Second} {
		plugin := stand.Start(t, map[string]any{"url": gone.URL, "poll_interval_ms": 50, "retry_seconds": retry})
		outcome := plugin.Fails("cloud.spot.interrupt", left, "could not be asked", "refused")
		if took := outcome.Details["took_ms"].(float64); outcome.Details["requests"].(float64) < 2 || took > 2000 {
			t.Errorf("within %d s: %s", retry, outcome)
		}
	}
}

func TestAPointerLeadsWhereRFC6901Says(t *testing.T) {
	const document = `{"a/b":{"m~n":[{"done":1.0},null,false]},"":"empty","é":"x"}`
	for pointer, value := range map[string]any{"/a~1b/m~0n/0/done": 1, "/a~1b/m~0n/1": nil, "/a~1b/m~0n/2": false, "/": "empty", "/é": "x"} {
		job := serve(t, func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprint(writer, document) })
		plugin := stand.Start(t, job.config(map[string]any{"complete_pointer": pointer, "complete_value": value}))
		plugin.Succeeds("cloud.spot.interrupt", 30*time.Second)
		for _, wrong := range []string{pointer + "/more", "/a~1b/m~0n/-", "/a~1b/m~0n/01", "/a~1b/m~0n/3"} {
			plugin.Configure(job.config(map[string]any{"complete_pointer": wrong, "complete_value": value}))
			plugin.Fails("cloud.spot.interrupt", 30*time.Second, "nothing at")
		}
	}
}
