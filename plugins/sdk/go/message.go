package snooze

// What a plugin is told: readings, events, and values that somebody else chose. Nothing here makes up a reading
// or rounds a number.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Metrics are the readings of a host. One that could not be taken is nil: whoever uses it without looking
// panics, which is answered as an error, where a zero would look like an idle host.
type Metrics struct {
	// CPUUsage is in percent of all cores.
	CPUUsage *float64 `json:"cpu_usage"`
	// MemoryUsage is in percent.
	MemoryUsage *float64 `json:"memory_usage"`
	// NetworkTraffic is in KiB/s, received and sent.
	NetworkTraffic *float64 `json:"network_traffic"`
	// DiskIO is in KiB/s, read and written.
	DiskIO *float64 `json:"disk_io"`
	// GPUUsage is in percent, of the busiest GPU.
	GPUUsage *float64 `json:"gpu_usage"`
	// Timestamp is when they were taken, in Unix seconds.
	Timestamp *int64 `json:"timestamp"`
	// Host is the one that is asked about; empty over standard input, where it is this one.
	Host string `json:"-"`
}

// Event is something that happened or is going to.
type Event struct {
	// ID is the same for every report of the same happening.
	ID string `json:"id"`
	// Type is what happened, as cloud.spot.interrupt.
	Type string `json:"type"`
	// Severity goes from 0, information, to 3, critical.
	Severity int `json:"severity"`
	// Source is who noticed it.
	Source string `json:"source"`
	// Host is the one that it concerns.
	Host string `json:"host"`
	// NoticedAt is when it was noticed, by the clock of who noticed it.
	NoticedAt time.Time `json:"noticed_at"`
	// Deadline is when it is too late, by the clock of who noticed it; nil where there is none. How much time
	// is left here says the context.
	Deadline *time.Time `json:"deadline"`
	// Data depends on the type.
	Data Values `json:"data"`
}

// Values is a JSON object. Whole numbers in it are int64 (uint64 above), all others float64, so that none changes
// on its way; the rest is as encoding/json has it.
type Values map[string]any

// Decode writes the values into a struct with json tags.
func (values Values) Decode(into any) error {
	text, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("decoding values: %w", err)
	}
	return json.Unmarshal(text, into)
}

// Number is the number of this name, or the other one where there is none. What is there and no number, null
// included, is an error that names it.
func (values Values) Number(name string, otherwise float64) (float64, error) {
	value, given := values[name]
	if !given {
		return otherwise, nil
	}
	switch number := value.(type) {
	case float64:
		return number, nil
	case int64:
		return float64(number), nil
	case uint64:
		return float64(number), nil
	case int:
		return float64(number), nil
	}
	return 0, wrongKind(name, value, "a number")
}

// Text is the text of this name, or the other one, as [Values.Number].
func (values Values) Text(name, otherwise string) (string, error) {
	value, given := values[name]
	if !given {
		return otherwise, nil
	}
	if text, ok := value.(string); ok {
		return text, nil
	}
	return "", wrongKind(name, value, "a text")
}

// Flag is the boolean of this name, or the other one, as [Values.Number].
func (values Values) Flag(name string, otherwise bool) (bool, error) {
	value, given := values[name]
	if !given {
		return otherwise, nil
	}
	if flag, ok := value.(bool); ok {
		return flag, nil
	}
	return false, wrongKind(name, value, "true or false")
}

func wrongKind(name string, value any, expected string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s has to be %s", name, expected)
	}
	return fmt.Errorf("%s has to be %s and is %s", name, expected, bounded(string(text), 60))
}

// UnmarshalJSON reads an object; null is an empty one.
func (values *Values) UnmarshalJSON(text []byte) error {
	reader := json.NewDecoder(bytes.NewReader(text))
	// A float64 would change whole numbers above 2^53.
	reader.UseNumber()
	var object map[string]any
	if err := reader.Decode(&object); err != nil {
		return err
	}
	plain, err := withPlainNumbers(object)
	if err != nil {
		return err
	}
	*values = Values(plain.(map[string]any))
	return nil
}

// withPlainNumbers replaces what encoding/json reads with UseNumber, in place where it can.
func withPlainNumbers(value any) (any, error) {
	var err error
	switch value := value.(type) {
	case json.Number:
		return plainNumber(string(value))
	case []any:
		for index := range value {
			if value[index], err = withPlainNumbers(value[index]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range value {
			if value[name], err = withPlainNumbers(value[name]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func plainNumber(text string) (any, error) {
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole, nil
	}
	if whole, err := strconv.ParseUint(text, 10, 64); err == nil {
		return whole, nil
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("%s is no number that can be kept", bounded(text, 60))
	}
	return number, nil
}

// bounded is the text, or its beginning where it has more characters.
func bounded(text string, characters int) string {
	count := 0
	for index := range text {
		if count == characters {
			return text[:index]
		}
		count++
	}
	return text
}
