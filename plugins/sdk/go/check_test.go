package snooze

import (
	"context"
	"strings"
	"testing"
)

type (
	nothing   struct{}
	onPointer struct{ nothing }
	oddName   struct{ handlerOnly }
	oddNumber struct{ handlerOnly }
	noSupport struct{ nothing }
)

func (nothing) Info() Info   { return Info{Name: "nothing", Version: "1.0.0"} }
func (oddName) Info() Info   { return Info{Name: "Odd", Version: "1.0.0"} }
func (oddNumber) Info() Info { return Info{Name: "odd", Version: "1"} }

func (*onPointer) CheckIdle(context.Context, Metrics) (Opinion, error) { return Opinion{}, nil }

func (noSupport) HandleEvent(context.Context, Event) (Outcome, error) { return NotHandled(), nil }

func TestAMistakeOfTheAuthorIsToldAtTheStart(t *testing.T) {
	for _, each := range []struct {
		plugin   Plugin
		expected string
	}{
		{nil, "it is nil"},
		{&onPointer{}, ""},
		{(*onPointer)(nil), "panic: runtime error: invalid memory address"},
		{nothing{}, "has neither CheckIdle nor HandleEvent"},
		{onPointer{}, "has CheckIdle only as a pointer: pass &onPointer"},
		{oddName{}, `the name "Odd" has to be`},
		{oddNumber{}, `the version "1" has to be`},
		{noSupport{}, "HandleEvent and is no snooze.EventHandler, as it would have to be: HandleEvent(context.Context, snooze.Event) (snooze.Outcome, error); SupportedEvents() []string"},
		{&probe{}, ""},
	} {
		_, err := newSession(each.plugin)
		switch {
		case err == nil && each.expected != "":
			t.Errorf("%T is taken", each.plugin)
		case err != nil && (each.expected == "" || !strings.Contains(err.Error(), each.expected)):
			t.Errorf("%T: %s", each.plugin, err)
		}
	}
}

func TestValuesTellAbsentFromWrong(t *testing.T) {
	values := Values{"number": int64(5), "text": "a", "flag": true, "null": nil}
	if number, err := values.Number("number", 1); number != 5 || err != nil {
		t.Error(number, err)
	}
	if number, err := values.Number("absent", 1); number != 1 || err != nil {
		t.Error(number, err)
	}
	if text, err := values.Text("text", "b"); text != "a" || err != nil {
		t.Error(text, err)
	}
	if flag, err := values.Flag("flag", false); !flag || err != nil {
		t.Error(flag, err)
	}
	for _, wrong := range []string{"text", "flag", "null"} {
		if _, err := values.Number(wrong, 1); err == nil || !strings.HasPrefix(err.Error(), wrong+" has to be a number and is ") {
			t.Error(wrong, err)
		}
	}
	var into struct{ Number float64 }
	if err := values.Decode(&into); err != nil || into.Number != 5 {
		t.Error(into, err)
	}
}
