package snooze

// Real child processes, as the runner starts plugins. Each is ended with its test.

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// So long may anything take on a machine that compiles beside it.
const limit = 30 * time.Second

// child is a running plugin.
type child struct {
	t       *testing.T
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	log     *log
	ended   chan error
}

// log is what a child wrote to standard error.
type log struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (log *log) Write(text []byte) (int, error) {
	log.mutex.Lock()
	defer log.mutex.Unlock()
	return log.text.Write(text)
}

func (log *log) String() string {
	log.mutex.Lock()
	defer log.mutex.Unlock()
	return log.text.String()
}

// probeChild starts this test program as a plugin.
func probeChild(t *testing.T, name string, environment ...string) *child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startChild(t, program, append(environment, probeVariable+"="+name)...)
}

// startChild starts a plugin with nothing but the given environment.
func startChild(t *testing.T, program string, environment ...string) *child {
	t.Helper()
	command := exec.Command(program)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environment...)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not StdoutPipe: waiting for the process would close it before all is read.
	out, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log := &log{}
	command.Stdout, command.Stderr = end, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	end.Close()
	child := &child{t, command, in, bufio.NewReader(out), log, make(chan error, 1)}
	go func() { child.ended <- command.Wait() }()
	t.Cleanup(func() {
		// It may have ended; then there is nothing to kill.
		_ = command.Process.Kill()
		out.Close()
		if t.Failed() {
			t.Logf("its log:\n%s", log)
		}
	})
	return child
}

// send writes a line.
func (child *child) send(line string) {
	child.t.Helper()
	if _, err := io.WriteString(child.in, line+"\n"); err != nil {
		child.t.Fatalf("writing a line: %s", err)
	}
}

// receive reads a line.
func (child *child) receive() string {
	child.t.Helper()
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := child.out.ReadString('\n')
		done <- read{line, err}
	}()
	select {
	case read := <-done:
		if read.err != nil {
			child.t.Fatalf("reading a line: %s", read.err)
		}
		return strings.TrimSuffix(read.line, "\n")
	case <-time.After(limit):
		child.t.Fatal("no line came")
	}
	return ""
}

// answers asks with a line and compares the answer as JSON.
func (child *child) answers(line, expected string) {
	child.t.Helper()
	child.send(line)
	same(child.t, child.receive(), expected)
}

// does sends an event that tells the probe what to do, and hands back the answer.
func (child *child) does(what string) map[string]any {
	child.t.Helper()
	child.send(`{"method":"HandleEvent","params":{"event":{"id":"e","type":"custom","data":{"do":"` + what + `"}}},"id":7}`)
	var answer map[string]any
	if err := json.Unmarshal([]byte(child.receive()), &answer); err != nil {
		child.t.Fatal(err)
	}
	return answer
}

// error asks the probe to do something, and hands back the text of the error.
func (child *child) fails(what string) string {
	child.t.Helper()
	answer := child.does(what)
	text, ok := answer["error"].(string)
	if !ok {
		child.t.Fatalf("%v is no error", answer)
	}
	return text
}

// ends waits until the process has ended with this exit code.
func (child *child) ends(code int) {
	child.t.Helper()
	select {
	case <-child.ended:
	case <-time.After(limit):
		child.t.Fatal("it did not end")
	}
	if got := child.command.ProcessState.ExitCode(); got != code {
		child.t.Fatalf("it ended with %d and should have with %d", got, code)
	}
}

// logs waits until the log holds a text.
func (child *child) logs(text string) {
	child.t.Helper()
	waitUntil(child.t, "its log holds "+text, func() bool { return strings.Contains(child.log.String(), text) })
}

// waitUntil looks again and again until a condition holds.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to pass that %s", what)
		}
	}
}

// same compares two texts as JSON.
func same(t *testing.T, got, expected string) {
	t.Helper()
	var one, other any
	if err := json.Unmarshal([]byte(got), &one); err != nil {
		t.Fatalf("%s: %s", got, err)
	}
	if err := json.Unmarshal([]byte(expected), &other); err != nil {
		t.Fatalf("%s: %s", expected, err)
	}
	if !reflect.DeepEqual(one, other) {
		t.Fatalf("got      %s\nexpected %s", got, expected)
	}
}
