//go:build unix

package snooze

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// takeStreams keeps the real standard streams for the protocol, behind descriptors that no child process
// inherits. What reads standard input from here on finds its end, what writes standard output writes to
// standard error: code in C and child processes included.
func takeStreams() (*streams, error) {
	in, err := keep(0, "standard input")
	if err != nil {
		return nil, err
	}
	out, err := keep(1, "standard output")
	if err != nil {
		return nil, err
	}
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer nothing.Close()
	if err := unix.Dup2(int(nothing.Fd()), 0); err != nil {
		return nil, fmt.Errorf("closing standard input to the plugin: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, fmt.Errorf("pointing standard output at standard error: %w", err)
	}
	os.Stdout = os.Stderr
	return &streams{in, out}, nil
}

func keep(descriptor int, name string) (*os.File, error) {
	// Above the three that everybody takes for standard streams.
	kept, err := unix.FcntlInt(uintptr(descriptor), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("keeping %s: %w", name, err)
	}
	return os.NewFile(uintptr(kept), name), nil
}
