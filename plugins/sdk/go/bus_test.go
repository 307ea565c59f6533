package snooze

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/vmihailenco/msgpack/v5"
)

const onHost = "snooze.v1.host.i-1.plugin.probe."

const onFleet = "snooze.v1.fleet.plugin.probe."

// labelled is a body with the headers of its subject's method.
func labelled(subject, body string) *nats.Msg {
	message := nats.NewMsg(subject)
	message.Data = []byte(body)
	message.Header.Set(kindHeader, subject[strings.LastIndexByte(subject, '.')+1:])
	message.Header.Set(versionHeader, spokenVersion)
	return message
}

// ask asks, and hands back the answer's body, or nothing where nobody listens.
func ask(t *testing.T, asker *nats.Conn, subject, body string) []byte {
	t.Helper()
	answer, err := asker.RequestMsg(labelled(subject, body), limit)
	if err == nats.ErrNoResponders {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %s", subject, err)
	}
	return answer.Data
}

// isThere waits until somebody listens.
func isThere(t *testing.T, asker *nats.Conn, subject string) {
	t.Helper()
	waitUntil(t, "somebody answers "+subject, func() bool { return ask(t, asker, subject, "") != nil })
}

func onBus(server *server, credentials string, more ...string) []string {
	return append(more, urlVariable+"="+server.address, credentialsVariable+"="+credentials)
}

// onHostI1 is a probe on the host i-1, and who asks it.
func onHostI1(t *testing.T) (*server, *child, *nats.Conn) {
	t.Helper()
	server := startServer(t)
	folder := "SNOOZE_TEST_FOLDER=" + server.folder
	child := probeChild(t, "probe", onBus(server, server.pluginCredentials("i-1", "probe"), hostVariable+"=i-1", folder)...)
	asker := server.asker()
	isThere(t, asker, onHost+"info")
	return server, child, asker
}

func TestEveryMethodIsAnsweredOnItsSubject(t *testing.T) {
	_, child, asker := onHostI1(t)
	for _, each := range []struct{ method, body, expected string }{
		{"info", ``, `{"name":"probe","version":"1.2.3","display_name":"","author":"","description":"Does what it is told"}`},
		{"configure", `{"config":{"text":"a"}}`, `{"success":true}`},
		{"configure", `{"config":{"text":1}}`, `{"error":"text has to be a text and is 1"}`},
		{"initialize", `{}`, `{"success":true}`},
		{"supported_events", `{}`, `{"events":["custom"]}`},
		{"handle_event", `{"event":{"id":"x","type":"custom","data":{"do":"configuration"}},"left_ms":9000}`,
			`{"handled":true,"succeeded":true,"message":"","details":{"text":"a"}}`},
		{"handle_event", `{"event":{"id":"x","type":"custom","data":{"do":"wait"}},"left_ms":50}`, `{"error":"context deadline exceeded"}`},
		{"check_idle", `{"metrics":{"cpu_usage":50},"host":"i-1"}`, `{"error":"CheckIdle returned neither Idle nor Busy"}`},
		{"check_idle", `[]`, `{"error":"the body is neither a MessagePack map nor a JSON object"}`},
	} {
		same(t, string(ask(t, asker, onHost+each.method, each.body)), each.expected)
	}
	if text := string(ask(t, asker, onHost+"check_idle", `{"metrics":{"cpu_usage":1},"host":"i-1"}`)); !strings.Contains(text, `"is_idle":true`) || !strings.Contains(text, `"host":"i-1"`) {
		t.Error(text)
	}
	same(t, string(ask(t, asker, onHost+"shutdown", `{}`)), `{"success":true}`)
	child.ends(0)
	if log := child.log.String(); strings.Count(log, "the probe is shut down") != 1 || strings.Contains(log, "iolation") {
		t.Error(log)
	}
}

func TestMessagePackIsAnsweredInMessagePack(t *testing.T) {
	// It serves all, as the fixture is about a host of its own.
	server := startServer(t)
	probeChild(t, "probe", onBus(server, server.fleetPluginCredentials("probe"))...)
	asker := server.asker()
	isThere(t, asker, onFleet+"info")
	fixture := golden(t, "check_idle.msgpack")
	var opinion struct {
		IsIdle bool           `msgpack:"is_idle"`
		Reason string         `msgpack:"reason"`
		More   map[string]any `msgpack:"details"`
	}
	answer := ask(t, asker, onFleet+"check_idle", string(fixture))
	if err := msgpack.Unmarshal(answer, &opinion); err != nil || !opinion.IsIdle || opinion.More["host"] != "i-0abc1234" {
		t.Fatalf("%q %v %v", answer, opinion, err)
	}
	var failed map[string]string
	answer = ask(t, asker, onFleet+"handle_event", "\x80")
	if err := msgpack.Unmarshal(answer, &failed); err != nil || failed["error"] != "params.event is missing" {
		t.Fatalf("%q %v", answer, err)
	}
	// An event as the runner sends it, echoed.
	event, err := pack([]byte(`{"event":{"id":"x","type":"custom","data":{"do":"echo","n":9007199254740993,"l":[1.5,null]}},"left_ms":90000}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := unpack(ask(t, asker, onFleet+"handle_event", string(event)))
	if err != nil || !strings.Contains(string(text), `"details":{"do":"echo","l":[1.5,null],"n":9007199254740993}`) {
		t.Fatalf("%s %v", text, err)
	}
	// A body of nothing but brackets costs its bytes and no stack.
	deep := append([]byte{0x81, 0xa1, 'z'}, bytes.Repeat([]byte{0x91}, 500_000)...)
	text, err = unpack(ask(t, asker, onFleet+"check_idle", string(deep)))
	if err != nil || !strings.Contains(string(text), "nested deeper") {
		t.Fatalf("%s %v", text, err)
	}
}

func TestWhatHasAnEffectIsRefusedWithoutItsHeaders(t *testing.T) {
	_, child, asker := onHostI1(t)
	for _, method := range []string{"handle_event", "configure", "initialize", "shutdown"} {
		answer, err := asker.Request(onHost+method, []byte(`{}`), limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, string(answer.Data), fmt.Sprintf(`{"error":"%[1]s has an effect and needs the header Snooze-Kind: %[1]s"}`, method))
	}
	for _, method := range []string{"info", "supported_events"} {
		answer, err := asker.Request(onHost+method, nil, limit)
		if err != nil || strings.Contains(string(answer.Data), "error") {
			t.Fatalf("%s %v", answer.Data, err)
		}
	}
	if strings.Contains(child.log.String(), "the probe is shut down") {
		t.Error("it was shut down without a word of who asked")
	}
}

func TestI3AnEventOfAnotherHostIsRefused(t *testing.T) {
	_, _, asker := onHostI1(t)
	event := `{"event":{"id":"x","type":"custom","host":"%s","data":{"do":"echo"}},"left_ms":9000}`
	refused := `{"error":"the body names the host i-2, and the subject i-1"}`
	same(t, string(ask(t, asker, onHost+"handle_event", fmt.Sprintf(event, "i-2"))), refused)
	same(t, string(ask(t, asker, onHost+"check_idle", `{"metrics":{"cpu_usage":1},"host":"i-2"}`)), refused)
	packed, err := pack([]byte(fmt.Sprintf(event, "i-2")))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := unpack(ask(t, asker, onHost+"handle_event", string(packed))); err != nil || string(text) != refused {
		t.Fatal(string(text), err)
	}
	for _, host := range []string{"i-1", "fleet"} {
		if text := string(ask(t, asker, onHost+"handle_event", fmt.Sprintf(event, host))); !strings.Contains(text, `"handled":true`) {
			t.Error(text)
		}
	}
}

func TestItIsAServiceWithAnEndpointForEachMethod(t *testing.T) {
	_, _, asker := onHostI1(t)
	ask(t, asker, onHost+"check_idle", `{}`)
	var info micro.Info
	if err := json.Unmarshal(ask(t, asker, "$SRV.INFO.probe", ""), &info); err != nil {
		t.Fatal(err)
	}
	if info.Name != "probe" || info.Version != "1.2.3" || info.Description != "Does what it is told" || len(info.Endpoints) != 7 {
		t.Fatal(info)
	}
	for index, method := range []string{"info", "check_idle", "handle_event", "supported_events", "configure", "initialize", "shutdown"} {
		if got := info.Endpoints[index]; got.Name != method || got.Subject != onHost+method || got.QueueGroup != "" {
			t.Error(got)
		}
	}
	var stats micro.Stats
	if err := json.Unmarshal(ask(t, asker, "$SRV.STATS.probe."+info.ID, ""), &stats); err != nil {
		t.Fatal(err)
	}
	checked := stats.Endpoints[1]
	if checked.NumRequests != 1 || checked.NumErrors != 1 || !strings.Contains(checked.LastError, "nil pointer") {
		t.Fatal(checked)
	}
	var ping micro.Ping
	if err := json.Unmarshal(ask(t, asker, "$SRV.PING", ""), &ping); err != nil || ping.ID != info.ID {
		t.Fatal(ping, err)
	}
}

func TestReplicasOfAFleetPluginShareTheQuestions(t *testing.T) {
	server := startServer(t)
	credentials := server.fleetPluginCredentials("probe")
	replicas := []*child{probeChild(t, "probe", onBus(server, credentials)...), probeChild(t, "probe", onBus(server, credentials)...)}
	asker := server.asker()
	processes := map[string]int{}
	asked := 0
	waitUntil(t, "both have answered", func() bool {
		for range 50 {
			body := ask(t, asker, onFleet+"check_idle", `{"metrics":{"cpu_usage":1},"host":"i-1"}`)
			if body == nil {
				return false
			}
			var answer struct{ Details struct{ Process int } }
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
			processes[fmt.Sprint(answer.Details.Process)]++
			asked++
		}
		return len(processes) == 2
	})
	// Every question was answered by one of them: each counts its own, and together they make up all.
	counted := 0
	for _, id := range serviceIDs(t, asker, 2) {
		var stats micro.Stats
		if err := json.Unmarshal(ask(t, asker, "$SRV.STATS.probe."+id, ""), &stats); err != nil {
			t.Fatal(err)
		}
		if stats.Endpoints[1].QueueGroup != "probe" {
			t.Error(stats.Endpoints[1])
		}
		counted += stats.Endpoints[1].NumRequests
	}
	if counted != asked {
		t.Fatalf("%d were asked and %d were heard", asked, counted)
	}
	// One goes, the other serves on.
	if err := replicas[0].command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	replicas[0].ends(0)
	if ask(t, asker, onFleet+"info", "") == nil {
		t.Fatal("nobody is left")
	}
}

func serviceIDs(t *testing.T, asker *nats.Conn, count int) []string {
	t.Helper()
	inbox := asker.NewInbox()
	answers, err := asker.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := asker.PublishRequest("$SRV.PING.probe", inbox, nil); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, count)
	for index := range ids {
		message, err := answers.NextMsg(limit)
		if err != nil {
			t.Fatal(err)
		}
		var ping micro.Ping
		if err := json.Unmarshal(message.Data, &ping); err != nil {
			t.Fatal(err)
		}
		ids[index] = ping.ID
	}
	return ids
}

func TestItComesBackWithTheServer(t *testing.T) {
	server, child, asker := onHostI1(t)
	server.kill()
	child.logs("it cannot connect, and goes on trying")
	server.again()
	waitUntil(t, "it answers again", func() bool {
		answer, err := asker.Request(onHost+"info", nil, limit)
		return err == nil && len(answer.Data) > 0
	})
	child.logs("it is connected again")
}

func TestItWaitsForAServerThatIsNotThereYet(t *testing.T) {
	server := startServer(t)
	server.kill()
	child := probeChild(t, "probe", onBus(server, server.pluginCredentials("i-1", "probe"), hostVariable+"=i-1")...)
	child.logs("it cannot connect, and goes on trying")
	server.again()
	isThere(t, server.asker(), onHost+"info")
}

func TestAtSIGTERMItAnswersWhatItHas(t *testing.T) {
	server, child, asker := onHostI1(t)
	inbox := asker.NewInbox()
	answers, err := asker.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"event":{"id":"x","type":"custom","data":{"do":"wait for a file"}},"left_ms":60000}`
	asked := labelled(onHost+"handle_event", body)
	asked.Reply = inbox
	if err := asker.PublishMsg(asked); err != nil {
		t.Fatal(err)
	}
	child.logs("waits")
	if ask(t, asker, onHost+"info", "") == nil {
		t.Fatal("who it is cannot be asked while it works")
	}
	if err := child.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "nobody takes new questions", func() bool { return ask(t, asker, onHost+"info", "") == nil })
	if err := os.WriteFile(filepath.Join(server.folder, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	answer, err := answers.NextMsg(limit)
	if err != nil {
		t.Fatal(err)
	}
	same(t, string(answer.Data), `{"handled":true,"succeeded":true,"message":"it is there","details":{}}`)
	child.ends(0)
	child.logs("the probe is shut down")
}

func TestASubjectThatTheServerRefusesEndsIt(t *testing.T) {
	server := startServer(t)
	child := probeChild(t, "probe", onBus(server, server.pluginCredentials("i-2", "probe"), hostVariable+"=i-1")...)
	child.ends(1)
	child.logs("Permissions Violation for Subscription")
}

func TestAnAnswerThatTheServerRefusesDoesNotEndIt(t *testing.T) {
	_, child, asker := onHostI1(t)
	// Whoever asks wants the answer where the plugin may not speak.
	if err := asker.PublishRequest(onHost+"info", "snooze.v1.ops.freeze", nil); err != nil {
		t.Fatal(err)
	}
	child.logs("Permissions Violation for Publish")
	isThere(t, asker, onHost+"info")
}

func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	for _, host := range []string{"fleet", "a.b", "*", strings.Repeat("x", 65)} {
		child := probeChild(t, "probe", urlVariable+"=nats://127.0.0.1:1", hostVariable+"="+host)
		child.ends(1)
		child.logs("SNOOZE_HOST")
	}
	child := probeChild(t, "probe", urlVariable+"=nats://127.0.0.1:1", credentialsVariable+"=/nowhere")
	child.ends(1)
	child.logs("SNOOZE_NATS_CREDENTIALS: open /nowhere")
}
