package main

import (
	"os"
	"path/filepath"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

// template is the empty data of a server, made once and copied for each test.
type template struct{ folder string }

var mariadbTemplate, postgresTemplate template

// forget removes what the tests share.
func forget() {
	for _, template := range []template{mariadbTemplate, postgresTemplate} {
		if template.folder != "" {
			_ = os.RemoveAll(template.folder)
		}
	}
}

// copy makes the data of one more server, which is not there yet.
func (template *template) copy(t *testing.T, to string, make func(folder string)) {
	t.Helper()
	if template.folder == "" {
		folder, err := os.MkdirTemp("", "snooze-flusher-")
		if err != nil {
			t.Fatal(err)
		}
		template.folder = folder
		make(filepath.Join(folder, "data"))
	}
	stand.Run(t, "cp", "-a", filepath.Join(template.folder, "data"), to)
}
