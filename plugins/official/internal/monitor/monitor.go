// Package monitor is what the plugins here are beside what they watch: who they say that they are, which keys of a
// configuration they know, and how much of a machine they take. It says what plugin.json says, which each has within
// itself, so that the two never differ; it knows nothing of what is watched.
package monitor

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"cloudsnooze.local/snooze"
)

// A question is answered one step after another, so more processors would save nobody time. Go takes a thread for each
// that it may use, and a machine with a hundred of them has more than the processes, threads included, that a plugin
// is granted: it would end where it cannot start another.
const processors = 2

// Manifest is a plugin's own plugin.json. A plugin that has it as a field without a name is introduced by it.
type Manifest struct {
	info   snooze.Info
	schema schema
	events []string
}

// schema is as much of a JSON Schema as it takes to know the keys.
type schema struct {
	Properties map[string]schema `json:"properties"`
}

// Read takes the manifest that is built into a plugin.
func Read(text []byte) Manifest {
	var said struct {
		snooze.Info
		Schema schema         `json:"config_schema"`
		Events map[string]any `json:"events"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		panic("the plugin.json that this was built with is broken: " + err.Error())
	}
	return Manifest{said.Info, said.Schema, sorted(said.Events)}
}

// Info is what the manifest says.
func (manifest Manifest) Info() snooze.Info { return manifest.info }

// Events are the types of events that the manifest has terms for, switched on or not.
func (manifest Manifest) Events() []string { return manifest.events }

// Refuse refuses a configuration with a key that the manifest does not have: one that is misspelt would leave a default
// where its author expects none.
func (manifest Manifest) Refuse(config snooze.Values) error {
	return manifest.schema.refuse(config, "")
}

func (schema schema) refuse(config map[string]any, above string) error {
	for _, key := range sorted(config) {
		below, isKnown := schema.Properties[key]
		if !isKnown {
			return fmt.Errorf("%s%s is not known; there are %s", above, key, strings.Join(sorted(schema.Properties), ", "))
		}
		object, isObject := config[key].(map[string]any)
		if !isObject || below.Properties == nil {
			continue
		}
		if err := below.refuse(object, above+key+"."); err != nil {
			return err
		}
	}
	return nil
}

func sorted[Value any](keys map[string]Value) []string {
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Run serves the plugin until its input ends, on few processors and in little memory.
func Run(plugin snooze.Plugin) {
	runtime.GOMAXPROCS(min(processors, runtime.GOMAXPROCS(0)))
	if err := boundMemory(); err != nil {
		fmt.Fprintf(os.Stderr, "its memory cannot be bounded: %s\n", err)
	}
	snooze.Run(plugin)
}

// boundMemory bounds what this process may hold, where nobody else has.
func boundMemory() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	if limit.Cur <= memoryLimit {
		return nil
	}
	limit.Cur = min(memoryLimit, limit.Max)
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &limit)
}
