package main

// What was used between two samples. Nothing here reads anything: it is arithmetic, and says what it cannot tell.

import "fmt"

// The kernel counts processor time for programs in these, on every machine that we know.
const ticksPerSecond = 100

// usage is what the members used, together. With a text in `missing…` it is at least so much.
type usage struct {
	processes    int
	ticks, bytes uint64
	// Why not all is known; empty where it is.
	missingTicks, missingBytes string
}

// used compares two samples. A process that was waited for has left its times to its parent, so that what children used
// who came and went between the samples is counted as well. What a child had used before the first sample is in there
// too, and is taken off.
func used(since, now *sample) usage {
	var usage usage
	endedTicks, endedBytes, gone := ended(since, now)
	if gone != nil {
		usage.missingTicks = fmt.Sprintf("%s (%d) ended since the check before, and what it used is not known", gone.name, gone.number)
		usage.missingBytes = usage.missingTicks
	}
	for member := range now.members {
		process, before := now.processes[member], since.processes[member]
		usage.processes++
		if before == nil {
			usage.ticks += process.own + process.children
			usage.addBytes(process, 0)
			continue
		}
		usage.ticks += grown(process.own, before.own)
		children := grown(process.children, before.children)
		usage.ticks += grown(children, endedTicks[member])
		if children < endedTicks[member] && usage.missingTicks == "" {
			usage.missingTicks = unwaited(process)
		}
		if before.bytes == nil {
			why := before.bytesWhy
			if why == "" {
				why = fmt.Sprintf("the storage of %s (%d) was not looked at in the check before", process.name, process.number)
			}
			usage.lackBytes(why)
			continue
		}
		if process.bytes != nil && *process.bytes < *before.bytes+endedBytes[member] {
			usage.lackBytes(unwaited(process))
		}
		usage.addBytes(process, *before.bytes+endedBytes[member])
	}
	return usage
}

// ended sums up, for each process that is still there, what its children had used that are not; and tells one member
// that is gone and has nobody of the members left to whom it left its times.
func ended(since, now *sample) (ticks, bytes map[identity]uint64, gone *process) {
	ticks, bytes = map[identity]uint64{}, map[identity]uint64{}
	byNumber := map[int]identity{}
	for identity := range now.processes {
		byNumber[identity.number] = identity
	}
	for identity, process := range since.processes {
		if now.processes[identity] != nil {
			continue
		}
		parent, isThere := byNumber[process.parent]
		if isThere && since.processes[parent] != nil && now.members[parent] {
			ticks[parent] += process.own + process.children
			if process.bytes != nil {
				bytes[parent] += *process.bytes
			}
			continue
		}
		// Where its parent went as well, that one is told of: it is a member, or this one was the first of them.
		if since.members[identity] {
			gone = process
		}
	}
	return ticks, bytes, gone
}

func (usage *usage) addBytes(process *process, before uint64) {
	if process.bytes == nil {
		usage.lackBytes(process.bytesWhy)
		return
	}
	usage.bytes += grown(*process.bytes, before)
}

func unwaited(process *process) string {
	return fmt.Sprintf("%s (%d) does not wait for its children, and what an ended one used is not known", process.name, process.number)
}

func (usage *usage) lackBytes(why string) {
	if usage.missingBytes == "" {
		usage.missingBytes = why
	}
}

// grown is by how much a counter has grown; one that has shrunk was of something else.
func grown(now, before uint64) uint64 {
	if now < before {
		return 0
	}
	return now - before
}
