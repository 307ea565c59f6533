//go:build !unix

package snooze

import "os"

// takeStreams keeps the standard streams for the protocol as far as Go goes: code in C, and child processes that
// are handed descriptors by number, are not stopped here.
func takeStreams() (*streams, error) {
	taken := &streams{os.Stdin, os.Stdout}
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	os.Stdin = nothing
	os.Stdout = os.Stderr
	return taken, nil
}
