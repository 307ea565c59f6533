package stand

// Events, as a runner hands them to a plugin, and what becomes of them.

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Outcome is an answer to HandleEvent; with a text in Error it is none.
type Outcome struct {
	Handled   bool           `json:"handled"`
	Succeeded bool           `json:"succeeded"`
	Message   string         `json:"message"`
	Details   map[string]any `json:"details"`
	Error     string         `json:"-"`
	// Took is how long the answer took.
	Took time.Duration `json:"-"`
}

func (outcome Outcome) String() string {
	if outcome.Error != "" {
		return "error: " + outcome.Error
	}
	return fmt.Sprintf("handled %v, succeeded %v after %s: %s %v", outcome.Handled, outcome.Succeeded, outcome.Took, outcome.Message, outcome.Details)
}

// Handle hands over an event of a type that leaves so much time, which the answer has to be there in.
func (plugin *Plugin) Handle(eventType string, left time.Duration) Outcome {
	plugin.t.Helper()
	return plugin.HandleWith(eventType, left, map[string]any{"state": "raised", "timeRemaining": int(left.Seconds())})
}

// HandleWith hands over one with these data.
func (plugin *Plugin) HandleWith(eventType string, left time.Duration, data map[string]any) Outcome {
	plugin.t.Helper()
	noticed := time.Now().UTC()
	result, failure := plugin.ask(left, "HandleEvent", map[string]any{"event": map[string]any{
		"id": "test-1", "type": eventType, "severity": 3, "source": "test", "host": "web-1",
		"noticed_at": noticed.Format(time.RFC3339), "timestamp": noticed.Format(time.RFC3339),
		"deadline": noticed.Add(left).Format(time.RFC3339), "data": data, "left_ms": left.Milliseconds(),
	}})
	took := time.Since(noticed)
	if failure != "" {
		return Outcome{Error: failure, Took: took}
	}
	outcome := Outcome{Took: took}
	must(plugin.t, json.Unmarshal(result, &outcome))
	return outcome
}

// Succeeds hands over an event that has to be handled, and with success.
func (plugin *Plugin) Succeeds(eventType string, left time.Duration) Outcome {
	plugin.t.Helper()
	outcome := plugin.Handle(eventType, left)
	if outcome.Error != "" || !outcome.Handled || !outcome.Succeeded {
		plugin.t.Fatalf("%s did not succeed: %s", eventType, outcome)
	}
	return outcome
}

// Fails hands over an event that has to be handled without success, with all of these words in the message.
func (plugin *Plugin) Fails(eventType string, left time.Duration, words ...string) Outcome {
	plugin.t.Helper()
	outcome := plugin.Handle(eventType, left)
	if outcome.Error != "" || !outcome.Handled || outcome.Succeeded {
		plugin.t.Fatalf("%s did not fail: %s", eventType, outcome)
	}
	for _, word := range words {
		if !strings.Contains(outcome.Message, word) {
			plugin.t.Fatalf("%q does not say %q", outcome.Message, word)
		}
	}
	return outcome
}

// Passes hands over one that is none of the plugin's.
func (plugin *Plugin) Passes(eventType string, data map[string]any) {
	plugin.t.Helper()
	if outcome := plugin.HandleWith(eventType, AnswerLimit, data); outcome.Error != "" || outcome.Handled {
		plugin.t.Fatalf("%s with %v is not passed over: %s", eventType, data, outcome)
	}
}

// HandleEvent has it handle an event of which this is said, and which has so much time left. Whatever is not said of the event is made up. It has to be
// answered before that time is over.
func (plugin *Plugin) HandleEvent(event map[string]any, left time.Duration) Outcome {
	plugin.t.Helper()
	whole := map[string]any{
		"id": "test-1", "type": "cloud.spot.interrupt", "severity": 3, "source": "aws.imds", "host": "web-1",
		"noticed_at": "2026-01-31T12:00:00Z", "timestamp": "2026-01-31T12:00:00Z", "data": map[string]any{},
		"left_ms": left.Milliseconds(),
	}
	for name, value := range event {
		whole[name] = value
	}
	begun := time.Now()
	result, failure := plugin.Ask("HandleEvent", map[string]any{"event": whole})
	took := time.Since(begun)
	if failure != "" {
		plugin.t.Fatalf("it answers with an error: %s", failure)
	}
	if took > left {
		plugin.t.Fatalf("it answered after %s, and had %s: %s", took, left, result)
	}
	outcome := Outcome{Took: took}
	must(plugin.t, json.Unmarshal(result, &outcome))
	return outcome
}
