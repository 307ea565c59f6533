package snooze

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
)

// golden is a message that every language has to read.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../schemas/fixtures", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheGoldenMessagesAreReadAsTheirJSON(t *testing.T) {
	for _, name := range []string{"check_idle", "check_idle_result", "event", "handle_event", "handler_result", "plugin_info", "manifest"} {
		text, err := unpack(golden(t, name+".msgpack"))
		if err != nil {
			t.Fatalf("%s: %s", name, err)
		}
		same(t, string(text), string(golden(t, name+".json")))
		packed, err := pack(golden(t, name+".json"))
		if err != nil {
			t.Fatalf("%s: %s", name, err)
		}
		if text, err = unpack(packed); err != nil {
			t.Fatalf("%s: %s", name, err)
		}
		same(t, string(text), string(golden(t, name+".json")))
	}
}

func TestAClaimedSizeOrNestingIsNotBelieved(t *testing.T) {
	deep := func(depth int) []byte {
		body := append([]byte{0x81, 0xa1, 'z'}, bytes.Repeat([]byte{0x91}, depth)...)
		return append(body, 0xc0)
	}
	if _, err := unpack(deep(depthLimit - 1)); err != nil {
		t.Error(err)
	}
	for _, body := range [][]byte{
		deep(depthLimit),
		{0xdf, 0xff, 0xff, 0xff, 0xff},
		{0x81, 0xa1, 'a', 0xdd, 0xff, 0xff, 0xff, 0xff},
		{0x81, 0xa1, 'a', 0xdb, 0xff, 0xff, 0xff, 0xff, 'x'},
		{0x81, 0xa1, 'a'},
		{0x81},
		{0x80, 0x80},
		{0x81, 0x01, 0x01},
		{0x81, 0xa1, 'a', 0xd4, 0x01, 0x01},
		{0x81, 0xa1, 'a', 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0},
	} {
		if text, err := unpack(body); err == nil {
			t.Errorf("% x is read as %s", body, text)
		}
	}
}

func TestNoBytesMakeReadingPanic(t *testing.T) {
	// The same ones every time.
	random := rand.New(rand.NewSource(1))
	for range 200_000 {
		body := make([]byte, 1+random.Intn(40))
		random.Read(body)
		body[0] = 0x80 | body[0]&0x0f
		if text, err := unpack(body); err == nil {
			if _, err := pack(text); err != nil {
				t.Fatalf("% x: %s cannot be written: %s", body, text, err)
			}
		}
	}
}
