// The plugin queue-monitor: idle while the named queues of RabbitMQ, NATS JetStream and Redis hold and deliver nothing. It
// asks how many messages there are and never takes, adds or acknowledges one; a queue that it cannot ask is unknown.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudsnooze.local/official/internal/monitor"
	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

const (
	// The runner waits five seconds; an answer that says what hangs is worth more than one that comes too late.
	questionLimit = 3500 * time.Millisecond
	// One message is work.
	defaultThreshold = 0
	// The host's own interval between checks, so that what came and went between two of them counts.
	defaultQuiet = 60
	longestQuiet = 3600
	// So many queues are in the details: the runner keeps few kilobytes of them.
	queuesShown = 20
)

// broker is where queues are.
type broker interface {
	// measure asks for each queue by itself: what could not be asked does not hide the others.
	measure(ctx context.Context) ([]queue, []error)
	close()
}

// kinds are how a broker is made of its part of the configuration.
var kinds = map[string]func(snooze.Values) (broker, error){"rabbitmq": newRabbitMQ, "nats": newNATS, "redis": newRedis}

type made struct {
	from   snooze.Values
	broker broker
}

//go:embed plugin.json
var manifest []byte

type plugin struct {
	monitor.Manifest
	threshold int64
	quiet     time.Duration
	brokers   map[string]made
	history   history
}

func (plugin *plugin) Configure(_ context.Context, config snooze.Values) error {
	if err := plugin.Refuse(config); err != nil {
		return err
	}
	threshold, err := settings.Whole(config, "message_threshold", defaultThreshold, 0)
	if err != nil {
		return err
	}
	quiet, err := settings.Whole(config, "quiet_seconds", defaultQuiet, 1)
	if err != nil {
		return err
	}
	if quiet > longestQuiet {
		return fmt.Errorf("quiet_seconds has to be at most %d and is %d", longestQuiet, quiet)
	}
	brokers := map[string]made{}
	for kind, make := range kinds {
		part, err := settings.Object(config, kind)
		if err != nil {
			return err
		}
		if part == nil {
			continue
		}
		// One that stays as it is keeps its connection.
		if same, isThere := plugin.brokers[kind]; isThere && reflect.DeepEqual(same.from, part) {
			brokers[kind] = same
			continue
		}
		// None of them connects before it is asked, so one that is not used after all holds nothing.
		broker, err := make(part)
		if err != nil {
			return fmt.Errorf("%s.%w", kind, err)
		}
		brokers[kind] = made{part, broker}
	}
	if len(brokers) == 0 {
		return errors.New("rabbitmq, nats or redis is missing: they name the queues")
	}
	for kind, old := range plugin.brokers {
		if brokers[kind].broker != old.broker {
			old.broker.close()
		}
	}
	plugin.threshold, plugin.quiet, plugin.brokers = threshold, time.Duration(quiet)*time.Second, brokers
	return nil
}

func (plugin *plugin) CheckIdle(ctx context.Context, _ snooze.Metrics) (snooze.Opinion, error) {
	if len(plugin.brokers) == 0 {
		return snooze.Opinion{}, errors.New("no queue is configured: rabbitmq, nats or redis names them")
	}
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	queues, failed := plugin.measure(ctx)
	now := time.Now()
	shown := snooze.Values{}
	details := snooze.Values{"threshold": plugin.threshold, "quiet_seconds": int64(plugin.quiet / time.Second), "queues": shown}
	var busy, early []string
	for _, queue := range queues {
		delivered, isKnown := plugin.history.since(queue, now, plugin.quiet)
		numbers := snooze.Values{"held": queue.held, "delivered": nil}
		if isKnown {
			numbers["delivered"] = delivered
		} else if queue.moved != nil {
			early = append(early, queue.name)
		}
		if len(shown) < queuesShown {
			shown[queue.name] = numbers
		}
		switch {
		case queue.held > uint64(plugin.threshold):
			busy = append(busy, fmt.Sprintf("%s holds %s", queue.name, messages(queue.held)))
		case isKnown && delivered > uint64(plugin.threshold):
			busy = append(busy, fmt.Sprintf("%s delivered %s in the last %s", queue.name, messages(delivered), plugin.quiet))
		case queue.isMore:
			failed = append(failed, fmt.Sprintf("%s holds %s or more, and message_threshold is above that", queue.name, messages(queue.held)))
		}
	}
	plugin.history.forget(now)
	switch {
	case len(busy) > 0:
		return snooze.Busy(strings.Join(busy, "; "), details), nil
	case len(failed) > 0:
		return snooze.Opinion{}, errors.New(strings.Join(failed, "; "))
	case len(early) > 0:
		return snooze.Opinion{}, fmt.Errorf("what %s delivers is not known yet: it takes two checks", strings.Join(early, ", "))
	}
	return snooze.Idle(fmt.Sprintf("no queue of %d holds or delivers more than %d messages", len(queues), plugin.threshold), details), nil
}

func messages(count uint64) string {
	if count == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", count)
}

// measure asks all brokers at once: one that hangs takes no time from another. It tells in the same order each time.
func (plugin *plugin) measure(ctx context.Context) (queues []queue, failed []string) {
	var mutex sync.Mutex
	var all sync.WaitGroup
	for _, made := range plugin.brokers {
		all.Add(1)
		go func() {
			defer all.Done()
			some, errs := made.broker.measure(ctx)
			mutex.Lock()
			defer mutex.Unlock()
			queues = append(queues, some...)
			for _, err := range errs {
				failed = append(failed, err.Error())
			}
		}()
	}
	all.Wait()
	slices.SortFunc(queues, func(one, other queue) int { return strings.Compare(one.name, other.name) })
	slices.Sort(failed)
	return queues, failed
}

func (plugin *plugin) Shutdown(context.Context) error {
	for _, made := range plugin.brokers {
		made.broker.close()
	}
	plugin.brokers = nil
	return nil
}

func main() {
	monitor.Run(&plugin{Manifest: monitor.Read(manifest), history: history{}})
}
