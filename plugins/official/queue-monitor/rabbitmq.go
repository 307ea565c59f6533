package main

// Queues of RabbitMQ, by its management API: AMQP says how many messages wait, and not how many are being worked on.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// An answer holds a few numbers.
const answerLimit = 1024 * 1024

var rabbitForm = form{"http://user:password@host:15672", []string{"http"}, []string{"https"}}

type rabbitMQ struct {
	endpoint
	vhost     string
	queues    []string
	transport *http.Transport
}

func newRabbitMQ(config snooze.Values) (broker, error) {
	endpoint, err := endpointOf(config, rabbitForm)
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
	return &rabbitMQ{endpoint, vhost, queues, &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: endpoint.tls("")}}, nil
}

func (rabbit *rabbitMQ) close() { rabbit.transport.CloseIdleConnections() }

func (rabbit *rabbitMQ) measure(ctx context.Context) (queues []queue, failed []error) {
	_, address, err := rabbit.read()
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
