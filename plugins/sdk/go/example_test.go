package snooze

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var built struct {
	once    sync.Once
	program string
	err     error
}

// exampleProgram builds the example, once.
func exampleProgram(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		built.program, built.err = filepath.Abs("example/example-go")
		if built.err == nil {
			built.err = build("example", built.program)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.program
}

type buildError struct {
	said []byte
	err  error
}

func (failed *buildError) Error() string { return failed.err.Error() + "\n" + string(failed.said) }

func build(folder, program string) error {
	command := exec.Command("go", "build", "-o", program, ".")
	command.Dir = folder
	if said, err := command.CombinedOutput(); err != nil {
		return &buildError{said, err}
	}
	return nil
}

func TestTheExampleVotesByItsThreshold(t *testing.T) {
	child := startChild(t, exampleProgram(t))
	check := func(cpu, expected string) {
		t.Helper()
		child.answers(`{"method":"CheckIdle","params":{"metrics":{"cpu_usage":`+cpu+`}},"id":1}`, expected)
	}
	check("null", `{"error":"cpu_usage is unknown","id":1}`)
	check("1.5", `{"result":{"is_idle":true,"reason":"cpu at 1.5 %, below 10 %","details":{"cpu_usage":1.5}},"id":1}`)
	check("10", `{"result":{"is_idle":false,"reason":"cpu at 10 %","details":{"cpu_usage":10}},"id":1}`)
	for _, wrong := range []string{`0`, `-1`, `"5"`, `null`, `true`, `[5]`} {
		child.send(`{"method":"Configure","params":{"config":{"threshold":` + wrong + `}},"id":2}`)
		if answer := child.receive(); !strings.HasPrefix(answer, `{"error":"threshold has to be`) {
			t.Errorf("%s: %s", wrong, answer)
		}
	}
	child.answers(`{"method":"Configure","params":{"config":{"threshold":2.5}},"id":3}`, `{"result":{"success":true},"id":3}`)
	check("2.5", `{"result":{"is_idle":false,"reason":"cpu at 2.5 %","details":{"cpu_usage":2.5}},"id":1}`)
	child.logs("noise")
}

func TestTheExampleHandlesCustomEvents(t *testing.T) {
	child := startChild(t, exampleProgram(t))
	child.answers(`{"method":"GetSupportedEvents","id":1}`, `{"result":{"events":["custom"]},"id":1}`)
	handle := func(kind, data, expected string) {
		t.Helper()
		child.answers(`{"method":"HandleEvent","params":{"event":{"id":"e1","type":"`+kind+`","severity":1,`+
			`"source":"s","host":"h","noticed_at":"2026-11-23T03:15:00Z","data":`+data+`,"left_ms":5000}},"id":2}`, expected)
	}
	handle("custom", `{"a":1}`, `{"result":{"handled":true,"succeeded":true,"message":"seen e1","details":{"a":1}},"id":2}`)
	handle("custom.x", `{"fail":true}`, `{"result":{"handled":true,"succeeded":false,"message":"seen e1","details":{"fail":true}},"id":2}`)
	handle("customs", `{}`, `{"result":{"handled":false,"succeeded":true,"message":"","details":{}},"id":2}`)
}

// block is the first code of a language below a heading of the README.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no %s", heading)
	}
	_, code, _ := strings.Cut(section, "\n```"+language+"\n")
	code, _, found = strings.Cut(code, "\n```")
	if !found {
		t.Fatalf("there is no code below %s", heading)
	}
	return code
}

func TestTheFirstPluginOfTheREADMEIsShortAndRuns(t *testing.T) {
	code := block(t, "A first plugin", "go")
	if lines := strings.Count(code, "\n") + 1; lines > 15 {
		t.Errorf("it has %d lines", lines)
	}
	if formatted, err := format.Source([]byte(code)); err != nil || string(formatted) != code+"\n" {
		t.Errorf("gofmt would write it otherwise: %v\n%s", err, formatted)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	jobs := filepath.Join(folder, "jobs")
	write("main.go", strings.ReplaceAll(code, "/var/spool/jobs", jobs))
	write("go.sum", string(sums))
	write("go.mod", "module first\n\ngo 1.23.0\n\nrequire cloudsnooze.local/snooze v0.0.0\n\nreplace cloudsnooze.local/snooze => "+here+"\n")
	program := filepath.Join(folder, "first")
	command := exec.Command("go", "build", "-mod=mod", "-o", program, ".")
	command.Dir = folder
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, said)
	}
	child := startChild(t, program)
	ask := `{"method":"CheckIdle","params":{"metrics":{}},"id":1}`
	child.answers(ask, `{"error":"open `+jobs+`: no such file or directory","id":1}`)
	if err := os.Mkdir(jobs, 0o700); err != nil {
		t.Fatal(err)
	}
	child.answers(ask, `{"result":{"is_idle":true,"reason":"no jobs wait","details":{}},"id":1}`)
	write("jobs/one", "")
	child.answers(ask, `{"result":{"is_idle":false,"reason":"jobs wait","details":{}},"id":1}`)
}

func TestTheREADMEHasTheHeadingsOfEverySDK(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for _, line := range strings.Split(string(text), "\n") {
		if heading, is := strings.CutPrefix(line, "## "); is {
			headings = append(headings, heading)
		}
	}
	expected := "A first plugin, Configuration, Events, Over NATS, Testing, What it never does"
	if got := strings.Join(headings, ", "); got != expected {
		t.Error(got)
	}
}

func TestAShellIsEnoughToAsk(t *testing.T) {
	command := exec.Command("sh", "-c", `echo '{"method":"Info","id":1}' | "$0"`, exampleProgram(t))
	answer, err := command.Output()
	if err != nil || !strings.Contains(string(answer), `"name":"example-go"`) {
		t.Fatalf("%s %v", answer, err)
	}
}
