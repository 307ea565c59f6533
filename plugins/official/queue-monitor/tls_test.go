package main

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

// heldToItsAuthority asks a broker, whose certificate is this one, with its authority, with another, and with none.
func heldToItsAuthority(t *testing.T, own stand.Certificate, kind string, part object) {
	t.Helper()
	with := func(authority string) object {
		part := maps.Clone(part)
		if authority != "" {
			part["ca_file"] = authority
		}
		return object{kind: part, "quiet_seconds": 1}
	}
	idle(t, stand.Start(t, with(own.Authority)))
	others := stand.Certify(t)
	plugin := stand.Start(t, with(others.Authority))
	plugin.Unknown("certificate", "ca_file")
	plugin.Configure(with(""))
	plugin.Unknown("certificate", "ca_file")
	plugin.Configure(with(own.Authority))
	idle(t, plugin)
	if said := plugin.Refuses(with(own.Key)); !strings.HasPrefix(said, kind+".ca_file ") {
		t.Error(said)
	}
}

func TestTLSOfRedisIsHeldToItsAuthority(t *testing.T) {
	own, port, folder := stand.Certify(t), stand.Port(t), t.TempDir()
	server := &running{t: t, port: port, command: func() *exec.Cmd {
		return exec.Command(stand.Program(t, "redis-server", "redis-server"), "--port", "0", "--tls-port", fmt.Sprint(port), "--bind", "127.0.0.1",
			"--dir", folder, "--save", "", "--unixsocket", filepath.Join(folder, "s"), "--tls-cert-file", own.Certificate,
			"--tls-key-file", own.Key, "--tls-auth-clients", "no")
	}}
	plain := stand.Start(t, object{"redis": object{"url": "unix://" + filepath.Join(folder, "s"), "lists": list("jobs")}})
	server.answers = func() bool { return plain.Check().Idle }
	server.run()
	part := object{"url": "rediss://" + server.address(), "lists": list("jobs")}
	heldToItsAuthority(t, own, "redis", part)
	plugin := stand.Start(t, object{"redis": part})
	server.Freeze()
	plugin.Unknown("did not answer", server.address())
	part["url"], part["ca_file"] = "redis://"+server.address(), own.Authority
	if said := plugin.Refuses(object{"redis": part}); !strings.HasPrefix(said, "redis.ca_file ") {
		t.Error(said)
	}
}

func TestTLSOfNATSIsHeldToItsAuthority(t *testing.T) {
	server := startNATSWithTLS(t)
	server.queue("JOBS")
	heldToItsAuthority(t, *server.certificate, "nats", object{"url": server.url(password), "consumers": list("JOBS/workers")})
}

func TestAServerWithoutTLSIsUnknownWhereAnAuthorityIsNamed(t *testing.T) {
	server := startNATS(t)
	server.queue("JOBS")
	part := object{"url": server.url(password), "consumers": list("JOBS/workers"), "ca_file": stand.Certify(t).Authority}
	stand.Start(t, object{"nats": part}).Unknown("NATS at "+server.address(), "secure")
}

func TestAnAnswerWithoutEndIsUnknownInTime(t *testing.T) {
	for begin, config := range map[string]func(address string) object{
		"+": func(address string) object {
			return object{"redis": object{"url": "redis://:x@" + address, "lists": list("jobs")}}
		},
		"INFO ": func(address string) object {
			return object{"nats": object{"url": "nats://" + address, "streams": list("JOBS")}}
		},
	} {
		address := stand.Endless(t, begin)
		// On a machine that is busy the question's time may be over first.
		if said := stand.Start(t, config(address)).Unknown(address); !strings.Contains(said, "more than 16 MiB") && !strings.Contains(said, "did not answer") {
			t.Error(said)
		}
	}
}
