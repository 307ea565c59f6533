package main

// A real RabbitMQ, nats-server and redis-server, on free ports and in folders of their own.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
)

// Of the users that the tests make.
const password = "p@ss/word:)"

// running is a server, and how it is started again on the same port.
type running struct {
	*stand.Server
	t       *testing.T
	port    int
	answers func() bool
	command func() *exec.Cmd
}

func (server *running) address() string { return fmt.Sprintf("127.0.0.1:%d", server.port) }

// run starts it and waits until it answers.
func (server *running) run() {
	server.t.Helper()
	server.Server = stand.Serve(server.t, server.command())
	stand.WaitUntil(server.t, "the server answers", func() bool {
		if server.Ended() {
			server.t.Fatalf("it ended:\n%s", server.Log())
		}
		return server.answers()
	})
}

type redisStand struct {
	running
	client *redis.Client
}

func startRedis(t *testing.T) *redisStand {
	t.Helper()
	program, port, folder := stand.Program(t, "redis-server", "redis-server"), stand.Port(t), t.TempDir()
	client := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), Password: password})
	t.Cleanup(func() { client.Close() })
	server := &redisStand{client: client, running: running{t: t, port: port,
		answers: func() bool { return client.Ping(context.Background()).Err() == nil },
		command: func() *exec.Cmd {
			// The user who asks has the rights that the README names and no others.
			return exec.Command(program, "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
				"--requirepass", password, "--user", "monitor", "on", ">"+password, "%R~*", "+llen", "+xinfo", "+xrange")
		},
	}}
	server.run()
	return server
}

func (server *redisStand) do(arguments ...any) {
	server.t.Helper()
	if err := server.client.Do(context.Background(), arguments...).Err(); err != nil {
		server.t.Fatalf("%v: %s", arguments, err)
	}
}

func (server *redisStand) url(secret string) string {
	return "redis://monitor:" + escaped(secret) + "@" + server.address() + "/0"
}

func escaped(text string) string {
	return strings.NewReplacer("@", "%40", "/", "%2F", ":", "%3A", ")", "%29").Replace(text)
}

type natsStand struct {
	running
	stream jetstream.JetStream
	// Nil where it has no TLS.
	certificate *stand.Certificate
}

func startNATS(t *testing.T) *natsStand { t.Helper(); return serveNATS(t, nil) }

func startNATSWithTLS(t *testing.T) *natsStand {
	t.Helper()
	own := stand.Certify(t)
	return serveNATS(t, &own)
}

func serveNATS(t *testing.T, own *stand.Certificate) *natsStand {
	t.Helper()
	program := os.Getenv("SNOOZE_NATS_SERVER")
	if program == "" {
		program = stand.Program(t, "nats-server", "nats-server")
	}
	port, folder := stand.Port(t), t.TempDir()
	// The user who asks has the rights that the README names and no others.
	config := filepath.Join(folder, "nats.conf")
	text := fmt.Sprintf(`listen: "127.0.0.1:%d"
jetstream: { store_dir: %q }
authorization: { users: [
  { user: boss, password: %q }
  { user: monitor, password: %q, permissions: {
    publish: ["$JS.API.CONSUMER.INFO.*.*", "$JS.API.STREAM.INFO.*"], subscribe: ["_INBOX.>"] } }
] }
`, port, folder, password, password)
	var trusted []nats.Option
	if own != nil {
		text += fmt.Sprintf("tls: { cert_file: %q, key_file: %q }\n", own.Certificate, own.Key)
		trusted = append(trusted, nats.RootCAs(own.Authority))
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server := &natsStand{certificate: own, running: running{t: t, port: port, command: func() *exec.Cmd { return exec.Command(program, "-c", config) }}}
	server.answers = func() bool {
		connection, err := nats.Connect("nats://"+server.address(), append(trusted, nats.UserInfo("boss", password))...)
		if err != nil {
			return false
		}
		t.Cleanup(connection.Close)
		if server.stream, err = jetstream.New(connection); err != nil {
			return false
		}
		_, err = server.stream.AccountInfo(context.Background())
		return err == nil
	}
	server.run()
	return server
}

func (server *natsStand) url(secret string) string {
	return "nats://monitor:" + escaped(secret) + "@" + server.address()
}

// queue makes a stream that loses what was acknowledged, with a consumer.
func (server *natsStand) queue(stream string) jetstream.Consumer {
	server.t.Helper()
	made, err := server.stream.CreateStream(context.Background(), jetstream.StreamConfig{
		Name: stream, Subjects: []string{stream + ".>"}, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		server.t.Fatal(err)
	}
	consumer, err := made.CreateConsumer(context.Background(), jetstream.ConsumerConfig{Durable: "workers"})
	if err != nil {
		server.t.Fatal(err)
	}
	return consumer
}

func (server *natsStand) publish(stream string) {
	server.t.Helper()
	if _, err := server.stream.Publish(context.Background(), stream+".job", []byte("x")); err != nil {
		server.t.Fatal(err)
	}
}

type rabbitStand struct {
	running
	// Where it answers by TLS, and with what.
	secure      int
	certificate stand.Certificate
}

// startRabbitMQ starts one with its management API, and an epmd of its own, which it would leave behind else.
func startRabbitMQ(t *testing.T) *rabbitStand {
	t.Helper()
	stand.Program(t, "rabbitmq-server", "rabbitmq-server")
	epmd, folder := stand.Port(t), t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	daemon := exec.Command(stand.Program(t, "epmd", "erlang-base"), "-port", fmt.Sprint(epmd), "-address", "127.0.0.1")
	stand.Serve(t, daemon)
	server := &rabbitStand{running{t: t, port: stand.Port(t)}, stand.Port(t), stand.Certify(t)}
	write := func(name, text string) {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plugins", "[rabbitmq_management].")
	write("rabbit.conf", fmt.Sprintf("listeners.tcp.1 = 127.0.0.1:%d\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d\n"+
		"collect_statistics_interval = 1000\ndefault_user = boss\ndefault_pass = boss\nmanagement.ssl.ip = 127.0.0.1\nmanagement.ssl.port = %d\n"+
		"management.ssl.cacertfile = %s\nmanagement.ssl.certfile = %s\nmanagement.ssl.keyfile = %s\n", stand.Port(t), server.port,
		server.secure, server.certificate.Authority, server.certificate.Certificate, server.certificate.Key))
	distribution := stand.Port(t)
	server.command = func() *exec.Cmd {
		// Debian's own wrapper would change the user.
		command := exec.Command("/usr/lib/rabbitmq/bin/rabbitmq-server")
		command.Env = append(os.Environ(), "HOME="+folder, "RABBITMQ_NODENAME=snooze@localhost", "RABBITMQ_CONF_ENV_FILE="+at("none"),
			"RABBITMQ_CONFIG_FILE="+at("rabbit.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE="+at("plugins"), "RABBITMQ_MNESIA_BASE="+at("data"),
			"RABBITMQ_LOG_BASE="+at("log"), "RABBITMQ_PID_FILE="+at("pid"), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", distribution),
			fmt.Sprintf("ERL_EPMD_PORT=%d", epmd), "RABBITMQ_LOGS=-", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 +sbwt none")
		return command
	}
	server.answers = func() bool { _, err := server.request("GET", "overview", ""); return err == nil }
	server.run()
	server.do("PUT", "users/monitor", `{"password":"`+password+`","tags":"management"}`)
	server.do("PUT", "permissions/%2F/monitor", `{"configure":"^$","write":"^$","read":"^$"}`)
	return server
}

func (server *rabbitStand) url(secret string) string {
	return "http://monitor:" + escaped(secret) + "@" + server.address()
}

// request asks the management API as the superuser.
func (server *rabbitStand) request(method, path, body string) (string, error) {
	request, err := http.NewRequest(method, "http://"+server.address()+"/api/"+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth("boss", "boss")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		return "", fmt.Errorf("%s %s: %s %s %w", method, path, answer.Status, text, err)
	}
	return string(text), nil
}

func (server *rabbitStand) do(method, path, body string) string {
	server.t.Helper()
	text, err := server.request(method, path, body)
	if err != nil {
		server.t.Fatal(err)
	}
	return text
}

func (server *rabbitStand) publish(queue string) {
	server.t.Helper()
	server.do("POST", "exchanges/%2F/amq.default/publish", `{"properties":{},"routing_key":"`+queue+`","payload":"x","payload_encoding":"string"}`)
}

// get takes a message out of a queue.
func (server *rabbitStand) get(queue string) {
	server.t.Helper()
	server.do("POST", "queues/%2F/"+queue+"/get", `{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}`)
}
