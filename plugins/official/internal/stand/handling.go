package stand

import (
	"encoding/json"
	"fmt"
	"time"
)

// Outcome is an answer to HandleEvent.
type Outcome struct {
	Handled   bool           `json:"handled"`
	Succeeded bool           `json:"succeeded"`
	Message   string         `json:"message"`
	Details   map[string]any `json:"details"`
	// Took is how long the answer took.
	Took time.Duration `json:"-"`
}

func (outcome Outcome) String() string {
	return fmt.Sprintf("handled %v, succeeded %v after %s: %s %v", outcome.Handled, outcome.Succeeded, outcome.Took, outcome.Message, outcome.Details)
}

// Handle has it handle an event, which has so much time left. Whatever is not said of the event is made up. It has to be
// answered before that time is over.
func (plugin *Plugin) Handle(event map[string]any, left time.Duration) Outcome {
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
