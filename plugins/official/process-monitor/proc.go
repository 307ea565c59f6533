package main

// What /proc says at one moment: every process with its times, and which of them belong to the named ones. It never
// takes what it may not see for what is not there.

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The kernel keeps so many bytes of a process's name.
const nameLimit = 15

// wanted is what is looked for.
type wanted struct {
	names, lines []string
}

// identity is of one process only: numbers are used again.
type identity struct {
	number int
	start  uint64
}

type process struct {
	identity
	parent int
	name   string
	// Hundredths of a second of processor time: its own, and that of its children that have ended and were waited for,
	// with theirs.
	own, children uint64
	// Bytes from and to storage, the ended children's too; nil where that was not read, for the reason.
	bytes    *uint64
	bytesWhy string
}

type sample struct {
	at        time.Time
	processes map[identity]*process
	// Those that were named, and all below them.
	members map[identity]bool
	// Nil where storage was not looked at.
	machine *machine
}

// proc is the folder where the kernel shows processes, and the number of the one that must not count itself.
type proc struct {
	root string
	self int
}

// look takes a sample. What belonged to the named processes in the sample before still does, whoever its parent is now.
func (proc proc) look(wanted wanted, withIO bool, before *sample) (*sample, error) {
	entries, err := os.ReadDir(proc.root)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read, grant the plugin `read` of it: %w", proc.root, err)
	}
	now := &sample{at: time.Now(), processes: map[identity]*process{}, members: map[identity]bool{}}
	byNumber := map[int]*process{}
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil || number == proc.self {
			continue
		}
		process, err := proc.process(number)
		if err != nil {
			return nil, err
		}
		if process == nil {
			continue
		}
		now.processes[process.identity], byNumber[number] = process, process
		isMember, err := proc.isWanted(process, wanted)
		if err != nil {
			return nil, err
		}
		if isMember || (before != nil && before.members[process.identity]) {
			now.members[process.identity] = true
		}
	}
	// With the option hidepid others' processes are not shown at all, and who shows none runs none.
	if byNumber[1] == nil {
		return nil, fmt.Errorf("%s does not show process 1, so not all of them (is it mounted with hidepid?)", proc.root)
	}
	now.spread(byNumber)
	if withIO {
		var numbers []int
		for member := range now.members {
			isThere, err := proc.readBytes(now.processes[member])
			if err != nil {
				return nil, err
			}
			// What it used is found in its parent the next time, as that of any other one that has ended.
			if !isThere {
				delete(now.processes, member)
				delete(now.members, member)
				continue
			}
			numbers = append(numbers, member.number)
		}
		slices.Sort(numbers)
		now.machine = proc.machine(numbers)
	}
	return now, nil
}

// withoutMembers is the same sample, without who belonged to the named processes.
func (before *sample) withoutMembers() *sample {
	if before == nil {
		return nil
	}
	return &sample{before.at, before.processes, map[identity]bool{}, before.machine}
}

// spread makes everything below a member one.
func (now *sample) spread(byNumber map[int]*process) {
	for _, each := range now.processes {
		var path []identity
		// A chain of parents is no longer than there are processes, even where numbers were used again meanwhile.
		above := each
		for above != nil && !now.members[above.identity] && len(path) <= len(now.processes) {
			path = append(path, above.identity)
			above = byNumber[above.parent]
		}
		if above == nil || !now.members[above.identity] {
			continue
		}
		for _, below := range path {
			now.members[below] = true
		}
	}
}

// process reads one; it is nil where it has ended meanwhile.
func (proc proc) process(number int) (*process, error) {
	text, err := proc.read(number, "stat")
	if text == nil || err != nil {
		return nil, err
	}
	process, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s/%d/stat: %w", proc.root, number, err)
	}
	process.number = number
	return process, nil
}

// read reads a file of a process; it is nil where that has ended meanwhile.
func (proc proc) read(number int, file string) ([]byte, error) {
	path := filepath.Join(proc.root, strconv.Itoa(number), file)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return text, nil
}

// parse reads a line as proc_pid_stat(5) has it. The name may hold anything, brackets too.
func parse(text []byte) (*process, error) {
	open, closed := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || closed < open {
		return nil, errors.New("it names no process")
	}
	// From the third on: state, parent, …
	fields := strings.Fields(string(text[closed+1:]))
	const third = 3
	number := func(field int) (uint64, error) {
		if field-third >= len(fields) {
			return 0, fmt.Errorf("it has no field %d", field)
		}
		// Times of children are signed there, and never below zero.
		return strconv.ParseUint(fields[field-third], 10, 64)
	}
	process := &process{name: string(text[open+1 : closed])}
	var parent, user, system, childrenUser, childrenSystem uint64
	for field, into := range map[int]*uint64{
		4: &parent, 14: &user, 15: &system, 16: &childrenUser, 17: &childrenSystem, 22: &process.start,
	} {
		var err error
		if *into, err = number(field); err != nil {
			return nil, err
		}
	}
	process.parent = int(parent)
	process.own, process.children = user+system, childrenUser+childrenSystem
	return process, nil
}

func (proc proc) isWanted(process *process, wanted wanted) (bool, error) {
	for _, name := range wanted.names {
		if process.name == name || (len(name) > nameLimit && process.name == name[:nameLimit]) {
			return true, nil
		}
	}
	text, err := proc.read(process.number, "cmdline")
	if err != nil {
		return false, err
	}
	arguments := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
	if arguments[0] == "" {
		// A thread of the kernel, or one that has ended and was not waited for yet.
		return false, nil
	}
	if slices.Contains(wanted.names, arguments[0]) || slices.Contains(wanted.names, filepath.Base(arguments[0])) {
		return true, nil
	}
	line := strings.Join(arguments, " ")
	return slices.ContainsFunc(wanted.lines, func(part string) bool { return strings.Contains(line, part) }), nil
}

// readBytes reads what a process has read from and written to storage, where the kernel shows it, and says whether the
// process is there still.
func (proc proc) readBytes(process *process) (isThere bool, err error) {
	text, err := proc.read(process.number, "io")
	if errors.Is(err, fs.ErrPermission) {
		process.bytesWhy = fmt.Sprintf("the storage of %s (%d) may not be read: %s", process.name, process.number, err)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if text == nil {
		process.bytesWhy = fmt.Sprintf("this kernel does not count the storage of %s (%d)", process.name, process.number)
		again, err := proc.process(process.number)
		return again != nil && again.identity == process.identity, err
	}
	var sum uint64
	found := 0
	for _, line := range strings.Split(string(text), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if name != "read_bytes" && name != "write_bytes" {
			continue
		}
		number, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return false, fmt.Errorf("%s/%d/io: %w", proc.root, process.number, err)
		}
		sum += number
		found++
	}
	if found != 2 {
		return false, fmt.Errorf("%s/%d/io does not say what was read and written", proc.root, process.number)
	}
	process.bytes = &sum
	return true, nil
}
