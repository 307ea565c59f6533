package stand

// An authority that a test makes, and a certificate of it for servers on this machine.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is the files of a server's certificate for 127.0.0.1 and localhost.
type Certificate struct{ Authority, Certificate, Key string }

// Certify makes an authority of its own, and a certificate of it.
func Certify(t *testing.T) Certificate {
	t.Helper()
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "snooze test authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	signing, own := key(t), key(t)
	folder := t.TempDir()
	file := func(name, kind string, text []byte) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600))
		return path
	}
	signed := func(what *x509.Certificate, of *ecdsa.PrivateKey) []byte {
		text, err := x509.CreateCertificate(rand.Reader, what, authority, &of.PublicKey, signing)
		must(t, err)
		return text
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	must(t, err)
	return Certificate{
		Authority:   file("ca.pem", "CERTIFICATE", signed(authority, signing)),
		Certificate: file("server.pem", "CERTIFICATE", signed(server, own)),
		Key:         file("server.key", "PRIVATE KEY", private),
	}
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return made
}
