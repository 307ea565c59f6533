//! The source as a whole, against a machine made of files, with clocks that a test moves.

mod disks;
mod kept;
mod malformed;
mod readings;
mod real;

use super::{Settings, Watch, disk::Space};
use crate::happening::{Happening, State};
use snooze_service_runtime::{Clocks, ManualClocks};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What is healthy, by the file that tells it.
pub(super) const FILES: [(&str, &str); 9] = [
    (
        "proc/sys/kernel/random/boot_id",
        "11111111-2222-3333-4444-555555555555\n",
    ),
    (
        "proc/stat",
        "cpu  100 0 100 1000 0 0 0 0 0 0\ncpu0 100 0 100 1000 0 0 0 0 0 0\n",
    ),
    (
        "proc/meminfo",
        "MemTotal:       1000000 kB\nMemFree:         300000 kB\nMemAvailable:    600000 kB\n",
    ),
    ("proc/pressure/cpu", CALM),
    ("proc/pressure/memory", CALM),
    ("proc/pressure/io", CALM),
    (
        "proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
         eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    ),
    ("sys/class/net/eth0/operstate", "up\n"),
    (
        "proc/self/mountinfo",
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
         27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
         28 27 259:1 / /data rw - xfs /dev/nvme1n1 rw\n",
    ),
];

pub(super) const CALM: &str = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n\
                               full avg10=0.00 avg60=0.00 avg300=0.00 total=1\n";
pub(super) const PRESSED: &str = "some avg10=90.00 avg60=0.00 avg300=0.00 total=1\n\
                                  full avg10=80.00 avg60=0.00 avg300=0.00 total=1\n";
pub(super) const NO_ROUTE: &str =
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

/// A machine made of files.
pub(super) struct Machine {
    folder: tempfile::TempDir,
    pub(super) hand: ManualClocks,
    spaces: Arc<Mutex<BTreeMap<PathBuf, Space>>>,
    pub(super) settings: Settings,
}

impl Machine {
    /// All is well.
    pub(super) fn healthy() -> Machine {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            root: folder.path().join("root"),
            kept: folder.path().join("run/system.json"),
            ..Settings::default()
        };
        let machine = Machine {
            folder,
            hand: Clocks::manual(),
            spaces: Arc::default(),
            settings,
        };
        for (path, text) in FILES {
            machine.write(path, text);
        }
        machine.disk("/", 50, 50);
        machine.disk("/data", 50, 50);
        machine
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.settings.root.join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        // A new file each time: some file systems wait for the disk where one is written over.
        if path.exists() {
            fs::remove_file(&path).expect("removes");
        }
        fs::write(path, text).expect("writes");
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.settings.root.join(path)).expect("removes");
    }

    pub(super) fn at(&self, point: &str) -> PathBuf {
        self.settings.root.join(point.trim_start_matches('/'))
    }

    /// What is free there, percent.
    pub(super) fn disk(&self, point: &str, free: u64, inodes_available: u64) {
        let space = Space {
            block: 4096,
            blocks: 100,
            free,
            available: free,
            inodes: 100,
            inodes_available,
        };
        let mut spaces = self.spaces.lock().expect("no test panics here");
        spaces.insert(self.at(point), space);
    }

    pub(super) async fn begin(&self) -> Watch {
        let spaces = Arc::clone(&self.spaces);
        self.begin_with(move |path| {
            let spaces = spaces.lock().expect("no test panics here");
            spaces
                .get(path)
                .copied()
                .ok_or_else(|| io::Error::other("no such disk"))
        })
        .await
    }

    pub(super) async fn begin_with(
        &self,
        ask: impl Fn(&Path) -> io::Result<Space> + Send + Sync + 'static,
    ) -> Watch {
        let watch = Watch::begin(&self.settings, &self.hand.clocks(), Arc::new(ask)).await;
        watch.expect("the boot has an id")
    }

    /// So many looks, and what they told: a desk has it on its disk before the next one.
    pub(super) async fn looks(&self, watch: &mut Watch, count: usize) -> Vec<Happening> {
        let mut told = Vec::new();
        for _ in 0..count {
            let before = watch.kept.untold();
            watch.kept.told(&before);
            told.extend(watch.look().await);
            self.hand.advance(Duration::from_secs(10));
        }
        told
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What was told, without its numbers.
pub(super) fn brief(told: &[Happening]) -> Vec<(String, &'static str)> {
    let brief = |happening: &Happening| {
        let reading = happening.data["reading"].as_str().expect("a text");
        let place = happening.data.get("mount_point").and_then(|point| point.as_str());
        (
            format!("{reading} {}", place.unwrap_or_default()),
            happening.state.as_str(),
        )
    };
    told.iter().map(brief).collect()
}

pub(super) fn only(told: Vec<Happening>, state: State) -> Happening {
    let [one] = <[Happening; 1]>::try_from(told).expect("one happening");
    assert_eq!(one.state, state);
    one
}
