package main

// Queues of RabbitMQ, by its management API: AMQP says how many messages wait, and not how many are being worked on.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// An answer holds a few numbers.
const answerLimit = 1024 * 1024

type rabbitMQ struct {
	url       settings.Secret
	vhost     string
	queues    []string
	transport *http.Transport
}

func newRabbitMQ(config snooze.Values) (broker, error) {
	address, err := urlOf(config, "http://user:password@host:15672", "http", "https")
	if err != nil {
		return nil, err
	}
	vhost, err := config.Text("vhost", "/")
	if err != nil {
		return nil, err
	}
	if vhost == "" {
		return nil, errors.New("vhost is empty; the usual one is /")
	}
	queues, err := settings.Texts(config, "queues")
	if err != nil {
		return nil, err
	}
	if len(queues) == 0 {
		return nil, errors.New("queues is missing: it lists their names")
	}
	return &rabbitMQ{address, vhost, queues, &http.Transport{MaxConnsPerHost: 1}}, nil
}

// urlOf takes the address of a broker from `url` or `url_file`.
func urlOf(config snooze.Values, form string, schemes ...string) (settings.Secret, error) {
	address, err := settings.SecretOf(config, "url")
	if err != nil {
		return address, err
	}
	if !address.Given() {
		return address, fmt.Errorf("url is missing: it is of the form %s", form)
	}
	if _, isText := config["url"]; isText {
		text, err := address.Read()
		if err != nil {
			return address, err
		}
		_, err = parsed(text, form, schemes...)
		return address, err
	}
	return address, nil
}

// parsed reads an address, and says what is wrong with one without repeating any of it: it may hold a password.
func parsed(text, form string, schemes ...string) (*url.URL, error) {
	address, err := url.Parse(text)
	if err == nil {
		for _, scheme := range schemes {
			if address.Scheme == scheme && (address.Host != "" || scheme == "unix") {
				return address, nil
			}
		}
	}
	return nil, fmt.Errorf("url is not of the form %s", form)
}

func (rabbit *rabbitMQ) close() { rabbit.transport.CloseIdleConnections() }

func (rabbit *rabbitMQ) measure(ctx context.Context) (queues []queue, failed []error) {
	text, err := rabbit.url.Read()
	if err != nil {
		return nil, []error{fmt.Errorf("rabbitmq.%w", err)}
	}
	address, err := parsed(text, "http://user:password@host:15672", "http", "https")
	if err != nil {
		return nil, []error{fmt.Errorf("rabbitmq.%w", err)}
	}
	for _, name := range rabbit.queues {
		queue, err := rabbit.ask(ctx, address, name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		queues = append(queues, queue)
	}
	return queues, failed
}

func (rabbit *rabbitMQ) ask(ctx context.Context, address *url.URL, name string) (queue, error) {
	asked := queue{name: fmt.Sprintf("rabbitmq queue %s of %s", name, rabbit.vhost)}
	target := *address
	target.User = nil
	target = *target.JoinPath("api", "queues", url.PathEscape(rabbit.vhost), url.PathEscape(name))
	target.RawQuery = "columns=name,state,messages,message_stats.deliver_get"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return asked, fmt.Errorf("%s cannot be asked for at %s", asked.name, address.Host)
	}
	if address.User != nil {
		password, _ := address.User.Password()
		request.SetBasicAuth(address.User.Username(), password)
	}
	answer, err := rabbit.transport.RoundTrip(request)
	if err != nil {
		return asked, explain("RabbitMQ's management API", address.Host, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	switch {
	case err != nil:
		return asked, explain("RabbitMQ's management API", address.Host, err)
	case answer.StatusCode == http.StatusUnauthorized:
		return asked, fmt.Errorf("RabbitMQ at %s refuses the user: check user and password in rabbitmq.url, and that he has the tag management and rights on %s", address.Host, rabbit.vhost)
	case answer.StatusCode == http.StatusNotFound:
		return asked, fmt.Errorf("RabbitMQ at %s has no queue %s in %s", address.Host, name, rabbit.vhost)
	case answer.StatusCode != http.StatusOK:
		return asked, fmt.Errorf("RabbitMQ at %s answers %s", address.Host, answer.Status)
	}
	return asked.filled(text, name, address.Host)
}

// filled reads the answer. Numbers that are left out were not gathered yet, or cannot be.
func (asked queue) filled(text []byte, name, host string) (queue, error) {
	var said struct {
		Name     *string `json:"name"`
		State    string  `json:"state"`
		Messages *uint64 `json:"messages"`
		// A list where there are none.
		Statistics json.RawMessage `json:"message_stats"`
	}
	if err := json.Unmarshal(text, &said); err != nil || said.Name == nil || *said.Name != name {
		return asked, fmt.Errorf("what listens at %s does not answer as RabbitMQ's management API", host)
	}
	switch said.State {
	case "down", "crashed", "stopped", "minority":
		return asked, fmt.Errorf("%s is %s", asked.name, said.State)
	}
	if said.Messages == nil {
		return asked, fmt.Errorf("RabbitMQ at %s has not gathered yet what %s holds", host, asked.name)
	}
	asked.held = *said.Messages
	var statistics struct {
		Delivered *uint64 `json:"deliver_get"`
	}
	if strings.HasPrefix(string(said.Statistics), "{") && json.Unmarshal(said.Statistics, &statistics) != nil {
		return asked, fmt.Errorf("what listens at %s does not answer as RabbitMQ's management API", host)
	}
	asked.moved = statistics.Delivered
	return asked, nil
}

// explain says what failed, where, and what to do.
func explain(what, where string, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s at %s did not answer within %s: it hangs or is not reached", what, where, questionLimit)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s at %s may not be reached: %w; grant the plugin `tcp` with this port", what, where, err)
	}
	return fmt.Errorf("%s at %s cannot be asked: %w; does it run, and is url right?", what, where, err)
}
