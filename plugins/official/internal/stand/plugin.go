// Package stand is what the tests of the plugins here stand upon: the plugin as a real process that is asked as a
// runner asks it, and real servers, each in a group of its own that ends with its test. Nothing but tests uses it,
// and it waits for conditions, never for time to pass.
package stand

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Limit is how long anything may take on a machine that compiles beside it.
const Limit = 60 * time.Second

// AnswerLimit is how long a question may take: the runner waits five seconds, and the plugins say to be done before
// four have passed.
const AnswerLimit = 4500 * time.Millisecond

const pluginVariable = "SNOOZE_TEST_PLUGIN"

// Main runs the tests, or the plugin where this test program was started as one. `after` cleans up what the tests
// share; it may be nil.
func Main(m *testing.M, plugin func(), after func()) {
	if os.Getenv(pluginVariable) != "" {
		plugin()
		return
	}
	code := m.Run()
	if after != nil {
		after()
	}
	os.Exit(code)
}

// Plugin is a running plugin.
type Plugin struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	// ID is its process.
	ID   int
	last int
	log  *log
}

// Vote is an answer to CheckIdle: idle, busy, or, with a text in Unknown, neither.
type Vote struct {
	Idle    bool           `json:"is_idle"`
	Reason  string         `json:"reason"`
	Details map[string]any `json:"details"`
	Unknown string         `json:"-"`
}

func (vote Vote) String() string {
	if vote.Unknown != "" {
		return "unknown: " + vote.Unknown
	}
	return fmt.Sprintf("idle %v: %s %v", vote.Idle, vote.Reason, vote.Details)
}

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

// Start starts this test program as the plugin, with nothing in its environment, and configures it.
func Start(t *testing.T, config map[string]any) *Plugin {
	t.Helper()
	plugin := StartUnconfigured(t)
	plugin.Configure(config)
	return plugin
}

// StartUnconfigured starts it only.
func StartUnconfigured(t *testing.T) *Plugin {
	t.Helper()
	return StartAmong(t, nil)
}

// StartAmong starts it only, with these variables in its environment.
func StartAmong(t *testing.T, variables []string) *Plugin {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	command := exec.Command(program)
	command.Env = append(environment(), variables...)
	return start(t, command)
}

// environment is a plugin's. Where it looks for races it would rest for a second at its end.
func environment() []string {
	return []string{"PATH=/usr/bin:/bin", pluginVariable + "=1", "GORACE=atexit_sleep_ms=0"}
}

// StartCopy starts a copy of it under another name, as another user where `user` is not 0, which takes the superuser.
func StartCopy(t *testing.T, name string, user uint32, config map[string]any) *Plugin {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	// Other users may not enter a test's folder.
	folder, err := os.MkdirTemp("", "snooze-plugin-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	must(t, os.Chmod(folder, 0o755))
	// Not by this program: a test beside this one that starts something would hold the file open, and nobody can run
	// what is open to be written.
	Run(t, "install", "-m", "755", program, filepath.Join(folder, name))
	command := exec.Command(filepath.Join(folder, name))
	if user != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	plugin := start(t, command)
	plugin.Configure(config)
	return plugin
}

// StartCommand starts a command that is the plugin.
func StartCommand(t *testing.T, command *exec.Cmd, config map[string]any) *Plugin {
	t.Helper()
	plugin := start(t, command)
	plugin.Configure(config)
	return plugin
}

func start(t *testing.T, command *exec.Cmd) *Plugin {
	t.Helper()
	if command.Env == nil {
		command.Env = environment()
	}
	in, err := command.StdinPipe()
	must(t, err)
	// Not StdoutPipe: waiting for the process would close it before all is read.
	out, end, err := os.Pipe()
	must(t, err)
	plugin := &Plugin{t: t, in: in, out: bufio.NewReader(out), log: &log{}}
	command.Stdout, command.Stderr = end, plugin.log
	must(t, command.Start())
	plugin.ID = command.Process.Pid
	end.Close()
	t.Cleanup(func() {
		in.Close()
		ended := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		if err := command.Wait(); err != nil {
			t.Errorf("after the end of its input the plugin ended with: %s", err)
		}
		ended.Stop()
		out.Close()
		if t.Failed() {
			t.Logf("the plugin's log:\n%s", plugin.log)
		}
	})
	return plugin
}

// Ask asks one question, and hands back the result, or the text of the error.
func (plugin *Plugin) Ask(method string, params any) (result json.RawMessage, failure string) {
	plugin.t.Helper()
	return plugin.ask(AnswerLimit, method, params)
}

// ask asks one that has to be answered within a limit.
func (plugin *Plugin) ask(limit time.Duration, method string, params any) (result json.RawMessage, failure string) {
	plugin.t.Helper()
	plugin.last++
	text, err := json.Marshal(map[string]any{"method": method, "params": params, "id": plugin.last})
	must(plugin.t, err)
	begun := time.Now()
	_, err = plugin.in.Write(append(text, '\n'))
	must(plugin.t, err)
	type read struct {
		line []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := plugin.out.ReadBytes('\n')
		done <- read{line, err}
	}()
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  string          `json:"error"`
		ID     int             `json:"id"`
	}
	select {
	case read := <-done:
		must(plugin.t, read.err)
		must(plugin.t, json.Unmarshal(read.line, &answer))
	case <-time.After(Limit):
		plugin.t.Fatalf("%s was not answered", method)
	}
	if answer.ID != plugin.last {
		plugin.t.Fatalf("%s was answered with the id %d instead of %d", method, answer.ID, plugin.last)
	}
	if took := time.Since(begun); took > limit {
		plugin.t.Fatalf("%s was answered after %s, when nobody waited any more: %s%s", method, took, answer.Result, answer.Error)
	}
	return answer.Result, answer.Error
}

// Configure configures it; it must take that.
func (plugin *Plugin) Configure(config map[string]any) {
	plugin.t.Helper()
	if _, failure := plugin.Ask("Configure", map[string]any{"config": config}); failure != "" {
		plugin.t.Fatalf("it does not take %v: %s", config, failure)
	}
}

// Refuses configures it with what it must not take, and hands back why not.
func (plugin *Plugin) Refuses(config map[string]any) string {
	plugin.t.Helper()
	result, failure := plugin.Ask("Configure", map[string]any{"config": config})
	if failure == "" {
		plugin.t.Fatalf("it takes %v: %s", config, result)
	}
	return failure
}

// Check asks for its vote.
func (plugin *Plugin) Check() Vote {
	plugin.t.Helper()
	return plugin.CheckAmid(map[string]any{})
}

// CheckAmid asks for its vote, on a machine with these readings.
func (plugin *Plugin) CheckAmid(metrics map[string]any) Vote {
	plugin.t.Helper()
	result, failure := plugin.Ask("CheckIdle", map[string]any{"metrics": metrics})
	if failure != "" {
		return Vote{Unknown: failure}
	}
	var vote Vote
	must(plugin.t, json.Unmarshal(result, &vote))
	return vote
}

// Idle asks for its vote, which must be idle.
func (plugin *Plugin) Idle() Vote {
	plugin.t.Helper()
	vote := plugin.Check()
	if !vote.Idle || vote.Unknown != "" {
		plugin.t.Fatalf("it is not idle but %s", vote)
	}
	return vote
}

// Busy asks for its vote, which must be busy.
func (plugin *Plugin) Busy() Vote {
	plugin.t.Helper()
	vote := plugin.Check()
	if vote.Idle || vote.Unknown != "" {
		plugin.t.Fatalf("it is not busy but %s", vote)
	}
	return vote
}

// Unknown asks for its vote, which must be unknown, with all of these words in the reason.
func (plugin *Plugin) Unknown(words ...string) string {
	plugin.t.Helper()
	vote := plugin.Check()
	if vote.Unknown == "" {
		plugin.t.Fatalf("it is not unknown but %s", vote)
	}
	for _, word := range words {
		if !strings.Contains(vote.Unknown, word) {
			plugin.t.Fatalf("%q does not say %q", vote.Unknown, word)
		}
	}
	return vote.Unknown
}

// Log is what it has written to standard error.
func (plugin *Plugin) Log() string { return plugin.log.String() }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
