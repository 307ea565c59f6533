package main

// One checkpoint: the request, again while nobody takes it, and then the questions until it is complete. Every request
// carries the event's id, by which an application knows that it is the same one.

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloudsnooze.local/snooze"
)

// A question about how it goes is worth this long; one that hangs is asked again. So is the request itself where another
// address says how it goes: it may have been taken all the same.
const pollLimit = 5 * time.Second

// asked is what was done so far.
type asked struct {
	requests, polls int
	details         snooze.Values
}

type checkpoint struct {
	*application
	client *http.Client
	token  string
	event  snooze.Event
	asked  *asked
}

// newClient is one that goes where it is sent and nowhere else: no proxy, no redirect that would take the token along.
func newClient(authorities *x509.CertPool) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}, MaxConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (checkpoint *checkpoint) run(ctx context.Context) error {
	state, err := checkpoint.request(ctx)
	if state == isFailed || state == isComplete && checkpoint.status == "" {
		return err
	}
	if checkpoint.status == "" {
		return fmt.Errorf("%s was asked, and whether it is complete nobody knows: %w; name a status_url that says it", checkpoint.url.Host, err)
	}
	return checkpoint.poll(ctx)
}

// request asks for the checkpoint, and again where nobody takes that: an application may be about to start. One that is
// not there has nothing to save, and the time is of use to others. It is safe to ask again: the id is the same.
func (checkpoint *checkpoint) request(ctx context.Context) (state, error) {
	body, err := json.Marshal(checkpoint.body(ctx))
	if err != nil {
		return isFailed, err
	}
	end := time.Now().Add(checkpoint.retry)
	for {
		checkpoint.asked.requests++
		answer, err, hangs := checkpoint.post(ctx, body)
		if hangs {
			return isUnderWay, nil
		}
		if err == nil {
			checkpoint.asked.details["status"] = answer.code
			switch {
			case answer.code == http.StatusConflict && checkpoint.status != "":
				// The one before with this id is still under way, says the draft on idempotency keys.
				return isUnderWay, nil
			case !isPassing(answer.code):
				state, err := checkpoint.judge(answer)
				if state == isFailed {
					err = fmt.Errorf("%s made no checkpoint: %w", checkpoint.url.Host, err)
				}
				return state, err
			}
			err = fmt.Errorf("it answers %s", name(answer.code))
		}
		if isFinal(err) || !time.Now().Before(end) || pause(ctx, checkpoint.pollInterval) != nil {
			return isFailed, fmt.Errorf("%s could not be asked for a checkpoint: %w%s", checkpoint.url.Host, err, advice(err))
		}
	}
}

// post is the request once. It hangs where an answer does not come in time and status_url can say what became of it.
func (checkpoint *checkpoint) post(ctx context.Context, body []byte) (_ answer, _ error, hangs bool) {
	if checkpoint.status == "" {
		answer, err := checkpoint.ask(ctx, http.MethodPost, checkpoint.url.String(), body)
		return answer, err, false
	}
	limited, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	answer, err := checkpoint.ask(limited, http.MethodPost, checkpoint.url.String(), body)
	return answer, err, err != nil && limited.Err() != nil && ctx.Err() == nil
}

// judge says what the answer to the request comes to. With a status_url this says whether it was taken; what it says
// besides may be about none yet.
func (checkpoint *checkpoint) judge(answer answer) (state, error) {
	if checkpoint.status != "" && answer.code >= 200 && answer.code <= 299 {
		return isUnderWay, nil
	}
	return checkpoint.complete.judge(answer)
}

// poll asks how it goes until it is complete, failed, or the time is over.
func (checkpoint *checkpoint) poll(ctx context.Context) error {
	address := strings.ReplaceAll(checkpoint.status, placeholder, url.PathEscape(checkpoint.event.ID))
	for {
		checkpoint.asked.polls++
		limited, cancel := context.WithTimeout(ctx, pollLimit)
		answer, err := checkpoint.ask(limited, http.MethodGet, address, nil)
		cancel()
		if err == nil {
			var state state
			checkpoint.asked.details["status"] = answer.code
			state, err = checkpoint.complete.judge(answer)
			// One that is not known yet may come.
			if answer.code == http.StatusNotFound {
				state = isUnderWay
			}
			switch state {
			case isComplete:
				return nil
			case isFailed:
				return fmt.Errorf("%s did not complete its checkpoint: %w", checkpoint.url.Host, err)
			}
		}
		if isFinal(err) || pause(ctx, checkpoint.pollInterval) != nil {
			return fmt.Errorf("%s did not complete its checkpoint in time: %w%s", checkpoint.url.Host, err, advice(err))
		}
	}
}

func (checkpoint *checkpoint) body(ctx context.Context) snooze.Values {
	event := checkpoint.event
	body := snooze.Values{"id": event.ID, "type": event.Type, "severity": event.Severity, "source": event.Source,
		"host": event.Host, "noticed_at": event.NoticedAt, "data": event.Data}
	if event.Deadline != nil {
		body["deadline"] = *event.Deadline
	}
	if end, isKnown := ctx.Deadline(); isKnown {
		body["left_ms"] = max(0, time.Until(end).Milliseconds())
	}
	return body
}

func (checkpoint *checkpoint) ask(ctx context.Context, method, address string, body []byte) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Idempotency-Key", checkpoint.event.ID)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "app-checkpointer")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if checkpoint.token != "" {
		request.Header.Set("Authorization", "Bearer "+checkpoint.token)
	}
	response, err := checkpoint.client.Do(request)
	if err != nil {
		return answer{}, plain(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit+1))
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("its answer ends in the middle: %w", plain(err))
	case len(text) > bodyLimit:
		return answer{}, fmt.Errorf("its answer has more than %d bytes", bodyLimit)
	}
	return answer{response.StatusCode, text}, nil
}

// plain is the cause without the address, which the message has already.
func plain(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// isFinal says whether the same question would be answered the same: by the fence, and by a certificate.
func isFinal(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.As(err, new(*tls.CertificateVerificationError))
}

func advice(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "; grant the plugin `tcp` with this port"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "; its certificate is not one of the authorities that are trusted: name its own in ca_file"
	}
	return ""
}

func pause(ctx context.Context, interval time.Duration) error {
	select {
	case <-time.After(interval):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
