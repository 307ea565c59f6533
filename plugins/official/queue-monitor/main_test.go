package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/official/internal/stand"
)

func TestMain(m *testing.M) { stand.Main(m, main, nil) }

type object = map[string]any

func list(names ...string) []string { return names }

func TestTheManifestSaysWhatTheCodeDoes(t *testing.T) {
	manifest := stand.ManifestHolds(t)
	if manifest.Default(t, "message_threshold") != float64(defaultThreshold) || manifest.Default(t, "quiet_seconds") != float64(defaultQuiet) {
		t.Errorf("the manifest's defaults are others")
	}
}

// idle asks until it is idle: what a queue delivered is known with the second check, and counts for a while.
func idle(t *testing.T, plugin *stand.Plugin) stand.Vote {
	t.Helper()
	var vote stand.Vote
	stand.WaitUntil(t, "it is idle", func() bool { vote = plugin.Check(); return vote.Idle })
	return vote
}

func busy(t *testing.T, plugin *stand.Plugin) stand.Vote {
	t.Helper()
	var vote stand.Vote
	stand.WaitUntil(t, "it is busy", func() bool { vote = plugin.Check(); return !vote.Idle && vote.Unknown == "" })
	return vote
}

func TestWhatIsNotThereOrOfAnotherKindIsUnknown(t *testing.T) {
	redis, nats := startRedis(t), startNATS(t)
	redis.do("SET", "text", "x")
	redis.do("XADD", "jobs", "1-1", "x", "y")
	for _, part := range []object{{"lists": list("text")}, {"streams": list("text")}, {"streams": list("none")}, {"groups": list("none/workers")}, {"groups": list("jobs/none")}} {
		stand.Start(t, redis.config(part)).Unknown("redis")
	}
	for _, part := range []object{{"streams": list("NONE")}, {"consumers": list("NONE/workers")}} {
		part["url"] = nats.url(password)
		stand.Start(t, object{"nats": part}).Unknown("NONE", "not")
	}
}

func TestOneThatIsDownHangsOrRefusesIsUnknown(t *testing.T) {
	redis, nats := startRedis(t), startNATS(t)
	nats.queue("JOBS")
	for _, each := range []struct {
		server *running
		config func(secret string) object
	}{
		{&redis.running, func(secret string) object {
			return object{"redis": object{"url": redis.url(secret), "lists": list("jobs")}}
		}},
		{&nats.running, func(secret string) object {
			return object{"nats": object{"url": nats.url(secret), "consumers": list("JOBS/workers")}}
		}},
	} {
		server, address := each.server, each.server.address()
		wrong := stand.Start(t, each.config("hush"))
		if said := wrong.Unknown(address); strings.Contains(said+wrong.Log(), "hush") {
			t.Fatal(said)
		}
		plugin, fresh := stand.Start(t, each.config(password)), stand.Start(t, each.config(password))
		idle(t, plugin)
		server.Freeze()
		plugin.Unknown("did not answer", address)
		fresh.Unknown("did not answer", address)
		server.Thaw()
		idle(t, plugin)
		idle(t, fresh)
		server.End()
		plugin.Unknown(address)
		plugin.Unknown(address, "does it run")
		server.run()
		idle(t, plugin)
	}
}

func TestAPartialViewIsUnknownUnlessItIsBusyAlready(t *testing.T) {
	redis := startRedis(t)
	config := redis.config(object{"lists": list("jobs")})
	config["nats"] = object{"url": fmt.Sprintf("nats://127.0.0.1:%d", stand.Port(t)), "streams": list("JOBS")}
	plugin := stand.Start(t, config)
	plugin.Unknown("NATS")
	redis.do("RPUSH", "jobs", "a")
	plugin.Busy()
}

func TestGarbageIsUnknown(t *testing.T) {
	for _, text := range list("garbage\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", ":0\r\nx", "INFO {}\r\n+OK\r\n") {
		address := stand.Garbage(t, "tcp", "127.0.0.1:0", text)
		for kind, part := range map[string]object{
			"rabbitmq": {"url": "http://" + address, "queues": list("jobs")},
			"nats":     {"url": "nats://" + address, "streams": list("JOBS")},
			"redis":    {"url": "redis://:x@" + address, "streams": list("jobs")},
		} {
			if said := stand.Start(t, object{kind: part}).Unknown(); !strings.Contains(said, address) {
				t.Errorf("%s: %s", kind, said)
			}
		}
	}
}

func TestANewConfigurationHoldsAtOnceAndARefusedOneChangesNothing(t *testing.T) {
	one, other := startRedis(t), startRedis(t)
	other.do("RPUSH", "jobs", "a")
	plugin := stand.Start(t, one.config(object{"lists": list("jobs")}))
	plugin.Idle()
	plugin.Configure(other.config(object{"lists": list("jobs")}))
	plugin.Busy()
	good := one.url(password)
	for field, configs := range map[string][]object{
		"message_threshold": {{"message_threshold": -1}, {"message_threshold": 0.5}, {"message_threshold": "1"}},
		"quiet_seconds":     {{"quiet_seconds": 0}, {"quiet_seconds": longestQuiet + 1}},
		"rabbitmq":          {{"rabbitmq": "x"}, {"rabbitmq": nil}, {"redis": nil}, {}},
		"rabbitmq.queues":   {{"rabbitmq": object{"url": "http://a"}}, {"rabbitmq": object{"url": "http://a", "queues": []any{}}}},
		"rabbitmq.vhost":    {{"rabbitmq": object{"url": "http://a", "queues": list("a"), "vhost": ""}}},
		"rabbitmq.url":      {{"rabbitmq": object{"queues": list("a")}}, {"rabbitmq": object{"url": "amqp://u:hush@a", "queues": list("a")}}},
		"nats.consumers":    {{"nats": object{"url": "nats://a"}}, {"nats": object{"url": "nats://a", "consumers": list("JOBS")}}},
		"nats.url":          {{"nats": object{"url": "nats://u:hush@a:port", "streams": list("A")}}, {"nats": object{"url": 7, "streams": list("A")}}},
		"nats.credentials":  {{"nats": object{"url": "nats://a", "streams": list("A"), "credentials_file": "relative"}}},
		"redis.url":         {{"redis": object{"url": "u:hush", "lists": list("a")}}, {"redis": object{"url": good, "url_file": "/x", "lists": list("a")}}},
		"redis.groups":      {{"redis": object{"url": good, "groups": list("jobs/")}}},
		"redis.lists":       {{"redis": object{"url": good}}, {"redis": object{"url": good, "lists": "jobs"}}},
	} {
		for _, config := range configs {
			if len(config) > 0 && config["redis"] == nil && config["rabbitmq"] == nil && config["nats"] == nil && !strings.HasPrefix(field, "rabbitmq") {
				config["redis"] = object{"url": good, "lists": list("jobs")}
			}
			said := plugin.Refuses(config)
			if !strings.Contains(said, strings.Split(field, ",")[0]) && !(field == "rabbitmq" && strings.Contains(said, "redis")) || strings.Contains(said, "hush") {
				t.Errorf("%v: %q does not name %s", config, said, field)
			}
			plugin.Busy()
		}
	}
}

func TestTheUrlMayStandInAFileThatChanges(t *testing.T) {
	server := startRedis(t)
	path := filepath.Join(t.TempDir(), "url")
	plugin := stand.Start(t, object{"redis": object{"url_file": path, "lists": list("jobs")}})
	plugin.Unknown("redis.url_file")
	for _, text := range []string{"hush", server.url("hush")} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := plugin.Unknown(); strings.Contains(said, "hush") {
			t.Fatal(said)
		}
	}
	if err := os.WriteFile(path, []byte(server.url(password)), 0o600); err != nil {
		t.Fatal(err)
	}
	plugin.Idle()
}

func TestWhatWasDeliveredCountsForTheWholeWhileHoweverOftenSomebodyAsks(t *testing.T) {
	past, while, begin := history{}, time.Minute, time.Now()
	at := func(second int, moved uint64) (uint64, bool) {
		return past.since(queue{name: "q", moved: &moved}, begin.Add(time.Duration(second)*time.Second), while)
	}
	if _, isKnown := at(0, 5); isKnown {
		t.Fatal("nothing is known of the first")
	}
	for second := 1; second < 600; second++ {
		delivered, isKnown := at(second, map[bool]uint64{true: 6, false: 5}[second >= 100])
		expected := map[bool]uint64{true: 1, false: 0}[second >= 100 && second < 160]
		if !isKnown || delivered != expected {
			t.Fatalf("second %d: %d, %v", second, delivered, isKnown)
		}
	}
	if length := len(past["q"]); length > 62 {
		t.Fatalf("it remembers %d moments", length)
	}
	if delivered, isKnown := at(600, 2); !isKnown || delivered != 2 {
		t.Fatalf("a queue that was made anew: %d, %v", delivered, isKnown)
	}
}
