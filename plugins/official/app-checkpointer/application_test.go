package main

// An application that checkpoints when it is asked to, on a loopback port, and notes who asked it what.

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

type request struct{ method, path, key, body string }

type job struct {
	server *httptest.Server
	mutex  sync.Mutex
	asked  []request
}

// serve answers as `answer` does, or with 200 where it is nil.
func serve(t *testing.T, answer http.HandlerFunc) *job {
	t.Helper()
	job := prepare(answer)
	job.server.Start()
	t.Cleanup(job.server.Close)
	return job
}

func serveTLS(t *testing.T, own stand.Certificate) *job {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(own.Certificate, own.Key)
	if err != nil {
		t.Fatal(err)
	}
	job := prepare(nil)
	job.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	job.server.StartTLS()
	t.Cleanup(job.server.Close)
	return job
}

func prepare(answer http.HandlerFunc) *job {
	job := &job{}
	job.server = httptest.NewUnstartedServer(http.HandlerFunc(func(writer http.ResponseWriter, asked *http.Request) {
		body, _ := io.ReadAll(asked.Body)
		job.mutex.Lock()
		job.asked = append(job.asked, request{asked.Method, asked.URL.EscapedPath(), asked.Header.Get("Idempotency-Key"), string(body)})
		job.mutex.Unlock()
		if answer != nil {
			answer(writer, asked)
		}
	}))
	return job
}

// seen is what it was asked so far.
func (job *job) seen() []request {
	job.mutex.Lock()
	defer job.mutex.Unlock()
	return slices.Clone(job.asked)
}

func (job *job) config(more map[string]any) map[string]any {
	config := map[string]any{"url": job.server.URL + "/checkpoint", "poll_interval_ms": 50}
	for key, value := range more {
		config[key] = value
	}
	return config
}

// polled is a configuration by which it is asked how it goes.
func (job *job) polled(more map[string]any) map[string]any {
	config := job.config(map[string]any{"status_url": job.server.URL + "/checkpoint/{id}", "complete_pointer": "/state",
		"complete_value": "complete", "failed_values": []any{"failed"}})
	for key, value := range more {
		config[key] = value
	}
	return config
}
