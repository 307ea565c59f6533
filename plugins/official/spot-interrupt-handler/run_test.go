package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cloudsnooze.local/snooze"
)

// handleWithin has the plugin handle an event here, and hands back its answer as text.
func handleWithin(t *testing.T, plugin *plugin, left time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	outcome, err := plugin.HandleEvent(ctx, snooze.Event{Type: interrupt})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v", outcome)
}

func TestNoTimeIsNegativeAndNoneBeyondWhatIsLeft(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for range 100_000 {
		left := time.Duration(random.Int64N(int64(10*time.Minute))) - time.Second
		timeout := 1 + time.Duration(random.Int64N(int64(10*time.Minute)))
		times := share(left, timeout)
		switch {
		case times.terminate < 0 || times.kill < times.terminate:
			t.Fatalf("%s, %s: %+v is no time", left, timeout, times)
		case left > 0 && times.kill >= left, left <= 0 && times.kill > 0:
			t.Fatalf("%s, %s: %+v is beyond", left, timeout, times)
		case times.terminate > timeout:
			t.Fatalf("%s, %s: %+v is more than was configured", left, timeout, times)
		case left > 20*time.Millisecond && times.kill-times.terminate < min(grace, times.kill/graceShare):
			t.Fatalf("%s, %s: %+v leaves nothing to end in", left, timeout, times)
		}
	}
}

func TestOfTwoMinutesAScriptHasWhatIsConfigured(t *testing.T) {
	if got := share(2*time.Minute, 90*time.Second); got != (times{90 * time.Second, 95 * time.Second}) {
		t.Error(got)
	}
	if got := share(2*time.Minute, time.Hour); got != (times{114500 * time.Millisecond, 119500 * time.Millisecond}) {
		t.Error(got)
	}
}

func TestTheEndOfTheOutputIsKeptAndFits(t *testing.T) {
	for name, text := range map[string]string{
		"letters": strings.Repeat("x", 100_000), "control": strings.Repeat("\x00", 100_000), "broken": strings.Repeat("\xff", 100_000),
		"wide": strings.Repeat("é𝄞", 50_000), "none": "", "quotes": strings.Repeat(`"\<`, 40_000),
	} {
		tail := &tail{log: io.Discard}
		for part := text; part != ""; {
			length := min(len(part), 777)
			if written, err := tail.Write([]byte(part[:length])); written != length || err != nil {
				t.Fatal(written, err)
			}
			part = part[length:]
		}
		if _, err := tail.Write([]byte("end")); err != nil {
			t.Fatal(err)
		}
		kept, cut := tail.text()
		written, err := json.Marshal(kept)
		if err != nil || len(written) > outputLimit || !strings.HasSuffix(kept, "end") {
			t.Errorf("%s: %d bytes end with %.9q: %v", name, len(written), kept[max(0, len(kept)-9):], err)
		}
		if (cut > 0) != (text != "") || len(kept) < min(len(text), 6) {
			t.Errorf("%s: %d are cut, %d kept", name, cut, len(kept))
		}
	}
}
