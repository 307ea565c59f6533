package snooze

// Between MessagePack and JSON. What arrives is looked through before it is decoded, so that no claimed size and no
// nesting costs more than its bytes.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// The deepest nesting that is read, as everywhere on the bus.
const depthLimit = 128

// isPacked says whether a body begins as a MessagePack map.
func isPacked(body []byte) bool {
	return len(body) > 0 && (body[0]&0xf0 == 0x80 || body[0] == 0xde || body[0] == 0xdf)
}

// unpack turns a MessagePack map into a JSON object.
func unpack(body []byte) ([]byte, error) {
	if err := checkPacked(body); err != nil {
		return nil, err
	}
	reader := msgpack.NewDecoder(bytes.NewReader(body))
	// Whole numbers as int64 or uint64, whatever their size on the wire.
	reader.UseLooseInterfaceDecoding(true)
	value, err := reader.DecodeInterface()
	if err != nil {
		return nil, err
	}
	return toJSON(value)
}

// pack turns a JSON object into a MessagePack map, the same one for the same object.
func pack(text []byte) ([]byte, error) {
	var value Values
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	writer := msgpack.NewEncoder(&packed)
	writer.SetSortMapKeys(true)
	writer.UseCompactInts(true)
	if err := writer.Encode(map[string]any(value)); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

var errShort = errors.New("it ends too early")

// checkPacked looks through a body without recursion and without keeping anything of it.
func checkPacked(body []byte) error {
	// How many values are still missing, of each array and map that is open.
	open := make([]uint64, 0, depthLimit)
	for at := 0; ; {
		size, children, err := nextPacked(body[at:])
		if err != nil {
			return err
		}
		// No more can follow than there are bytes; this also bounds the product of all counts.
		if size > uint64(len(body)-at) || children > uint64(len(body)-at) {
			return errShort
		}
		at += int(size)
		if children > 0 {
			if len(open) == depthLimit {
				return fmt.Errorf("it is nested deeper than %d", depthLimit)
			}
			open = append(open, children)
			continue
		}
		for len(open) > 0 {
			open[len(open)-1]--
			if open[len(open)-1] > 0 {
				break
			}
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			if left := len(body) - at; left > 0 {
				return fmt.Errorf("%d bytes follow its end", left)
			}
			return nil
		}
	}
}

// nextPacked is how many bytes the value at the beginning takes itself, and how many values it holds.
func nextPacked(body []byte) (size, children uint64, err error) {
	if len(body) == 0 {
		return 0, 0, errShort
	}
	first := body[0]
	// The number in the so many bytes that follow the first.
	count := func(width int) uint64 {
		if len(body) < 1+width {
			err = errShort
			return 0
		}
		var bytes [8]byte
		copy(bytes[8-width:], body[1:1+width])
		return binary.BigEndian.Uint64(bytes[:])
	}
	switch {
	case first <= 0x7f || first >= 0xe0: // a small number
		return 1, 0, nil
	case first <= 0x8f: // a small map
		return 1, 2 * uint64(first&0x0f), nil
	case first <= 0x9f: // a small array
		return 1, uint64(first & 0x0f), nil
	case first <= 0xbf: // a short text
		return 1 + uint64(first&0x1f), 0, nil
	}
	switch first {
	case 0xc0, 0xc2, 0xc3: // nil, false, true
		return 1, 0, nil
	case 0xc4, 0xd9: // bytes and texts, with their length in 1, 2 and 4 bytes
		return 2 + count(1), 0, err
	case 0xc5, 0xda:
		return 3 + count(2), 0, err
	case 0xc6, 0xdb:
		return 5 + count(4), 0, err
	case 0xcc, 0xd0: // numbers of 1, 2, 4 and 8 bytes
		return 2, 0, nil
	case 0xcd, 0xd1:
		return 3, 0, nil
	case 0xca, 0xce, 0xd2:
		return 5, 0, nil
	case 0xcb, 0xcf, 0xd3:
		return 9, 0, nil
	case 0xdc: // arrays and maps
		return 3, count(2), err
	case 0xdd:
		return 5, count(4), err
	case 0xde:
		return 3, 2 * count(2), err
	case 0xdf:
		return 5, 2 * count(4), err
	}
	return 0, 0, fmt.Errorf("it holds a value of the type 0x%x, which JSON has not", first)
}
