package snooze

// A real nats-server behind the fences of the role table: an operator, one account, users with the rights of a
// host, a plugin on it and a fleet plugin.

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// server is a running nats-server; it comes back at the same address.
type server struct {
	t        *testing.T
	program  string
	folder   string
	address  string
	operator nkeys.KeyPair
	account  nkeys.KeyPair
	process  *exec.Cmd
	log      *log
}

func startServer(t *testing.T) *server {
	t.Helper()
	install := exec.Command("../../../nats/server/install.sh")
	install.Stderr = os.Stderr
	path, err := install.Output()
	if err != nil {
		t.Fatalf("there is no nats-server: %s", err)
	}
	server := &server{t: t, program: strings.TrimSpace(string(path)), folder: t.TempDir(), log: &log{}}
	server.operator = must(t, nkeys.CreateOperator)
	server.account = must(t, nkeys.CreateAccount)
	operator := server.sign("operator", server.operator, server.operator, map[string]any{"type": "operator", "version": 2})
	everything := map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1}
	account := server.sign("hosts", server.account, server.operator, map[string]any{"type": "account", "version": 2, "limits": everything})
	configuration := fmt.Sprintf("ports_file_dir: %q\nmax_payload: 1MB\noperator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s }\n",
		server.folder, operator, public(t, server.account), account)
	server.write("nats-server.conf", configuration)
	server.begin("-1")
	t.Cleanup(server.kill)
	return server
}

func (server *server) write(name, text string) string {
	server.t.Helper()
	path := filepath.Join(server.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		server.t.Fatal(err)
	}
	return path
}

// begin starts the process at a port, and waits until it listens.
func (server *server) begin(port string) {
	server.t.Helper()
	server.process = exec.Command(server.program, "--config", filepath.Join(server.folder, "nats-server.conf"), "--addr", "127.0.0.1", "--port", port)
	server.process.Stderr = server.log
	if err := server.process.Start(); err != nil {
		server.t.Fatal(err)
	}
	ports := filepath.Join(server.folder, fmt.Sprintf("%s_%d.ports", filepath.Base(server.program), server.process.Process.Pid))
	waitUntil(server.t, "the server listens", func() bool {
		text, err := os.ReadFile(ports)
		var listening struct{ Nats []string }
		if err != nil || json.Unmarshal(text, &listening) != nil || len(listening.Nats) == 0 {
			return false
		}
		server.address = listening.Nats[0]
		return true
	})
}

func (server *server) kill() {
	// Both fail where it is dead already.
	_ = server.process.Process.Kill()
	_ = server.process.Wait()
}

// again starts it where it was.
func (server *server) again() {
	server.t.Helper()
	server.begin(server.address[strings.LastIndex(server.address, ":")+1:])
}

// sign makes a token: claims about a key, signed with another.
func (server *server) sign(name string, about, by nkeys.KeyPair, claims map[string]any) string {
	server.t.Helper()
	encode := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			server.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := encode(map[string]string{"typ": "JWT", "alg": "ed25519-nkey"}) + "." + encode(map[string]any{
		"jti": name, "iat": time.Now().Unix(), "iss": public(server.t, by), "name": name, "sub": public(server.t, about), "nats": claims,
	})
	signature, err := by.Sign([]byte(text))
	if err != nil {
		server.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// credentials writes a credentials file for a user with these rights.
func (server *server) credentials(name string, publish, subscribe []string) string {
	server.t.Helper()
	user := must(server.t, nkeys.CreateUser)
	token := server.sign(name, user, server.account, map[string]any{
		"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1,
		"pub": map[string]any{"allow": publish}, "sub": map[string]any{"allow": subscribe},
	})
	seed, err := user.Seed()
	if err != nil {
		server.t.Fatal(err)
	}
	return server.write(name+".creds", fmt.Sprintf("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"+
		"-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", token, seed))
}

// The rights of the role table, as the credentials of each role have them.

func (server *server) pluginCredentials(host, plugin string) string {
	inbox := "_INBOX_plugin." + host + "_" + plugin + ".>"
	return server.credentials("plugin-"+plugin, []string{"_INBOX_host." + host + ".>", inbox, "_R_.>"},
		append(services(plugin), inbox, "snooze.v1.host."+host+".plugin."+plugin+".*"))
}

func (server *server) fleetPluginCredentials(plugin string) string {
	inbox := "_INBOX_fleet-plugin." + plugin + ".>"
	return server.credentials("fleet-plugin-"+plugin, []string{"_INBOX_host.*.>", inbox, "_R_.>"},
		append(services(plugin), inbox, "snooze.v1.fleet.plugin."+plugin+".*"))
}

func services(plugin string) []string {
	var subjects []string
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		for _, end := range []string{"", "." + plugin, "." + plugin + ".*"} {
			subjects = append(subjects, "$SRV."+verb+end)
		}
	}
	return subjects
}

// asker is a connection of the host i-1, which may ask everything that is asked here.
func (server *server) asker() *nats.Conn {
	server.t.Helper()
	credentials := server.credentials("host", []string{"snooze.v1.>", "$SRV.>"}, []string{"_INBOX_host.i-1.>"})
	connection, err := nats.Connect(server.address, nats.UserCredentials(credentials), nats.CustomInboxPrefix("_INBOX_host.i-1"),
		nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		server.t.Fatal(err)
	}
	server.t.Cleanup(connection.Close)
	return connection
}

func must(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func public(t *testing.T, pair nkeys.KeyPair) string {
	t.Helper()
	key, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
