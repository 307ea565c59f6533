package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudsnooze.local/snooze"
)

func TestAWholeNumberIsWhole(t *testing.T) {
	for _, wrong := range []any{1.5, int64(0), int64(-1), "5", nil, true, 1e12} {
		_, err := Whole(snooze.Values{"threshold": wrong}, "threshold", 5, 1)
		if err == nil || !strings.Contains(err.Error(), "threshold") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	for value, expected := range map[any]int64{int64(7): 7, 7.0: 7} {
		if got, err := Whole(snooze.Values{"threshold": value}, "threshold", 5, 1); err != nil || got != expected {
			t.Errorf("%v: %v, %v", value, got, err)
		}
	}
	if got, err := Whole(nil, "threshold", 5, 1); err != nil || got != 5 {
		t.Errorf("absent: %v, %v", got, err)
	}
}

func TestAListHoldsTextsOnceEach(t *testing.T) {
	for _, wrong := range []any{"a", nil, []any{int64(1)}, []any{""}, []any{"a", "a"}} {
		if texts, err := Texts(snooze.Values{"names": wrong}, "names"); err == nil {
			t.Errorf("%v was taken as %v", wrong, texts)
		}
	}
	if texts, err := Texts(snooze.Values{"names": []any{"a", "b"}}, "names"); err != nil || len(texts) != 2 {
		t.Errorf("%v, %v", texts, err)
	}
}

func TestASecretIsNeverShown(t *testing.T) {
	secret, err := SecretOf(snooze.Values{"dsn": "hush"}, "dsn")
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if shown := fmt.Sprintf(form, struct{ Secret Secret }{secret}); strings.Contains(shown, "hush") {
			t.Errorf("%s shows %s", form, shown)
		}
	}
	_, err = SecretOf(snooze.Values{"dsn": []any{"hush"}}, "dsn")
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("it is shown: %v", err)
	}
}

func TestASecretFileIsReadEachTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	secret, err := SecretOf(snooze.Values{"dsn_file": path}, "dsn")
	if err != nil || !secret.Given() {
		t.Fatal(secret.Given(), err)
	}
	if _, err := secret.Read(); err == nil || !strings.Contains(err.Error(), "dsn_file") {
		t.Fatalf("a file that is not there: %v", err)
	}
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := secret.Read(); err != nil || got != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	for _, text := range []string{"", " \n", strings.Repeat("x", fileLimit+1)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := secret.Read(); err == nil || strings.Contains(err.Error(), "xxx") {
			t.Fatalf("%d bytes: %q, %v", len(text), got, err)
		}
	}
}

func TestASecretStandsInOnePlace(t *testing.T) {
	for _, wrong := range []snooze.Values{
		{"dsn": "a", "dsn_file": "/b"}, {"dsn": ""}, {"dsn_file": ""}, {"dsn_file": "relative"}, {"dsn_file": int64(1)},
	} {
		if _, err := SecretOf(wrong, "dsn"); err == nil || !strings.Contains(err.Error(), "dsn") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
