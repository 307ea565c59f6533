package main

// The end of what a script has written, which says what went wrong; all of it goes to the plugin's log.

import (
	"encoding/json"
	"io"
	"strings"
	"sync"
)

// The runner keeps 4 KiB of an outcome's details, as they are written in JSON; the other ones take the rest.
const outputLimit = 3000

// tail keeps the last bytes, and passes all on.
type tail struct {
	log   io.Writer
	mutex sync.Mutex
	last  []byte
	cut   int64
}

func (tail *tail) Write(text []byte) (int, error) {
	tail.mutex.Lock()
	defer tail.mutex.Unlock()
	tail.last = append(tail.last, text...)
	if over := len(tail.last) - outputLimit; over > 0 {
		tail.cut += int64(over)
		tail.last = append([]byte(nil), tail.last[over:]...)
	}
	// Where even the log cannot be written, the script is not to end for it.
	_, _ = tail.log.Write(text)
	return len(text), nil
}

// text is what is kept, as text of which the JSON is within the limit, and how many bytes are not.
func (tail *tail) text() (string, int64) {
	tail.mutex.Lock()
	defer tail.mutex.Unlock()
	kept := []rune(strings.ToValidUTF8(string(tail.last), "\uFFFD"))
	cut := tail.cut
	for {
		written, err := json.Marshal(string(kept))
		over := len(written) - outputLimit
		if err == nil && over <= 0 {
			return string(kept), cut
		}
		// A character takes twelve bytes of JSON at most, so that this comes to an end without cutting too much.
		drop := min(len(kept), max(1, over/12))
		cut += int64(len(string(kept[:drop])))
		kept = kept[drop:]
	}
}
