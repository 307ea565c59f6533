package stand

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Manifest is what a test compares of a plugin.json.
type Manifest struct {
	Name        string                     `json:"name"`
	Version     string                     `json:"version"`
	Author      string                     `json:"author"`
	Official    bool                       `json:"official"`
	Language    string                     `json:"language"`
	Category    string                     `json:"category"`
	EntryPoint  string                     `json:"entry_point"`
	DisplayName string                     `json:"display_name"`
	Description string                     `json:"description"`
	Permissions map[string]json.RawMessage `json:"permissions"`
	Schema      schema                     `json:"config_schema"`
}

type schema struct {
	Properties map[string]json.RawMessage `json:"properties"`
	// Nil where it is not said, and then there may be more.
	More *bool `json:"additionalProperties"`
}

// closed says whether it takes no other keys than its own.
func (schema schema) closed() bool { return schema.More != nil && !*schema.More }

// ManifestHolds checks the manifest in this folder against what the plugin says of itself, that both refuse keys which
// there are not, and that the README names every field of the configuration.
func ManifestHolds(t *testing.T) Manifest {
	t.Helper()
	text, err := os.ReadFile("plugin.json")
	must(t, err)
	var manifest Manifest
	must(t, json.Unmarshal(text, &manifest))
	folder, err := os.Getwd()
	must(t, err)
	info, failure := StartUnconfigured(t).Ask("Info", map[string]any{})
	if failure != "" {
		t.Fatal(failure)
	}
	var said Manifest
	must(t, json.Unmarshal(info, &said))
	pairs := [][2]string{
		{manifest.Name, filepath.Base(folder)}, {manifest.Name, said.Name}, {manifest.EntryPoint, said.Name},
		{manifest.Version, said.Version}, {manifest.Author, said.Author}, {manifest.DisplayName, said.DisplayName},
		{manifest.Description, said.Description}, {manifest.Category, said.Category},
		{manifest.Language, "go"}, {manifest.Author, "CloudSnooze"},
	}
	for _, pair := range pairs {
		if pair[0] != pair[1] {
			t.Errorf("the manifest says %q and should say %q", pair[0], pair[1])
		}
	}
	if !manifest.Official {
		t.Error("the manifest does not say official")
	}
	plugin := StartUnconfigured(t)
	if said := plugin.Refuses(map[string]any{"tresholt": 1}); !strings.HasPrefix(said, "tresholt ") {
		t.Errorf("a key that there is not is refused so: %s", said)
	}
	if !manifest.Schema.closed() {
		t.Error("the manifest takes keys that there are not")
	}
	readme, err := os.ReadFile("README.md")
	must(t, err)
	for field, property := range manifest.Schema.Properties {
		var below schema
		must(t, json.Unmarshal(property, &below))
		if below.Properties != nil {
			if said := plugin.Refuses(map[string]any{field: map[string]any{"ulr": 1}}); !strings.HasPrefix(said, field+".ulr ") {
				t.Errorf("a key that there is not is refused so: %s", said)
			}
			if !below.closed() {
				t.Errorf("the manifest takes keys of %s that there are not", field)
			}
		}
		names := []string{field}
		for name := range below.Properties {
			names = append(names, field+"."+name)
		}
		for _, name := range names {
			if !strings.Contains(string(readme), "| `"+name+"` |") {
				t.Errorf("the README's table lacks %s", name)
			}
		}
	}
	return manifest
}

// Default is the default that the manifest gives a field.
func (manifest Manifest) Default(t *testing.T, field string) any {
	t.Helper()
	var property struct {
		Default any `json:"default"`
	}
	must(t, json.Unmarshal(manifest.Schema.Properties[field], &property))
	return property.Default
}
