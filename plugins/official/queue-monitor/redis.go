package main

// Lists and streams of Redis. It asks for lengths; entries are looked at only where a stream lost some and its server
// cannot say how many of it a group has not had.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudsnooze.local/official/internal/bounded"
	"cloudsnooze.local/official/internal/redisserver"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
	"github.com/redis/go-redis/v9"
)

var redisForm = form{"redis://user:password@host:6379/0 or unix:///path", []string{"redis", "unix"}, []string{"rediss"}}

// So many entries are looked at where they have to be counted.
const countedAtMost = 1000

type redisServer struct {
	endpoint
	lists, streams []string
	groups         [][2]string
	// The client, and the url that it was made with.
	client *redis.Client
	text   string
	budget bounded.Budget
}

func newRedis(config snooze.Values) (broker, error) {
	endpoint, err := endpointOf(config, redisForm)
	if err != nil {
		return nil, err
	}
	lists, err := settings.Texts(config, "lists")
	if err != nil {
		return nil, err
	}
	groups, err := pairs(config, "groups", "key/group")
	if err != nil {
		return nil, err
	}
	streams, err := settings.Texts(config, "streams")
	if err != nil {
		return nil, err
	}
	if len(lists)+len(groups)+len(streams) == 0 {
		return nil, errors.New("lists is missing: it lists their keys; groups or streams may be given instead")
	}
	return &redisServer{endpoint: endpoint, lists: lists, groups: groups, streams: streams}, nil
}

func (server *redisServer) close() {
	if server.client != nil {
		// It is left, and nothing that it could say would change anything.
		_ = server.client.Close()
		server.client = nil
	}
}

func (server *redisServer) measure(ctx context.Context) (queues []queue, failed []error) {
	text, _, err := server.read()
	if err != nil {
		return nil, []error{fmt.Errorf("redis.%w", err)}
	}
	if err := server.turnTo(text); err != nil {
		return nil, []error{fmt.Errorf("redis.%w", err)}
	}
	server.budget.Renew()
	add := func(asked queue, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", asked.name, server.explain(err)))
			return
		}
		queues = append(queues, asked)
	}
	for _, key := range server.lists {
		length, err := server.client.LLen(ctx, key).Result()
		add(queue{name: "redis list " + key, held: uint64(length)}, err)
	}
	for _, key := range server.streams {
		add(server.stream(ctx, key))
	}
	for _, names := range server.groups {
		add(server.group(ctx, names[0], names[1]))
	}
	return queues, failed
}

// turnTo makes the client that of this url; where it is already, its connection is kept.
func (server *redisServer) turnTo(text string) error {
	if server.client != nil && server.text == text {
		return nil
	}
	client, err := redisserver.Client(text, server.authorities, &server.budget, questionLimit+time.Second)
	if err != nil {
		return fmt.Errorf("url %w", err)
	}
	server.close()
	server.client, server.text = client, text
	return nil
}

// stream is a whole one: what it holds is what nobody took out of it.
func (server *redisServer) stream(ctx context.Context, key string) (queue, error) {
	asked := queue{name: "redis stream " + key}
	said, err := server.client.Do(ctx, "XINFO", "STREAM", key).Slice()
	if err != nil {
		return asked, err
	}
	fields := fieldsOf(said)
	if asked.held, err = counter(fields, "length"); err != nil {
		return asked, err
	}
	// Before Redis 7 there is none.
	if added, err := counter(fields, "entries-added"); err == nil {
		asked.moved = &added
	}
	return asked, nil
}

// group is a consumer group: what waits for it, and what its consumers have not acknowledged.
func (server *redisServer) group(ctx context.Context, key, name string) (queue, error) {
	asked := queue{name: "redis group " + key + "/" + name}
	said, err := server.client.Do(ctx, "XINFO", "GROUPS", key).Slice()
	if err != nil {
		return asked, err
	}
	for _, each := range said {
		list, _ := each.([]any)
		fields := fieldsOf(list)
		if fields["name"] != name {
			continue
		}
		pending, err := counter(fields, "pending")
		if err != nil {
			return asked, err
		}
		lag, err := counter(fields, "lag")
		if err != nil {
			if lag, err = server.behind(ctx, key, fields["last-delivered-id"]); err != nil {
				return asked, err
			}
			asked.isMore = lag == countedAtMost
		}
		asked.held = pending + lag
		if read, err := counter(fields, "entries-read"); err == nil {
			asked.moved = &read
		}
		return asked, nil
	}
	return asked, errors.New("there is no such group")
}

// behind counts the entries after one, up to a limit.
func (server *redisServer) behind(ctx context.Context, key string, last any) (uint64, error) {
	id, isText := last.(string)
	if !isText {
		return 0, errors.New("it does not say what it was delivered last")
	}
	entries, err := server.client.Do(ctx, "XRANGE", key, "("+id, "+", "COUNT", countedAtMost).Slice()
	return uint64(len(entries)), err
}

// fieldsOf reads the answer of XINFO: names and values in turn.
func fieldsOf(list []any) map[string]any {
	fields := map[string]any{}
	for index := 0; index+1 < len(list); index += 2 {
		if name, isText := list[index].(string); isText {
			fields[name] = list[index+1]
		}
	}
	return fields
}

func counter(fields map[string]any, name string) (uint64, error) {
	number, isNumber := fields[name].(int64)
	if !isNumber || number < 0 {
		return 0, fmt.Errorf("it does not say its %s", name)
	}
	return uint64(number), nil
}

func (server *redisServer) explain(err error) error {
	var refused redis.Error
	if errors.As(err, &refused) {
		return fmt.Errorf("the server at %s refuses: %w", server.client.Options().Addr, err)
	}
	return explain("Redis", server.client.Options().Addr, err)
}
