package main

// Consumers and streams of NATS JetStream, by the official client. A connection that is lost is made anew by the next
// check, and not behind its back.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"cloudsnooze.local/official/internal/bounded"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A server may ask for TLS whatever the address says.
var natsForm = form{"nats://user:password@host:4222", nil, []string{"nats", "tls", "ws", "wss"}}

type natsServer struct {
	endpoint
	credentials string
	consumers   [][2]string
	streams     []string
	// The connection, and the url that it was made with.
	connection *nats.Conn
	text       string
	budget     bounded.Budget
}

func newNATS(config snooze.Values) (broker, error) {
	endpoint, err := endpointOf(config, natsForm)
	if err != nil {
		return nil, err
	}
	credentials, err := settings.Path(config, "credentials_file")
	if err != nil {
		return nil, err
	}
	consumers, err := pairs(config, "consumers", "stream/consumer")
	if err != nil {
		return nil, err
	}
	streams, err := settings.Texts(config, "streams")
	if err != nil {
		return nil, err
	}
	if len(consumers)+len(streams) == 0 {
		return nil, errors.New("consumers is missing: it lists them as stream/consumer; streams may be given instead")
	}
	return &natsServer{endpoint: endpoint, credentials: credentials, consumers: consumers, streams: streams}, nil
}

// pairs is a list of two names each, with the last slash between them.
func pairs(config snooze.Values, field, form string) ([][2]string, error) {
	texts, err := settings.Texts(config, field)
	if err != nil {
		return nil, err
	}
	var pairs [][2]string
	for index, text := range texts {
		slash := strings.LastIndexByte(text, '/')
		if slash <= 0 || slash == len(text)-1 {
			return nil, fmt.Errorf("%s[%d] has to be %s and is %q", field, index, form, text)
		}
		pairs = append(pairs, [2]string{text[:slash], text[slash+1:]})
	}
	return pairs, nil
}

func (server *natsServer) close() {
	if server.connection != nil {
		server.connection.Close()
		server.connection = nil
	}
}

func (server *natsServer) measure(ctx context.Context) (queues []queue, failed []error) {
	text, address, err := server.read()
	if err != nil {
		return nil, []error{fmt.Errorf("nats.%w", err)}
	}
	server.budget.Renew()
	if err := server.connect(ctx, text); err != nil {
		return nil, []error{explainNATS(address.Host, err)}
	}
	stream, err := jetstream.New(server.connection)
	if err != nil {
		return nil, []error{explainNATS(address.Host, err)}
	}
	for _, names := range server.consumers {
		consumer, err := stream.Consumer(ctx, names[0], names[1])
		if err != nil {
			failed = append(failed, fmt.Errorf("consumer %s/%s: %w", names[0], names[1], explainNATS(address.Host, err)))
			continue
		}
		info := consumer.CachedInfo()
		moved := info.Delivered.Consumer
		queues = append(queues, queue{
			name: "nats consumer " + names[0] + "/" + names[1], held: info.NumPending + uint64(info.NumAckPending), moved: &moved,
		})
	}
	for _, name := range server.streams {
		found, err := stream.Stream(ctx, name)
		if err != nil {
			failed = append(failed, fmt.Errorf("stream %s: %w", name, explainNATS(address.Host, err)))
			continue
		}
		state := found.CachedInfo().State
		moved := state.LastSeq
		queues = append(queues, queue{name: "nats stream " + name, held: state.Msgs, moved: &moved})
	}
	return queues, failed
}

func (server *natsServer) connect(ctx context.Context, text string) error {
	if server.connection != nil && server.connection.IsConnected() && server.text == text {
		return nil
	}
	server.close()
	dialer := &dialer{ctx: ctx, dial: server.budget.Within((&net.Dialer{}).DialContext)}
	options := []nats.Option{
		nats.Name("CloudSnooze queue-monitor"), nats.NoReconnect(), nats.Timeout(questionLimit), nats.SetCustomDialer(dialer),
		// What is refused later is the answer to a question as well.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	if server.credentials != "" {
		options = append(options, nats.UserCredentials(server.credentials))
	}
	if server.authorities != nil {
		options = append(options, nats.Secure(server.tls("")))
	}
	connection, err := nats.Connect(text, options...)
	if !dialer.inTime() {
		err = context.DeadlineExceeded
	}
	if err != nil {
		if connection != nil {
			connection.Close()
		}
		return err
	}
	server.connection, server.text = connection, text
	return nil
}

// dialer keeps a connection that is being made within the question's time: the client has a limit for each of its steps,
// and none for all.
type dialer struct {
	ctx  context.Context
	dial bounded.Dial
	stop func() bool
}

func (dialer *dialer) Dial(network, address string) (net.Conn, error) {
	connection, err := dialer.dial(dialer.ctx, network, address)
	if err != nil {
		return nil, err
	}
	dialer.inTime()
	dialer.stop = context.AfterFunc(dialer.ctx, func() { connection.Close() })
	return connection, nil
}

// inTime lets go of the connection, and says whether that came before the end of the time.
func (dialer *dialer) inTime() bool { return dialer.stop == nil || dialer.stop() }

func explainNATS(where string, err error) error {
	switch {
	case errors.Is(err, nats.ErrTimeout):
		err = context.DeadlineExceeded
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("NATS at %s refuses the user: %w; check nats.url and nats.credentials_file", where, err)
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
		return fmt.Errorf("NATS at %s does not have it: %w", where, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return fmt.Errorf("NATS at %s has no JetStream for this user", where)
	}
	return explain("NATS", where, err)
}
