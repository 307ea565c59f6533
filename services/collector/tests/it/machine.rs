//! A folder that stands for `/` of a machine, and clocks that the test moves.

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use snooze_collector::{Identity, Readers, Root, Sampler, Settings};
use snooze_schemas::sample::{Reading, Sample};
use snooze_service_runtime::{Clocks, ManualClocks};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::watch;

/// The kernel's first namespaces: what is seen in them is the host.
const FIRST_NAMESPACES: [(&str, u32); 4] = [
    ("cgroup", 4_026_531_835),
    ("pid", 4_026_531_836),
    ("uts", 4_026_531_838),
    ("ipc", 4_026_531_839),
];

/// The network namespace of everybody who has no other.
const NETWORK: &str = "net:[4026531840]";

/// A machine with two disks, one of them in two partitions, one real interface, and nobody on it.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    pub(crate) hand: ManualClocks,
    settings: watch::Sender<Settings>,
}

impl Machine {
    pub(crate) fn new() -> Machine {
        let machine = Machine {
            folder: tempfile::tempdir().expect("a folder"),
            hand: Clocks::manual(),
            settings: watch::channel(Settings::default()).0,
        };
        machine.write(
            "proc/stat",
            "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 100 0 0 900 0 0 0 0 0 0\n",
        );
        machine.write(
            "proc/meminfo",
            "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 750 kB\n",
        );
        machine.network(&[("lo", 0, 0), ("eth0", 1_000_000, 2_000_000), ("veth1", 0, 0)]);
        machine.disks(&[("sda", 10, 20), ("sda1", 10, 20), ("loop0", 0, 0), ("dm-0", 0, 0)]);
        machine.write("proc/loadavg", "0.10 0.20 0.30 1/100 42\n");
        for file in ["cpu", "memory", "io"] {
            let text = "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
            machine.write(&format!("proc/pressure/{file}"), text);
        }
        for (kind, number) in FIRST_NAMESPACES {
            machine.link(&format!("proc/self/ns/{kind}"), &format!("{kind}:[{number}]"));
        }
        machine.process(1, "systemd", &["/sbin/init"], None);
        machine.folder_at("dev/pts");
        machine.typed("tty1", 100_000);
        machine.link(
            "sys/class/net/eth0",
            "../../devices/pci0000:00/0000:00:05.0/net/eth0",
        );
        machine.link("sys/class/net/lo", "../../devices/virtual/net/lo");
        machine.link("sys/class/net/veth1", "../../devices/virtual/net/veth1");
        machine.link("sys/block/sda", "../devices/pci0000:00/ata1/block/sda");
        machine.link("sys/block/nvme0n1", "../devices/pci0000:00/nvme/nvme0/nvme0n1");
        machine.link("sys/block/loop0", "../devices/virtual/block/loop0");
        machine.link("sys/block/dm-0", "../devices/virtual/block/dm-0");
        machine
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.made(path);
        fs::write(path, text).expect("writes");
    }

    pub(crate) fn remove(&self, path: &str) {
        let path = self.folder.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
        .expect("removes");
    }

    pub(crate) fn folder_at(&self, path: &str) {
        fs::create_dir_all(self.folder.path().join(path)).expect("a folder");
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.made(path);
        if path.is_symlink() {
            fs::remove_file(&path).expect("removes");
        }
        symlink(target, path).expect("links");
    }

    /// A pipe in a file's place, held open by a writer that says nothing.
    pub(crate) fn pipe(&self, path: &str) -> rustix::fd::OwnedFd {
        let path = self.made(path);
        if path.exists() {
            fs::remove_file(&path).expect("removes");
        }
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        rustix::fs::open(&path, rustix::fs::OFlags::RDWR, mode).expect("opens")
    }

    fn made(&self, path: &str) -> PathBuf {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("has a folder")).expect("folders");
        path
    }

    /// Interfaces with their bytes received and sent so far.
    pub(crate) fn network(&self, interfaces: &[(&str, u64, u64)]) {
        let mut text = "Inter-|   Receive\n face |bytes\n".to_owned();
        for (name, received, sent) in interfaces {
            text.push_str(&format!(
                "{name:>6}: {received} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0\n"
            ));
        }
        self.write("proc/net/dev", text);
    }

    /// Disks with their sectors read and written so far.
    pub(crate) fn disks(&self, disks: &[(&str, u64, u64)]) {
        let mut text = String::new();
        for (name, read, written) in disks {
            text.push_str(&format!(
                "   8       0 {name} 1 0 {read} 1 1 0 {written} 1 0 1 1 0 0 0 0 0 0\n"
            ));
        }
        self.write("proc/diskstats", text);
    }

    /// A process that leads its session, at a terminal such as `pts/3` or at none.
    pub(crate) fn process(&self, pid: u32, name: &str, line: &[&str], pts: Option<u32>) {
        self.child(pid, name, line, pts, 1);
    }

    pub(crate) fn child(&self, pid: u32, name: &str, line: &[&str], pts: Option<u32>, parent: u32) {
        let terminal = pts.map_or(0, |pts| 136 << 8 | pts);
        let stat = format!(
            "{pid} ({name}) S {parent} {pid} {pid} {terminal} {pid} 0 0 0 0 0 5 5 0 0 20 0 1 0 100 0\n"
        );
        self.write(&format!("proc/{pid}/stat"), stat);
        self.write(&format!("proc/{pid}/cmdline"), line.join("\0"));
        self.folder_at(&format!("proc/{pid}/fd"));
        self.link(&format!("proc/{pid}/ns/net"), NETWORK);
        self.link(&format!("proc/{pid}/root"), "../..");
        for table in ["tcp", "unix"] {
            self.write(&format!("proc/{pid}/net/{table}"), "headings\n");
        }
        self.write("proc/loadavg", format!("0.10 0.20 0.30 1/100 {pid}\n"));
    }

    /// A process that has ended and that its parent has not waited for.
    pub(crate) fn has_ended(&self, pid: u32) {
        for gone in ["fd", "ns", "net", "root"] {
            let path = self.folder.path().join(format!("proc/{pid}/{gone}"));
            if path.is_symlink() {
                fs::remove_file(path)
            } else {
                fs::remove_dir_all(path)
            }
            .expect("removes");
        }
        self.folder_at(&format!("proc/{pid}/fd"));
    }

    /// Somebody typed at a terminal so many seconds ago.
    pub(crate) fn typed(&self, terminal: &str, seconds_ago: i64) {
        self.touch(&format!("dev/{terminal}"), seconds_ago);
    }

    /// A file that was written and read so many seconds ago.
    pub(crate) fn touch(&self, path: &str, seconds_ago: i64) {
        self.write(path, "");
        let seconds = self.hand.clocks().wall().as_second() - seconds_ago;
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, self.folder.path().join(path), &times, AtFlags::empty()).expect("sets");
    }

    /// A series of samples whose first interval begins now.
    pub(crate) async fn series(&self) -> Sampler {
        let root = Root::open(self.folder.path()).expect("opens");
        let readers = Readers::start(
            identity(),
            &root,
            &self.hand.clocks(),
            self.settings.subscribe(),
            "libno-such-nvml.so.1".into(),
        );
        readers.series().await
    }

    pub(crate) fn seconds_pass(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn identity() -> Identity {
    Identity {
        host: "h1".parse().expect("a host"),
        boot_id: "b".to_owned(),
        agent: "a".to_owned(),
    }
}

pub(crate) fn known(sample: &Sample, name: &str) -> f64 {
    match &sample.readings[name] {
        Reading::Known { value, .. } => *value,
        Reading::Unknown { unknown, .. } => panic!("{name} is unknown: {unknown}"),
    }
}

pub(crate) fn unknown<'s>(sample: &'s Sample, name: &str) -> &'s str {
    match &sample.readings[name] {
        Reading::Unknown { unknown, .. } => unknown,
        Reading::Known { value, .. } => panic!("{name} is known: {value}"),
    }
}
