package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"cloudsnooze.local/official/internal/stand"
)

func TestAFileSystemThatIsNotSurelyCountedIsUnclear(t *testing.T) {
	for _, mounted := range []string{
		"home /home virtiofs rw 0 0", "home /home 9p rw,trans=virtio 0 0", "x /x fuse rw 0 0", "x /x fuse.sshfs rw 0 0", "/dev/sdb1 /x fuseblk rw 0 0",
		"10.0.0.1@tcp:/x /x lustre rw 0 0", "//a/b /x cifs rw,vers=3.1.1 0 0", "a:/b /x nfs4 rw,proto=rdma 0 0", "a:/b /x nfs rw,proto=rdma,mountproto=tcp 0 0",
		"a:/b /x nfs rw 0 0", "x /x ext44 rw 0 0", "tmpfs /x fuse.tmpfs rw 0 0", " /x virtiofs rw 0 0", "x /x  rw 0 0",
	} {
		if unclear := unclearWith(t, map[string]string{"12/task/12/mounts": mounted + "\n"}); !strings.Contains(unclear, "process 12 sees") {
			t.Errorf("%s: %q", mounted, unclear)
		}
	}
}

func TestAFileSystemOnDisksInMemoryOrThroughNetworkCardsIsCounted(t *testing.T) {
	for _, mounted := range []string{
		"/dev/vda / ext4 rw,discard 0 0", "/dev/mapper/x /x xfs rw 0 0", "/dev/loop0 /snap/x squashfs ro 0 0", "overlay / overlay rw,lowerdir=/a:/b 0 0",
		"tmpfs /tmp tmpfs rw 0 0", "pool/x /x zfs rw 0 0", " /x tmpfs rw 0 0", "nsfs /run/netns/x nsfs rw 0 0", "systemd-1 /x autofs rw 0 0",
		"a:/b /x nfs4 rw,vers=4.1,proto=tcp,addr=1.2.3.4 0 0", "a:/b /x nfs rw,proto=udp6 0 0", "1.2.3.4:/ /x ceph rw 0 0", "/dev/sda1 /a\\040b btrfs rw 0 0",
	} {
		if unclear := unclearWith(t, map[string]string{"12/task/12/mounts": mounted + "\n"}); unclear != "" {
			t.Errorf("%s: %q", mounted, unclear)
		}
	}
}

func TestWhatEachThreadOfTheNamedOnesAndProcessOneSeeMountedIsLookedAt(t *testing.T) {
	// As the others see, and one more.
	const mounted = sharedMounts + "home /home virtiofs rw 0 0\n"
	for _, path := range []string{"1/task/1/mounts", "12/task/12/mounts", "12/task/13/mounts"} {
		if unclear := unclearWith(t, map[string]string{path: mounted}); !strings.Contains(unclear, "virtiofs on /home") {
			t.Errorf("%s: %q", path, unclear)
		}
	}
	if unclear := unclearWith(t, map[string]string{"14/task/14/mounts": mounted}); unclear != "" {
		t.Errorf("another process: %q", unclear)
	}
}

func TestWhatHasEndedHasNothingMounted(t *testing.T) {
	if unclear := unclearWith(t, map[string]string{"12/task/13/mounts": ""}); unclear != "" {
		t.Error(unclear)
	}
	// A real one, that nobody waited for yet.
	ended := exec.Command("true")
	if err := ended.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ended.Wait() })
	stand.WaitUntil(t, "it has ended", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", ended.Process.Pid))
		return err == nil && strings.Contains(string(text), ") Z ")
	})
	if texts, err := (proc{root: "/proc"}).mounts(ended.Process.Pid); err != nil || len(texts) != 0 {
		t.Errorf("%q, %v", texts, err)
	}
	if texts, err := (proc{root: "/proc"}).mounts(os.Getpid()); err != nil || len(texts) == 0 {
		t.Error(err)
	}
}
