package snooze

// A plugin as a service on NATS: one endpoint a method, on the plugin's own subjects, for as long as it lives. It
// subscribes and publishes nothing that its credentials do not allow: its subjects, the service protocol's, answers.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// So long may what is under way go on after it was asked to end; who stops services often waits for thirty seconds.
const drainLimit = 10 * time.Second

// A connection that is lost is tried again this often, a little varied so that not all come back at once.
const reconnectWait = time.Second

// So many questions of one method may wait in the plugin. Whoever asked the next has no answer, which is unknown.
const waitingLimit = 1024

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// busSettings are where and for whom a plugin serves.
type busSettings struct {
	url         string
	credentials string
	// The host that it serves, or nothing where it serves all.
	host string
}

// The methods by the last token of their subject.
var endpoints = []struct{ token, method string }{
	{"info", "Info"},
	{"check_idle", "CheckIdle"},
	{"handle_event", "HandleEvent"},
	{"supported_events", "GetSupportedEvents"},
	{"configure", "Configure"},
	{"initialize", "Initialize"},
	{"shutdown", "Shutdown"},
}

// bus is a connected plugin.
type bus struct {
	session    *session
	connection *nats.Conn
	// The host that its subjects name, or nothing where it serves all.
	host string
	// Each takes one, and what comes later is not needed.
	shutdown chan struct{}
	refused  chan error
	closed   chan struct{}
}

// serveBus answers until the context ends, somebody asks for a shutdown, or the server refuses a subject.
func serveBus(asked context.Context, session *session, settings busSettings) error {
	if settings.host != "" && (!hostPattern.MatchString(settings.host) || settings.host == "fleet") {
		return fmt.Errorf("%s %q has to be 1 to 64 of A-Z, a-z, 0-9, _ and -, and not fleet", hostVariable, settings.host)
	}
	bus := &bus{
		session:  session,
		host:     settings.host,
		shutdown: make(chan struct{}, 1),
		refused:  make(chan error, 1),
		closed:   make(chan struct{}),
	}
	if err := bus.connect(settings); err != nil {
		return err
	}
	defer bus.connection.Close()
	if err := bus.register(settings); err != nil {
		return err
	}
	var failed error
	select {
	case <-asked.Done():
		note("it was asked to end")
	case <-bus.shutdown:
		note("it was asked to shut down")
	case failed = <-bus.refused:
	case <-bus.closed:
		failed = fmt.Errorf("the connection was closed: %w", bus.connection.LastError())
	}
	bus.drain()
	// Whatever still runs has had its time.
	over, cancel := context.WithCancel(context.Background())
	cancel()
	session.finish(over)
	return failed
}

func (bus *bus) connect(settings busSettings) error {
	name := bus.session.info.Name
	inbox := "_INBOX_fleet-plugin." + name
	if settings.host != "" {
		inbox = "_INBOX_plugin." + settings.host + "_" + name
	}
	options := []nats.Option{
		nats.Name(name),
		nats.CustomInboxPrefix(inbox),
		nats.DrainTimeout(drainLimit),
		// For ever, a server that is away at the start and credentials that are replaced later included.
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait/2, reconnectWait/2),
		nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(func(*nats.Conn) { note("it is connected") }),
		nats.ReconnectHandler(func(*nats.Conn) { note("it is connected again") }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				note("the connection was lost: %s", err)
			}
		}),
		nats.ReconnectErrHandler(bus.reconnectFailed()),
		nats.ClosedHandler(bus.isClosed),
		nats.ErrorHandler(bus.hasFailed),
	}
	if settings.credentials != "" {
		// The client reads them at each connection; that they are missing is told now.
		if _, err := os.ReadFile(settings.credentials); err != nil {
			return fmt.Errorf("%s: %w", credentialsVariable, err)
		}
		options = append(options, nats.UserCredentials(settings.credentials))
	}
	var err error
	if bus.connection, err = nats.Connect(settings.url, options...); err != nil {
		return fmt.Errorf("connecting to %s: %w", urlVariable, err)
	}
	return nil
}

func (bus *bus) isClosed(*nats.Conn) { close(bus.closed) }

// reconnectFailed says why once, and again when the reason changes.
func (bus *bus) reconnectFailed() nats.ConnErrHandler {
	last := ""
	return func(_ *nats.Conn, err error) {
		if text := err.Error(); text != last {
			last = text
			note("it cannot connect, and goes on trying: %s", text)
		}
	}
}

// hasFailed hears of what goes wrong outside of a call.
func (bus *bus) hasFailed(_ *nats.Conn, subscription *nats.Subscription, err error) {
	// A plugin that may not hear its questions would be up and deaf. A refused answer is only that: whoever
	// asked may have wanted it at a subject of somebody else.
	if errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), "for Subscription") {
		select {
		case bus.refused <- err:
		default:
		}
		return
	}
	if subscription != nil {
		note("%s: %s", subscription.Subject, err)
		return
	}
	note("%s", err)
}

// register makes the service. While the server is away the client remembers the subscriptions.
func (bus *bus) register(settings busSettings) error {
	info := bus.session.info
	prefix, queue := "snooze.v1.fleet.plugin."+info.Name, micro.WithEndpointQueueGroup(info.Name)
	if settings.host != "" {
		prefix, queue = "snooze.v1.host."+settings.host+".plugin."+info.Name, micro.WithEndpointQueueGroupDisabled()
	}
	service, err := micro.AddService(bus.connection, micro.Config{
		Name:        info.Name,
		Version:     info.Version,
		Description: info.Description,
	})
	if err != nil {
		return fmt.Errorf("registering the service: %w", err)
	}
	for _, endpoint := range endpoints {
		handler := micro.HandlerFunc(func(request micro.Request) { bus.answer(endpoint.method, endpoint.token, request) })
		err := service.AddEndpoint(endpoint.token, handler, queue,
			micro.WithEndpointSubject(prefix+"."+endpoint.token),
			micro.WithEndpointPendingLimits(waitingLimit, waitingLimit*bodyLimit/16))
		if err != nil {
			return fmt.Errorf("registering %s: %w", endpoint.token, err)
		}
	}
	// The service's own handlers end it after one question too many; it has to go on.
	bus.connection.SetErrorHandler(bus.hasFailed)
	bus.connection.SetClosedHandler(bus.isClosed)
	return nil
}

func (bus *bus) answer(method, token string, request micro.Request) {
	var body []byte
	failed := checkHeaders(token, request.Headers())
	if failed == nil {
		body, failed = bus.ask(method, token, request.Data())
	}
	packed := isPacked(request.Data())
	if failed == nil {
		var written []byte
		if written, failed = bus.write(body, packed); failed == nil {
			bus.sent(token, request.Respond(written))
			if method == "Shutdown" {
				select {
				case bus.shutdown <- struct{}{}:
				default:
				}
			}
			return
		}
	}
	written, unwritable := bus.write(certain(map[string]string{"error": failed.text}), packed)
	if unwritable != nil {
		note("%s: %s", token, unwritable.text)
		return
	}
	// Headers are lines.
	text := strings.Join(strings.Fields(failed.text), " ")
	bus.sent(token, request.Error(failed.status(), text, written))
}

func (bus *bus) ask(method, token string, body []byte) ([]byte, *failure) {
	switch {
	case len(body) > bodyLimit:
		return nil, fail(codeInvalid, "the body has %d bytes, %d are allowed", len(body), bodyLimit)
	case isPacked(body):
		var err error
		if body, err = unpack(body); err != nil {
			return nil, fail(codeParse, "the body cannot be read as MessagePack: %s", err)
		}
	case len(body) > 0 && body[0] != '{':
		return nil, fail(codeParse, "the body is neither a MessagePack map nor a JSON object")
	}
	if failed := checkHost(body, bus.host); failed != nil {
		return nil, failed
	}
	var left *leftMs
	if method == "HandleEvent" {
		left = timeLeft(body)
	}
	ctx, cancel := bus.session.within(left)
	defer cancel()
	return bus.session.ask(ctx, method, token, body)
}

// write puts an answer into the form of its question.
func (bus *bus) write(text []byte, packed bool) ([]byte, *failure) {
	if packed {
		var err error
		if text, err = pack(text); err != nil {
			return nil, fail(codeInternal, "its answer cannot be written as MessagePack: %s", err)
		}
	}
	if limit := min(bodyLimit, bus.connection.MaxPayload()); int64(len(text)) > limit {
		return nil, fail(codeInternal, "its answer has %d bytes, %d are allowed", len(text), limit)
	}
	return text, nil
}

func (bus *bus) sent(token string, err error) {
	if err != nil {
		note("%s could not be answered: %s", token, err)
	}
}

// drain takes no new questions and answers those that it has.
func (bus *bus) drain() {
	// An error means that there is no connection, so nothing to drain either.
	if err := bus.connection.Drain(); err != nil {
		return
	}
	select {
	case <-bus.closed:
	// The client flushes for five seconds at most after its own limit.
	case <-time.After(drainLimit + 6*time.Second):
		note("the connection could not be drained")
	}
}
