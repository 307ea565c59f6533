package main

// What the disks and network cards of the whole machine have carried, as the kernel counts it, where a process's own
// share may not be read. It never takes for counted what may go past these counters: what it does not know is unclear.

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The unit of /proc/diskstats, whatever a disk's own sectors are.
const sector = 512

var (
	disk = regexp.MustCompile(`^((sd|hd|vd|xvd)[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+(boot[0-9]+)?|(sr|fd)[0-9]+)$`)
	// The disk that it is a part of is the one group or the other.
	partition = regexp.MustCompile(`^(?:((?:sd|hd|vd|xvd)[a-z]+)[0-9]+|(nvme[0-9]+n[0-9]+|mmcblk[0-9]+)p[0-9]+)$`)
	// Made of other devices or of files, where their traffic counts; paths to a disk that counts; and memory.
	elsewhere = regexp.MustCompile(`^((dm-|md|loop|ram|zram)[0-9]+|(md|loop)[0-9]+p[0-9]+|nvme[0-9]+c[0-9]+n[0-9]+)$`)
)

// machine is what was carried since the machine started, in bytes, by the names of disks and network cards; or why that
// does not hold all that a process may use of storage.
type machine struct {
	at      time.Time
	carried map[string]uint64
	unclear string
}

// machine looks at the counters, and at the file systems that these processes see, and process 1, as whose the others
// are that came and went.
func (proc proc) machine(numbers []int) *machine {
	now := &machine{at: time.Now(), carried: map[string]uint64{}}
	for _, look := range []func() error{
		func() error { return proc.disks(now.carried) },
		func() error { return proc.networks(now.carried) },
		func() error { return proc.counted(numbers) },
	} {
		if err := look(); err != nil {
			now.unclear = err.Error()
			break
		}
	}
	return now
}

// since is how much was carried from one look to the next, in KiB/s.
func (now *machine) since(before *machine) (kbps float64, unclear string) {
	if before == nil || now == nil {
		return 0, "what the whole machine carries was not looked at in the check before"
	}
	// What the newer one lacks is there to be mended.
	for _, look := range []*machine{now, before} {
		if look.unclear != "" {
			return 0, look.unclear
		}
	}
	for name, carried := range before.carried {
		if after, isThere := now.carried[name]; !isThere || after < carried {
			return 0, fmt.Sprintf("the counters of %s began anew, or went away, since the check before", name)
		}
	}
	var bytes uint64
	for name, carried := range now.carried {
		bytes += carried - before.carried[name]
	}
	return float64(bytes) / 1024 / now.at.Sub(before.at).Seconds(), ""
}

// disks reads what each whole disk has read and written: /proc/diskstats, iostats.rst.
func (proc proc) disks(carried map[string]uint64) error {
	path := filepath.Join(proc.root, "diskstats")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found := map[string]uint64{}
	for _, line := range lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 10 {
			return fmt.Errorf("%s: %q is no line of a disk", path, line)
		}
		if found[fields[2]], err = sum(fields[5], fields[9]); err != nil {
			return fmt.Errorf("%s: %s: %w", path, fields[2], err)
		}
	}
	count := 0
	for name, sectors := range found {
		part := partition.FindStringSubmatch(name)
		switch {
		case part != nil:
			// Some machines have partitions only.
			if _, isThere := found[part[1]+part[2]]; isThere {
				continue
			}
		case elsewhere.MatchString(name):
			continue
		case !disk.MatchString(name):
			return fmt.Errorf("%s has the device %s, and what that carries may be in no counter", path, name)
		}
		carried["disk "+name] = sectors * sector
		count++
	}
	if count == 0 {
		return fmt.Errorf("%s shows no disk", path)
	}
	return nil
}

// networks reads what each interface but the loop has received and sent. What passes two of them counts twice, since
// their names do not tell which is a card.
func (proc proc) networks(carried map[string]uint64) error {
	path := filepath.Join(proc.root, "1/net/dev")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	count := 0
	const headings = 2
	for index, line := range lines(text) {
		if index < headings {
			continue
		}
		// The last colon: a name may hold one.
		colon := strings.LastIndexByte(line, ':')
		fields := strings.Fields(line[colon+1:])
		if colon < 0 || len(fields) < 9 {
			return fmt.Errorf("%s: %q is no line of an interface", path, line)
		}
		name := strings.TrimSpace(line[:colon])
		if name == "lo" {
			continue
		}
		if carried["interface "+name], err = sum(fields[0], fields[8]); err != nil {
			return fmt.Errorf("%s: %s: %w", path, name, err)
		}
		count++
	}
	if count == 0 {
		return fmt.Errorf("%s shows no network card", path)
	}
	return nil
}

func lines(text []byte) []string {
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return line == "" })
}

func sum(texts ...string) (sum uint64, err error) {
	for _, text := range texts {
		number, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += number
	}
	return sum, nil
}
