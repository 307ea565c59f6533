package main

import (
	"fmt"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func TestTLSIsHeldToItsAuthority(t *testing.T) {
	own, others := stand.Certify(t), stand.Certify(t)
	server := start(t, "--ssl-ca="+own.Authority, "--ssl-cert="+own.Certificate, "--ssl-key="+own.Key)
	// Who comes without TLS is refused, so that idle shows that there is some.
	server.execute("ALTER USER monitor@'%' REQUIRE SSL")
	dsn := fmt.Sprintf("monitor:%s@tcp(127.0.0.1:%d)/", password, server.port)
	plugin := stand.Start(t, map[string]any{"dsn": dsn})
	plugin.Unknown("check user and password")
	plugin.Configure(map[string]any{"dsn": dsn, "ca_file": own.Authority})
	plugin.Idle()
	plugin.Configure(map[string]any{"dsn": dsn, "ca_file": others.Authority})
	plugin.Unknown("certificate", "ca_file")
	plugin.Configure(map[string]any{"dsn": dsn + "?tls=true"})
	plugin.Unknown("certificate", "ca_file")
	plugin.Configure(map[string]any{"dsn": dsn + "?tls=skip-verify", "ca_file": others.Authority})
	plugin.Unknown("certificate", "ca_file")
}

func TestAServerWithoutTLSIsUnknownWhereItIsAskedFor(t *testing.T) {
	server, own := start(t, "--skip-ssl"), stand.Certify(t)
	dsn := fmt.Sprintf("monitor:%s@tcp(127.0.0.1:%d)/", password, server.port)
	for _, config := range []map[string]any{
		{"dsn": dsn, "ca_file": own.Authority}, {"dsn": dsn + "?tls=preferred", "ca_file": own.Authority}, {"dsn": dsn + "?tls=true"},
	} {
		stand.Start(t, config).Unknown("it has no TLS")
	}
}

func TestAnAuthorityThatCannotBeUsedIsRefusedByName(t *testing.T) {
	own := stand.Certify(t)
	plugin := stand.StartUnconfigured(t)
	for _, config := range []map[string]any{
		{"ca_file": "relative"}, {"ca_file": own.Key}, {"ca_file": own.Key + ".none"}, {"ca_file": ""}, {"ca_file": 1},
		{"ca_file": own.Authority, "dsn": "monitor:x@unix(/run/s)/"},
	} {
		if config["dsn"] == nil {
			config["dsn"] = "monitor:x@tcp(127.0.0.1:1)/"
		}
		if said := plugin.Refuses(config); !strings.Contains(said, "ca_file") {
			t.Errorf("%v: %s", config, said)
		}
	}
}

func TestAnAnswerWithoutEndIsUnknown(t *testing.T) {
	address := stand.Endless(t, "\xff\xff\xff\x00\x0a")
	stand.Start(t, map[string]any{"dsn": "monitor:x@tcp(" + address + ")/"}).Unknown(address)
}
