package main

// Where a broker is, and what its failures are called. No text shows a password.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"

	"cloudsnooze.local/official/internal/bounded"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// endpoint is an address, in the configuration or in a file, and whom a certificate there is held to.
type endpoint struct {
	url  settings.Secret
	form form
	// Nil for those of the system.
	authorities *x509.CertPool
}

// form is what addresses of a broker look like, and which of their schemes have TLS.
type form struct {
	example       string
	plain, secure []string
}

// endpointOf takes the address of a broker from `url` or `url_file`, and `ca_file`.
func endpointOf(config snooze.Values, form form) (endpoint, error) {
	endpoint := endpoint{form: form}
	var err error
	if endpoint.url, err = settings.SecretOf(config, "url"); err != nil {
		return endpoint, err
	}
	if !endpoint.url.Given() {
		return endpoint, fmt.Errorf("url is missing: it is of the form %s", form.example)
	}
	if endpoint.authorities, err = settings.Authorities(config); err != nil {
		return endpoint, err
	}
	if _, isText := config["url"]; isText {
		_, _, err = endpoint.read()
	}
	return endpoint, err
}

// read is the address as it is now, whole and in its parts. It says what is wrong with one without repeating any of it.
func (endpoint endpoint) read() (string, *url.URL, error) {
	text, err := endpoint.url.Read()
	if err != nil {
		return "", nil, err
	}
	form := endpoint.form
	address, err := url.Parse(text)
	if err != nil || (address.Host == "" && address.Scheme != "unix") {
		return "", nil, fmt.Errorf("url is not of the form %s", form.example)
	}
	switch {
	case slices.Contains(form.secure, address.Scheme):
	case !slices.Contains(form.plain, address.Scheme):
		return "", nil, fmt.Errorf("url is not of the form %s", form.example)
	case endpoint.authorities != nil:
		return "", nil, fmt.Errorf("ca_file is of use for a url of %s alone", form.secure[0])
	}
	return text, address, nil
}

// tls is how a certificate is looked at, of this host where the client does not say which.
func (endpoint endpoint) tls(host string) *tls.Config {
	return &tls.Config{RootCAs: endpoint.authorities, ServerName: host, MinVersion: tls.VersionTLS12}
}

// explain says what failed, where, and what to do.
func explain(what, where string, err error) error {
	advice := "does it run, and is url right?"
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s at %s did not answer within %s: it hangs or is not reached", what, where, questionLimit)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s at %s may not be reached: %w; grant the plugin `tcp` with this port, or `unix` with this path", what, where, err)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		advice = "its certificate is not one of the authorities that are trusted: name its own in ca_file"
	case errors.As(err, &bounded.TooMuchError{}):
		advice = "is it " + what + " that listens there?"
	}
	return fmt.Errorf("%s at %s cannot be asked: %w; %s", what, where, err, advice)
}
