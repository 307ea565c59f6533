package snooze

import (
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

func TestEveryMethodIsAnsweredInTheOriginalsForm(t *testing.T) {
	child := probeChild(t, "probe")
	child.answers(`{"method":"Info","params":{},"id":1}`,
		`{"result":{"name":"probe","version":"1.2.3","display_name":"","author":"","description":"Does what it is told"},"id":1}`)
	child.answers(`{"method":"Configure","params":{"config":{"text":"a"}},"id":2}`, `{"result":{"success":true},"id":2}`)
	child.answers(`{"method":"Initialize","params":{},"id":3}`, `{"result":{"success":true},"id":3}`)
	child.answers(`{"method":"GetSupportedEvents","params":{},"id":4}`, `{"result":{"events":["custom"]},"id":4}`)
	child.answers(`{"method":"HandleEvent","params":{"event":{"id":"x","type":"custom","data":{"do":"echo"},"left_ms":9000}},"id":12345678901234567890}`,
		`{"result":{"handled":true,"succeeded":true,"message":"x","details":{"do":"echo"}},"id":12345678901234567890}`)
	child.answers(`{"method":"Shutdown","params":{},"id":6}`, `{"result":{"success":true},"id":6}`)
	child.answers(`{"method":"CheckIdle","params":{"metrics":{}},"id":7}`, `{"error":"it was shut down","id":7}`)
}

func TestAQuestionOfJSONRPCIsAnsweredAsOne(t *testing.T) {
	child := probeChild(t, "probe")
	child.answers(`{"jsonrpc":"2.0","method":"Initialize","params":{},"id":"a"}`, `{"jsonrpc":"2.0","result":{"success":true},"id":"a"}`)
	child.answers(`{"jsonrpc":"2.0","method":"Fly","id":2}`, `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Unknown method: Fly"},"id":2}`)
	child.answers(`{"jsonrpc":"2.0","method":"HandleEvent","params":{},"id":3}`,
		`{"jsonrpc":"2.0","error":{"code":-32602,"message":"params.event is missing"},"id":3}`)
	child.answers(`[]`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"the line is no JSON object"},"id":null}`)
	// A notification is carried out and not answered: the next answer is that of the next question.
	child.send(`{"jsonrpc":"2.0","method":"Configure","params":{"config":{"text":"told"}}}`)
	child.answers(`{"method":"HandleEvent","params":{"event":{"id":"x","type":"custom","data":{"do":"configuration"}}},"id":4}`,
		`{"result":{"handled":true,"succeeded":true,"message":"","details":{"text":"told"}},"id":4}`)
}

func TestAMethodThatIsNotThereIsUnknown(t *testing.T) {
	child := probeChild(t, "handler")
	child.answers(`{"method":"Fly","params":{},"id":1}`, `{"error":"Unknown method: Fly","id":1}`)
	child.answers(`{"method":"CheckIdle","params":{"metrics":{}},"id":2}`, `{"error":"Unknown method: CheckIdle","id":2}`)
	child.answers(`{"method":"Configure","params":{"config":{}},"id":3}`, `{"error":"Unknown method: Configure","id":3}`)
	child.answers(`{"method":"GetSupportedEvents","params":{},"id":4}`, `{"result":{"events":[]},"id":4}`)
	child.answers(`{"method":"Initialize","params":{},"id":5}`, `{"result":{"success":true},"id":5}`)
	child.answers(`{"method":"Shutdown","params":{},"id":6}`, `{"result":{"success":true},"id":6}`)
}

func TestWhatIsNoQuestionIsAnErrorAndThePluginGoesOn(t *testing.T) {
	child := probeChild(t, "probe")
	for _, line := range []string{`{`, `nonsense`, `7`, `null`, `[{"method":"Info","id":1}]`, `{"id":{},"method":"Info"}`, strings.Repeat("x", 3*bodyLimit), strings.Repeat("[", bodyLimit)} {
		child.send(line)
		if answer := child.receive(); !strings.HasPrefix(answer, `{"error":"`) || !strings.HasSuffix(answer, `,"id":null}`) {
			t.Fatalf("%.60s is answered with %s", line, answer)
		}
	}
	child.answers(`{"id":5}`, `{"error":"the line names no method","id":5}`)
	child.answers(`{"method":7,"id":5}`, `{"error":"the line names no method","id":5}`)
	child.send("\r\n")
	child.send(`{"method":"Initialize","id":6}` + "\r")
	same(t, child.receive(), `{"result":{"success":true},"id":6}`)
}

func TestALineOfOneMiBIsRead(t *testing.T) {
	child := probeChild(t, "probe")
	start, end := `{"method":"Configure","params":{"config":{"text":"`, `"}},"id":1}`
	child.answers(start+strings.Repeat("x", bodyLimit-len(start)-len(end))+end, `{"result":{"success":true},"id":1}`)
	child.answers(start+strings.Repeat("x", bodyLimit-len(start)-len(end)+1)+end,
		`{"error":"the line has more than 1048576 bytes","id":null}`)
}

func TestWhatAPluginDoesWrongIsTheAnswer(t *testing.T) {
	child := probeChild(t, "probe")
	for what, expected := range map[string]string{
		"panic":             "panic: on purpose",
		"leave":             "it ended its goroutine instead of answering",
		"empty error":       "it failed and did not say why",
		"nothing":           "HandleEvent returned neither Handled, Failed nor NotHandled",
		"panicking details": "panic: in its details",
	} {
		if text := child.fails(what); text != expected {
			t.Errorf("%s: %s", what, text)
		}
	}
	child.logs("main_test.go")
	for what, beginning := range map[string]string{
		"not a number": "its answer cannot be written as JSON",
		"too much":     "its answer has 10",
	} {
		if text := child.fails(what); !strings.HasPrefix(text, beginning) {
			t.Errorf("%s: %s", what, text)
		}
	}
	if text := child.fails("long error"); utf8.RuneCountInString(text) != errorLimit {
		t.Errorf("the error has %d characters", utf8.RuneCountInString(text))
	}
	child.answers(`{"method":"Initialize","id":6}`, `{"result":{"success":true},"id":6}`)
}

func TestWhatIsNotSaidToBeIdleIsNotIdle(t *testing.T) {
	child := probeChild(t, "probe")
	child.answers(`{"method":"CheckIdle","params":{"metrics":{"cpu_usage":50}},"id":1}`, `{"error":"CheckIdle returned neither Idle nor Busy","id":1}`)
	for _, unknown := range []string{`{"metrics":{"cpu_usage":null}}`, `{"metrics":{}}`, `{}`, `null`} {
		child.answers(`{"method":"CheckIdle","params":`+unknown+`,"id":2}`,
			`{"error":"panic: runtime error: invalid memory address or nil pointer dereference","id":2}`)
	}
	child.send(`{"method":"CheckIdle","params":{"metrics":{"cpu_usage":"0"}},"id":3}`)
	if answer := child.receive(); !strings.HasPrefix(answer, `{"error":"its parameters cannot be read`) || !strings.Contains(answer, "cpu_usage") {
		t.Error(answer)
	}
}

func TestInitializeIsCalledOnceBeforeTheFirstQuestion(t *testing.T) {
	child := probeChild(t, "probe")
	for range 2 {
		child.send(`{"method":"CheckIdle","params":{"metrics":{"cpu_usage":1}},"id":1}`)
		if answer := child.receive(); !strings.Contains(answer, `"starts":1`) {
			t.Fatal(answer)
		}
		child.answers(`{"method":"Initialize","params":{},"id":2}`, `{"result":{"success":true},"id":2}`)
	}
}

func TestNothingButTheProtocolIsOnStandardOutput(t *testing.T) {
	child := probeChild(t, "probe")
	child.logs("printed in Info")
	for _, what := range []string{"child", "descriptor"} {
		if answer := child.does(what); answer["error"] != nil {
			t.Fatal(answer)
		}
	}
	child.logs("printed past os.Stdout")
	waitUntil(t, "the child has printed twice", func() bool {
		return strings.Count(child.log.String(), "printed by a child") == 2
	})
	// Nor does anybody but the protocol read what the runner writes.
	result, _ := child.does("standard input")["result"].(map[string]any)
	if result["message"] != "" {
		t.Fatal(result)
	}
}

func TestNumbersComeBackAsTheyWere(t *testing.T) {
	child := probeChild(t, "probe")
	child.send(`{"method":"HandleEvent","params":{"event":{"id":"x","data":{"do":"echo","a":9007199254740993,"b":18446744073709551615,"c":[0.1,-7,1e30]}}},"id":1}`)
	if answer := child.receive(); !strings.Contains(answer, `"details":{"a":9007199254740993,"b":18446744073709551615,"c":[0.1,-7,1e+30],"do":"echo"}`) {
		t.Fatal(answer)
	}
}

func TestTheContextOfAnEventEndsWithItsTime(t *testing.T) {
	child := probeChild(t, "probe")
	wait := `{"method":"HandleEvent","params":{"event":{"id":"x","data":{"do":"wait"},"left_ms":`
	child.answers(wait+`50}},"id":1}`, `{"error":"context deadline exceeded","id":1}`)
	child.answers(wait+`0}},"id":2}`, `{"error":"no time is left","id":2}`)
	child.answers(wait+`-5}},"id":3}`, `{"error":"no time is left","id":3}`)
}

func TestItEndsWhenItsInputEnds(t *testing.T) {
	child := probeChild(t, "probe")
	child.send(`{"method":"Initialize","id":1}`)
	child.in.Close()
	same(t, child.receive(), `{"result":{"success":true},"id":1}`)
	child.ends(0)
	if said := strings.Count(child.log.String(), "the probe is shut down"); said != 1 {
		t.Fatalf("Shutdown was called %d times", said)
	}
}

func TestItEndsAtSIGTERMAndTellsWhatIsUnderWay(t *testing.T) {
	child := probeChild(t, "probe")
	child.send(`{"method":"HandleEvent","params":{"event":{"id":"x","data":{"do":"wait"},"left_ms":60000}},"id":1}`)
	child.logs("waits")
	if err := child.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	same(t, child.receive(), `{"error":"context canceled","id":1}`)
	child.ends(0)
	child.logs("the probe is shut down")
}

func TestAPluginThatCannotBeServedSaysWhy(t *testing.T) {
	child := probeChild(t, "broken")
	child.ends(1)
	child.logs("snooze.broken has a method Configure and is no snooze.Configurer")
}
