package main

// Which file systems processes see, and whether all that goes through them is in the counters of disks and network cards.
// It knows those that surely are; any other one is not, whatever it may be.

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
)

var (
	// The kernel's own views, and memory.
	noStorage = strings.Fields(`autofs binder binfmt_misc bpf cgroup cgroup2 configfs cpuset debugfs devpts devtmpfs efivarfs
		fusectl hugetlbfs mqueue nfsd nsfs proc pstore ramfs resctrl rootfs rpc_pipefs securityfs selinuxfs smackfs sysfs
		tmpfs tracefs`)
	// On devices, which `disks` knows or does not; and, as overlay does, on other file systems, which are seen themselves.
	onDevices = strings.Fields(`bcachefs btrfs ecryptfs erofs exfat ext2 ext3 ext4 f2fs gfs2 hfs hfsplus iso9660 jfs minix msdos
		nilfs2 ntfs ntfs3 ocfs2 overlay reiserfs squashfs udf vfat xfs zfs`)
	// How NFS says that it takes a network card; with `rdma` it goes past the card's counters.
	throughCards = strings.Fields("proto=tcp proto=tcp6 proto=udp proto=udp6")
)

// counted says that all that process 1 and these processes see mounted is counted, and else names what is not.
func (proc proc) counted(numbers []int) error {
	var last []byte
	for index, number := range append([]int{1}, numbers...) {
		texts, err := proc.mounts(number)
		if err != nil {
			return err
		}
		if index == 0 && len(texts) == 0 {
			return fmt.Errorf("%s/%d does not show what is mounted", proc.root, number)
		}
		for _, text := range texts {
			// Nearly all see the same.
			if bytes.Equal(text, last) {
				continue
			}
			last = text
			for _, line := range lines(text) {
				if err := isCounted(line); err != nil {
					return fmt.Errorf("process %d sees %w", number, err)
				}
			}
		}
	}
	return nil
}

// mounts reads what each thread of a process sees, for each may have its own; one that has ended has nothing mounted.
func (proc proc) mounts(number int) (texts [][]byte, err error) {
	folder := filepath.Join(proc.root, strconv.Itoa(number), "task")
	threads, err := os.ReadDir(folder)
	if hasEnded(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(filepath.Join(folder, thread.Name(), "mounts"))
		if hasEnded(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// hasEnded is so of a process too that was not waited for: the kernel refuses what it would have mounted as invalid.
func hasEnded(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL)
}

// isCounted takes a line as proc_pid_mounts(5) has it: source, place, type, options, and two numbers.
func isCounted(line string) error {
	// Not strings.Fields: a source may be empty.
	fields := strings.Split(line, " ")
	if len(fields) < 4 {
		return fmt.Errorf("%q, which is no line of a mounted file system", line)
	}
	place, kind, options := fields[1], fields[2], strings.Split(fields[3], ",")
	switch {
	// Of the clients of networks Ceph's takes TCP alone. That of SMB is not known to: it may take RDMA by itself.
	case slices.Contains(noStorage, kind), slices.Contains(onDevices, kind), kind == "ceph":
		return nil
	case kind == "nfs", kind == "nfs4":
		if slices.ContainsFunc(options, func(option string) bool { return slices.Contains(throughCards, option) }) {
			return nil
		}
	}
	return fmt.Errorf("%s on %s, whose traffic may be in no counter of a disk or a network card", kind, place)
}
