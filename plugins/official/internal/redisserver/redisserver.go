// Package redisserver connects to one Redis server by its url. Its client holds one connection, tries once, and never
// logs: every failure is answered.
package redisserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"cloudsnooze.local/official/internal/bounded"
	"github.com/redis/go-redis/v9"
)

// silent is a log of the client that is not kept.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Client makes one of a url, whose certificate is held to these authorities, or to those of the system. It does not
// connect yet. A question has the time of its context, and never more than the limit.
func Client(url string, authorities *x509.CertPool, read *bounded.Budget, limit time.Duration) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		// What is wrong with it may be a piece of the password.
		return nil, errors.New("is not of the form redis://user:password@host:6379/0 or unix:///path")
	}
	redis.SetLogger(silent{})
	// One connection, one try, and the question's own limit. Users with few rights may not say who they are.
	options.PoolSize, options.MaxRetries, options.DialerRetries, options.ContextTimeoutEnabled = 1, -1, 1, true
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = limit, limit, limit
	options.Protocol, options.DisableIdentity = 2, true
	options.Dialer = dialer(options.TLSConfig, authorities, read)
	return redis.NewClient(options), nil
}

// dialer connects within the question's time. The client's own has a limit for each connection, which is longer.
func dialer(asked *tls.Config, authorities *x509.CertPool, read *bounded.Budget) bounded.Dial {
	dial := read.Within((&net.Dialer{}).DialContext)
	if asked == nil {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		opened, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(opened, &tls.Config{RootCAs: authorities, ServerName: asked.ServerName, MinVersion: tls.VersionTLS12})
		if err := secured.HandshakeContext(ctx); err != nil {
			opened.Close()
			return nil, err
		}
		return secured, nil
	}
}
