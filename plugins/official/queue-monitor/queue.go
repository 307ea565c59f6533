package main

// What a queue says of itself, and how far it has moved within a while. Nothing here asks a broker.

import "time"

// queue is one that was asked.
type queue struct {
	// As people find it, with its broker: `redis list celery`.
	name string
	// Messages that wait, and those that somebody has and has not acknowledged.
	held uint64
	// A number that grows with each message that is delivered; nil where the broker keeps none.
	moved *uint64
	// Whether it may hold more than could be counted.
	isMore bool
}

// moment is how far a queue had moved.
type moment struct {
	at    time.Time
	moved uint64
}

// history is by the queues' names, oldest first.
type history map[string][]moment

// So close to one another two moments are one: the history stays short, however often somebody asks.
const closest = time.Second

// since is how many messages a queue has delivered within a while, or since it is known where that is less. Of one that
// was not looked at before, and of one without a counter, nothing is known.
func (history history) since(queue queue, now time.Time, while time.Duration) (delivered uint64, isKnown bool) {
	past := history[queue.name]
	if queue.moved == nil {
		// Where one comes later it has counted from 0: RabbitMQ makes it with the first message.
		if len(past) == 0 {
			history[queue.name] = []moment{{now, 0}}
		}
		return 0, false
	}
	// A queue that was made anew counts from 0.
	if len(past) > 0 && *queue.moved < past[len(past)-1].moved {
		past = []moment{{past[0].at, 0}}
	}
	// The newest that is old enough is what there was before the while.
	first := 0
	for index, each := range past {
		if now.Sub(each.at) >= while {
			first = index
		}
	}
	past = past[first:]
	if len(past) == 0 {
		history[queue.name] = []moment{{now, *queue.moved}}
		return 0, false
	}
	delivered = *queue.moved - past[0].moved
	if now.Sub(past[len(past)-1].at) >= closest {
		past = append(past, moment{now, *queue.moved})
	}
	history[queue.name] = past
	return delivered, true
}

// forget drops queues that nobody has asked about for longer than any while.
func (history history) forget(now time.Time) {
	for name, past := range history {
		if now.Sub(past[len(past)-1].at) > 2*longestQuiet*time.Second {
			delete(history, name)
		}
	}
}
