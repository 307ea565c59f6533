package main

// Redis. Where it has an append-only file this is what it starts from, and a rewrite of it is on disk whole when it ends;
// else a snapshot is ("Redis persistence"). WAITAOF is not asked: it promises what its own connection wrote before, and
// this one writes nothing.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"cloudsnooze.local/official/internal/bounded"
	"cloudsnooze.local/official/internal/redisserver"
	"github.com/redis/go-redis/v9"
)

// The context has the time that is left, and this is more than that ever is.
const redisLimit = 24 * time.Hour

type redisDatabase struct {
	client *redis.Client
	read   *bounded.Budget
}

// saving is how a Redis is made to save, and the fields of `INFO persistence` that say how that goes.
type saving struct{ command, what, running, scheduled, outcome string }

var (
	rewrite  = saving{"BGREWRITEAOF", "append-only file", "aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_bgrewrite_status"}
	snapshot = saving{"BGSAVE", "snapshot", "rdb_bgsave_in_progress", "", "rdb_last_bgsave_status"}
)

func newRedis(target target) (database, error) {
	read := &bounded.Budget{}
	client, err := redisserver.Client(target.text, target.authorities, read, redisLimit)
	if err != nil {
		return nil, err
	}
	if target.authorities != nil && client.Options().TLSConfig == nil {
		return nil, errors.New("is not one of rediss://, and ca_file is of use for that alone")
	}
	return &redisDatabase{client, read}, nil
}

// It is left, and nothing that it could say would change anything.
func (server *redisDatabase) close() { _ = server.client.Close() }

func (server *redisDatabase) flush(ctx context.Context, work *work) error {
	fields, err := server.ask(ctx)
	if err != nil {
		return server.explain(ctx, err)
	}
	how := snapshot
	if fields["aof_enabled"] == "1" {
		how = rewrite
	}
	if err := server.begin(ctx, how); err != nil {
		return server.explain(ctx, err)
	}
	fields, err = server.rest(ctx, how.running, how.scheduled)
	if err != nil {
		return fmt.Errorf("its %s is not written yet: %w", how.what, server.explain(ctx, err))
	}
	if fields[how.outcome] != "ok" {
		return fmt.Errorf("%s could not write its %s, as %s says; its log says why", server.name(), how.what, how.outcome)
	}
	work.details["keys_changed_since"] = fields["rdb_changes_since_last_save"]
	work.did(how.what)
	return nil
}

// begin waits for what is being written already, which may lack what came after it began, and begins anew.
func (server *redisDatabase) begin(ctx context.Context, how saving) error {
	for {
		if _, err := server.rest(ctx, snapshot.running, rewrite.running, rewrite.scheduled); err != nil {
			return err
		}
		err := server.client.Do(ctx, how.command).Err()
		// Its own rules may have begun one in between.
		if err == nil || !strings.Contains(err.Error(), "already in progress") && !strings.Contains(err.Error(), "child process") {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// rest waits until none of these says 1.
func (server *redisDatabase) rest(ctx context.Context, names ...string) (map[string]string, error) {
	for {
		fields, err := server.ask(ctx)
		if err != nil {
			return nil, err
		}
		isBusy := false
		for _, name := range names {
			isBusy = isBusy || fields[name] == "1"
		}
		if !isBusy {
			return fields, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// ask reads how its saving goes.
func (server *redisDatabase) ask(ctx context.Context) (map[string]string, error) {
	server.read.Renew()
	text, err := server.client.Info(ctx, "persistence").Result()
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for _, line := range strings.Split(text, "\r\n") {
		if name, value, isField := strings.Cut(line, ":"); isField {
			fields[name] = value
		}
	}
	for _, name := range []string{"aof_enabled", snapshot.running, snapshot.outcome, rewrite.running, rewrite.scheduled, rewrite.outcome} {
		if _, isThere := fields[name]; !isThere {
			return nil, fmt.Errorf("it does not say its %s", name)
		}
	}
	if fields["loading"] == "1" {
		return nil, errors.New("it is still loading what it starts from")
	}
	return fields, nil
}

func (server *redisDatabase) name() string { return "Redis at " + server.client.Options().Addr }

func (server *redisDatabase) explain(ctx context.Context, err error) error {
	var refused redis.Error
	advice := "is it running, and is connection_string right?"
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%s refuses: %w; it takes a user with +info +bgsave +bgrewriteaof, and his password", server.name(), err)
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s was not done in time: %w", server.name(), err)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		advice = "its certificate is not one of the authorities that are trusted: name its own in ca_file"
	case errors.As(err, &bounded.TooMuchError{}):
		advice = "is it Redis that listens there?"
	case errors.Is(err, fs.ErrPermission):
		advice = "grant the plugin `tcp` with this port, or `unix` with this path, and let it open the socket"
	}
	return fmt.Errorf("%s cannot be asked: %w; %s", server.name(), err, advice)
}
