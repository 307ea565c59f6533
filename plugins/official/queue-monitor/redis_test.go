package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func (server *redisStand) config(more object) object {
	part := object{"url": server.url(password)}
	for name, value := range more {
		part[name] = value
	}
	return object{"redis": part, "quiet_seconds": longestQuiet}
}

// soon is the same configuration, with a while that is over soon.
func soon(config object) object {
	config["quiet_seconds"] = 1
	return config
}

func TestARedisListIsBusyWhileItHolds(t *testing.T) {
	server := startRedis(t)
	plugin := stand.Start(t, server.config(object{"lists": list("jobs", "others")}))
	plugin.Idle()
	server.do("RPUSH", "jobs", "a")
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "jobs holds 1") {
		t.Fatal(vote)
	}
	server.do("LPOP", "jobs")
	plugin.Idle()
}

func TestMoreThanTheThresholdIsBusyAndAsMuchIsNot(t *testing.T) {
	server := startRedis(t)
	config := server.config(object{"lists": list("jobs")})
	config["message_threshold"] = 2
	plugin := stand.Start(t, config)
	server.do("RPUSH", "jobs", "a", "b")
	plugin.Idle()
	server.do("RPUSH", "jobs", "c")
	plugin.Busy()
	config["message_threshold"] = 3
	plugin.Configure(config)
	plugin.Idle()
}

func TestARedisGroupHoldsWhatWaitsAndWhatIsNotAcknowledged(t *testing.T) {
	server := startRedis(t)
	server.do("XGROUP", "CREATE", "a/b", "workers", "$", "MKSTREAM")
	config := server.config(object{"groups": list("a/b/workers")})
	plugin := stand.Start(t, config)
	idle(t, plugin)
	server.do("XADD", "a/b", "1-1", "x", "y")
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "holds 1") {
		t.Fatal(vote)
	}
	server.do("XREADGROUP", "GROUP", "workers", "me", "STREAMS", "a/b", ">")
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "holds 1") {
		t.Fatal(vote)
	}
	server.do("XACK", "a/b", "workers", "1-1")
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "delivered 1") {
		t.Fatal(vote)
	}
	plugin.Configure(soon(config))
	idle(t, plugin)
}

func TestARedisGroupWhoseLagIsNotKnownIsCounted(t *testing.T) {
	server := startRedis(t)
	server.do("XGROUP", "CREATE", "jobs", "workers", "$", "MKSTREAM")
	for _, id := range list("1-1", "1-2", "1-3") {
		server.do("XADD", "jobs", id, "x", "y")
	}
	server.do("XDEL", "jobs", "1-2")
	plugin := stand.Start(t, server.config(object{"groups": list("jobs/workers")}))
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "holds 2") {
		t.Fatal(vote)
	}
	for index := range countedAtMost {
		server.do("XADD", "jobs", fmt.Sprintf("2-%d", index+1), "x", "y")
	}
	config := server.config(object{"groups": list("jobs/workers")})
	config["message_threshold"] = countedAtMost + 10
	plugin.Configure(config)
	plugin.Unknown("or more")
}

func TestARedisStreamIsBusyWhileItHoldsOrGrows(t *testing.T) {
	server := startRedis(t)
	server.do("XADD", "jobs", "1-1", "x", "y")
	plugin := stand.Start(t, server.config(object{"streams": list("jobs")}))
	plugin.Busy()
	server.do("XDEL", "jobs", "1-1")
	idle(t, plugin)
	server.do("XADD", "jobs", "1-2", "x", "y")
	server.do("XDEL", "jobs", "1-2")
	if vote := plugin.Busy(); !strings.Contains(vote.Reason, "delivered 1") {
		t.Fatal(vote)
	}
}

func TestConnectionsAreKeptAndClosedAtTheEnd(t *testing.T) {
	server := startRedis(t)
	plugin := stand.Start(t, server.config(object{"lists": list("jobs")}))
	clients := func() int {
		text, err := server.client.ClientList(context.Background()).Result()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(text, "\n") - 1
	}
	for range 3 {
		plugin.Idle()
	}
	if count := clients(); count != 1 {
		t.Fatalf("it holds %d connections", count)
	}
	if _, failure := plugin.Ask("Shutdown", object{}); failure != "" {
		t.Fatal(failure)
	}
	stand.WaitUntil(t, "it has left", func() bool { return clients() == 0 })
}
