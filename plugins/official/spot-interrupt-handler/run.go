package main

// One run of a program in a process group of its own, which is gone when this returns: told to end in time, and killed
// where it does not. It knows no event.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// So long has a script to end after SIGTERM, where there is so much.
	grace = 5 * time.Second
	// Of a time that is short, so much of it is for ending: a quarter.
	graceShare = 4
	// Kept back for the answer: the runner ends the plugin with all that it has started when the time is over.
	answerTime = 500 * time.Millisecond
	// Of a time that is short, so much of it is kept back: a tenth.
	answerShare = 10
	// When the plugin itself has to end, it has a second.
	hurriedGrace = 300 * time.Millisecond
	// What was written before the end is there at once: nobody of the group is left to hold the pipe.
	outputTime = 200 * time.Millisecond
)

// times are when it is told to end, and when it is killed, from its start on.
type times struct{ terminate, kill time.Duration }

// share divides what is left. It never gives more than that, and never less than nothing.
func share(left, timeout time.Duration) times {
	left = max(left, 0)
	end := left - min(answerTime, left/answerShare)
	kill := min(timeout+grace, end)
	return times{terminate: min(timeout, kill-min(grace, kill/graceShare)), kill: kill}
}

type job struct {
	program     string
	environment []string
	input       []byte
	times       times
}

// ending is how it ended, by itself or not.
type ending struct {
	code     int
	signal   string
	timedOut bool
	took     time.Duration
	output   string
	cut      int64
}

func (ending ending) succeeded() bool {
	return ending.code == 0 && ending.signal == "" && !ending.timedOut
}

// how says what went wrong.
func (ending ending) how(times times) string {
	switch {
	case ending.timedOut && ending.signal == unix.SignalName(unix.SIGKILL):
		return fmt.Sprintf("did not end when its %.1f s were over, and was killed", seconds(times.terminate))
	case ending.timedOut:
		return fmt.Sprintf("was told to end when its %.1f s were over", seconds(times.terminate))
	case ending.signal != "":
		return fmt.Sprintf("was ended by %s, and not by this plugin", ending.signal)
	}
	return fmt.Sprintf("has failed with exit code %d", ending.code)
}

// run runs it to its end. The context's end is one more reason to end it at once.
func run(ctx context.Context, job job) (ending, error) {
	begun := time.Now()
	output := &tail{log: os.Stderr}
	command := exec.Command(job.program)
	command.Env = job.environment
	command.Stdin = bytes.NewReader(job.input)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.WaitDelay = outputTime
	if err := command.Start(); err != nil {
		return ending{}, err
	}
	group := command.Process.Pid
	ended := make(chan struct{})
	go func() {
		awaitEnd(group)
		close(ended)
	}()
	timedOut := supervise(ctx, group, job.times, ended)
	// Its first process is dead and not yet waited for, so that the group's number is still its own. What it has left
	// behind ends with it.
	signalGroup(group, unix.SIGKILL)
	// A script that reads nothing, or leaves the pipe to another, is no failure of the run: its status says how it ended.
	_ = command.Wait()
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		return ending{}, fmt.Errorf("its status is unknown: %s", command.ProcessState)
	}
	said := ending{code: status.ExitStatus(), timedOut: timedOut, took: time.Since(begun)}
	if status.Signaled() {
		said.signal = unix.SignalName(status.Signal())
	}
	said.output, said.cut = output.text()
	return said, nil
}

// supervise returns when it has ended; it sees to that. It says whether it had to.
func supervise(ctx context.Context, group int, times times, ended <-chan struct{}) bool {
	terminate := time.NewTimer(times.terminate)
	defer terminate.Stop()
	asked := ctx.Done()
	untilKill := times.kill - times.terminate
	select {
	case <-ended:
		return false
	case <-terminate.C:
	case <-asked:
		asked, untilKill = nil, min(untilKill, hurriedGrace)
	}
	signalGroup(group, unix.SIGTERM)
	// What stands still would not hear of it.
	signalGroup(group, unix.SIGCONT)
	kill := time.NewTimer(untilKill)
	defer kill.Stop()
	for isLeft := true; isLeft; {
		select {
		case <-ended:
			return true
		case <-kill.C:
			isLeft = false
		case <-asked:
			asked = nil
			kill.Reset(min(untilKill, hurriedGrace))
		}
	}
	signalGroup(group, unix.SIGKILL)
	<-ended
	return true
}

// awaitEnd returns when a child has ended, and leaves its number in use.
func awaitEnd(process int) {
	for {
		err := unix.Waitid(unix.P_PID, process, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// signalGroup tells all of a group. That nobody is left to be told is no failure.
func signalGroup(group int, signal unix.Signal) {
	if err := unix.Kill(-group, signal); err != nil && err != unix.ESRCH {
		fmt.Fprintf(os.Stderr, "its group %d cannot be sent %s: %s\n", group, unix.SignalName(signal), err)
	}
}

// inherited is an environment without where the plugin itself is asked, and by which credentials.
func inherited(environment []string) []string {
	var kept []string
	for _, each := range environment {
		if !strings.HasPrefix(each, "SNOOZE_") {
			kept = append(kept, each)
		}
	}
	return kept
}
