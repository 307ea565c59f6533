package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
	"github.com/nats-io/nats.go/jetstream"
)

func TestANATSConsumerHoldsWhatWaitsAndWhatIsNotAcknowledged(t *testing.T) {
	server := startNATS(t)
	consumer := server.queue("JOBS")
	config := object{"quiet_seconds": longestQuiet,
		"nats": object{"url": server.url(password), "consumers": list("JOBS/workers"), "streams": list("JOBS")}}
	plugin := stand.Start(t, config)
	idle(t, plugin)
	server.publish("JOBS")
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "workers holds 1") || !strings.Contains(vote.Reason, "stream JOBS holds 1") {
		t.Fatal(vote)
	}
	batch, err := consumer.Fetch(1, jetstream.FetchMaxWait(stand.Limit))
	if err != nil {
		t.Fatal(err)
	}
	message := <-batch.Messages()
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "workers holds 1") {
		t.Fatal(vote)
	}
	if err := message.DoubleAck(context.Background()); err != nil {
		t.Fatal(err)
	}
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "workers delivered 1") {
		t.Fatal(vote)
	}
	plugin.Configure(soon(config))
	idle(t, plugin)
}

func TestRabbitMQHoldsDeliversAndRefuses(t *testing.T) {
	server := startRabbitMQ(t)
	for _, name := range list("jobs", "others") {
		server.do("PUT", "queues/%2F/"+name, `{"durable":false}`)
	}
	config := object{"quiet_seconds": longestQuiet, "rabbitmq": object{"url": server.url(password), "queues": list("jobs", "others")}}
	plugin := stand.Start(t, config)
	t.Run("an empty queue is idle", func(*testing.T) { idle(t, plugin) })
	t.Run("a queue that holds is busy", func(*testing.T) {
		server.publish("jobs")
		if vote := busy(t, plugin); !strings.Contains(vote.Reason, "jobs of / holds 1") {
			t.Fatal(vote)
		}
	})
	t.Run("what was delivered counts for a while", func(*testing.T) {
		server.get("jobs")
		stand.WaitUntil(t, "it was delivered", func() bool { return strings.Contains(plugin.Check().Reason, "delivered 1") })
		plugin.Configure(soon(config))
		idle(t, plugin)
	})
	t.Run("a queue that is not there is unknown", func(t *testing.T) {
		missing := object{"rabbitmq": object{"url": server.url(password), "queues": list("jobs", "none")}}
		stand.Start(t, missing).Unknown("none", server.address())
	})
	t.Run("TLS is held to its authority", func(t *testing.T) {
		url := strings.Replace(strings.Replace(server.url(password), "http:", "https:", 1), fmt.Sprint(server.port), fmt.Sprint(server.secure), 1)
		heldToItsAuthority(t, server.certificate, "rabbitmq", object{"url": url, "queues": list("jobs")})
	})
	t.Run("a wrong password is unknown and not shown", func(t *testing.T) {
		wrong := stand.Start(t, object{"rabbitmq": object{"url": server.url("hush"), "queues": list("jobs")}})
		if said := wrong.Unknown("password", server.address()); strings.Contains(said+wrong.Log(), "hush") {
			t.Fatal(said)
		}
	})
	t.Run("one that hangs is unknown in time", func(*testing.T) {
		server.Freeze()
		plugin.Unknown("did not answer", server.address())
		server.Thaw()
		idle(t, plugin)
	})
	t.Run("one that is down is unknown", func(*testing.T) {
		server.End()
		plugin.Unknown(server.address())
	})
}
