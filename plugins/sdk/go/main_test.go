package snooze

// This test program is also the plugin that the tests ask: started with a name of a probe, it serves that.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const probeVariable = "SNOOZE_TEST_PROBE"

func TestMain(m *testing.M) {
	switch os.Getenv(probeVariable) {
	case "":
		os.Exit(m.Run())
	case "probe":
		Run(&probe{folder: os.Getenv("SNOOZE_TEST_FOLDER")})
	case "handler":
		Run(handlerOnly{})
	case "broken":
		Run(broken{})
	}
}

// probe does what it is told, by an event.
type probe struct {
	folder string
	config Values
	starts int
}

func (*probe) Info() Info {
	fmt.Println("printed in Info")
	return Info{Name: "probe", Version: "1.2.3", Description: "Does what it is told"}
}

func (probe *probe) Initialize(context.Context) error {
	probe.starts++
	return nil
}

func (probe *probe) Configure(_ context.Context, config Values) error {
	if _, err := config.Text("text", ""); err != nil {
		return err
	}
	probe.config = config
	return nil
}

func (probe *probe) CheckIdle(_ context.Context, metrics Metrics) (Opinion, error) {
	// Nil where it is unknown.
	if *metrics.CPUUsage < 10 {
		return Idle("idle", Values{"host": metrics.Host, "starts": probe.starts, "process": os.Getpid()}), nil
	}
	return Opinion{}, nil
}

func (*probe) SupportedEvents() []string { return []string{"custom"} }

func (probe *probe) HandleEvent(ctx context.Context, event Event) (Outcome, error) {
	switch event.Data["do"] {
	case "echo":
		return Handled(event.ID, event.Data), nil
	case "panic":
		panic("on purpose")
	case "leave":
		runtime.Goexit()
	case "long error":
		return Outcome{}, errors.New(strings.Repeat("ä", 10_000))
	case "empty error":
		return Outcome{}, errors.New("")
	case "not a number":
		return Handled("", Values{"x": math.NaN()}), nil
	case "panicking details":
		return Handled("", Values{"x": panicking{}}), nil
	case "too much":
		return Handled(strings.Repeat("x", bodyLimit), nil), nil
	case "nothing":
		return Outcome{}, nil
	case "child":
		child := exec.Command("sh", "-c", "echo printed by a child; echo printed by a child >&2; cat")
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		return Handled("", nil), child.Run()
	case "descriptor":
		_, err := syscall.Write(1, []byte("printed past os.Stdout\n"))
		return Handled("", nil), err
	case "standard input":
		text, err := io.ReadAll(os.Stdin)
		return Handled(string(text), nil), err
	case "wait":
		fmt.Fprintln(os.Stderr, "waits")
		<-ctx.Done()
		return Outcome{}, context.Cause(ctx)
	case "wait for a file":
		fmt.Fprintln(os.Stderr, "waits")
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(probe.folder, "go")); err == nil {
				return Handled("it is there", nil), nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		return Outcome{}, ctx.Err()
	case "configuration":
		return Handled("", probe.config), nil
	}
	return NotHandled(), nil
}

func (*probe) Shutdown(context.Context) error {
	fmt.Fprintln(os.Stderr, "the probe is shut down")
	return nil
}

type panicking struct{}

func (panicking) MarshalJSON() ([]byte, error) { panic("in its details") }

// handlerOnly has no vote and no configuration.
type handlerOnly struct{}

func (handlerOnly) Info() Info                { return Info{Name: "handler", Version: "1.0.0"} }
func (handlerOnly) SupportedEvents() []string { return nil }
func (handlerOnly) HandleEvent(context.Context, Event) (Outcome, error) {
	return NotHandled(), nil
}

// broken has a method that nobody would ever call.
type broken struct{ handlerOnly }

func (broken) Configure(map[string]any) error { return nil }
