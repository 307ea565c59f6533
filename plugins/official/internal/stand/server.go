package stand

// Servers that tests start, and waiting for what they do.

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Program is the path of a program that a test needs. Where it is missing, the test fails and says how to install it.
func Program(t *testing.T, name, debianPackage string) string {
	t.Helper()
	// Tests run in the folders of the plugins; what the checkout has of its own is in .tools.
	for _, place := range []string{name, "/usr/sbin/" + name, "../../../.tools/bin/" + name} {
		if path, err := exec.LookPath(place); err == nil {
			path, err = filepath.Abs(path)
			must(t, err)
			return path
		}
	}
	t.Fatalf("%s is missing: plugins/official/test.sh installs it (Debian: apt-get install %s)", name, debianPackage)
	return ""
}

// Port is a loopback port that nothing listens on.
func Port(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// Server is a running server, with all that it starts.
type Server struct {
	t       *testing.T
	command *exec.Cmd
	log     *log
	ended   chan struct{}
}

// Serve starts a command in a group of its own, which is killed with the test.
func Serve(t *testing.T, command *exec.Cmd) *Server {
	t.Helper()
	server := &Server{t: t, command: command, log: &log{}, ended: make(chan struct{})}
	command.Stdout, command.Stderr = server.log, server.log
	// Also where this program is killed, nothing is left behind.
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid, command.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	command.WaitDelay = 5 * time.Second
	must(t, command.Start())
	go func() {
		// How it ended is nobody's question: tests end it as they like.
		_ = command.Wait()
		close(server.ended)
	}()
	t.Cleanup(func() {
		server.End()
		if t.Failed() {
			t.Logf("the log of %s:\n%s", command.Path, server.log)
		}
	})
	return server
}

// ID is its process, and its group.
func (server *Server) ID() int { return server.command.Process.Pid }

// Log is what it has written.
func (server *Server) Log() string { return server.log.String() }

// End kills it with its group, and returns when it is gone. One that has ended already is left alone.
func (server *Server) End() {
	select {
	case <-server.ended:
		return
	default:
	}
	_ = syscall.Kill(-server.ID(), syscall.SIGKILL)
	<-server.ended
}

// Ended says whether it has.
func (server *Server) Ended() bool {
	select {
	case <-server.ended:
		return true
	default:
		return false
	}
}

// Dead says whether there is no such process any more, or nobody has asked yet how it ended.
func Dead(process int) bool { return state(process) == "" || state(process) == "Z" }

// Freeze stops it, and all of its group, where it is: it accepts connections and answers nothing. With the test it goes
// on, to be ended.
func (server *Server) Freeze() {
	server.t.Helper()
	must(server.t, syscall.Kill(-server.ID(), syscall.SIGSTOP))
	WaitUntil(server.t, "the server stands still", func() bool { return state(server.ID()) == "T" })
}

// Thaw lets it go on.
func (server *Server) Thaw() {
	server.t.Helper()
	must(server.t, syscall.Kill(-server.ID(), syscall.SIGCONT))
}

// state is the letter that the kernel gives a process.
func state(process int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(process) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return rest[:1]
}

// Garbage listens on a loopback port, answers whatever comes with this text, and hands back its address.
func Garbage(t *testing.T, network, address, text string) string {
	t.Helper()
	return answer(t, network, address, func(connection net.Conn) {
		if _, err := connection.Write([]byte(text)); err != nil {
			return
		}
		// Until the other side has had enough.
		buffer := make([]byte, 4096)
		for {
			if _, err := connection.Read(buffer); err != nil {
				return
			}
		}
	})
}

// Endless listens on a loopback port, says this, and then sends for as long as somebody reads; it hands back its address.
func Endless(t *testing.T, begin string) string {
	t.Helper()
	more := []byte(strings.Repeat("x", 64*1024))
	return answer(t, "tcp", "127.0.0.1:0", func(connection net.Conn) {
		var err error
		for text := []byte(begin); err == nil; text = more {
			_, err = connection.Write(text)
		}
	})
}

// answer listens, hands each connection over, and closes it afterwards.
func answer(t *testing.T, network, address string, to func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen(network, address)
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				to(connection)
			}()
		}
	}()
	return listener.Addr().String()
}

// WaitUntil looks again and again until a condition holds.
func WaitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(Limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to pass that %s", what)
		}
	}
}

// Run runs a command to its end, which must be a good one, and hands back what it printed.
func Run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	output, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %s\n%s", name, strings.Join(arguments, " "), err, output)
	}
	return string(output)
}
