//! What is watched, and what changed with each look. Pure: looks and times are handed in.

use super::{
    Thresholds, cpu,
    disk::Space,
    edge::Detector,
    look::{Disk, Kernel, Looked},
    network::Network,
    thing::{CPU, INODES, MEMORY, NETWORK, SPACE, Seen, Thing, disk_of},
    unreadable::Unreadable,
};
use crate::happening::State;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A change of one thing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// Its type.
    pub(super) event_type: &'static str,
    /// Which thing: the same for as long as the host runs.
    pub(super) what: String,
    /// Where it stands now.
    pub(super) state: State,
    /// What was read.
    pub(super) data: Map<String, Value>,
}

/// Everything that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    thresholds: Thresholds,
    ticks: Option<cpu::Ticks>,
    things: BTreeMap<String, Thing>,
    /// What carried the default routes when it was last seen.
    interfaces: Vec<String>,
    /// Whether there ever was a network to lose in this boot.
    pub(super) had_network: bool,
}

impl Watched {
    /// Begins where somebody stood before: which parts of which things are raised.
    pub(super) fn begin(
        thresholds: Thresholds,
        standing: &BTreeMap<String, Vec<String>>,
        had_network: bool,
    ) -> Watched {
        let mut watched = Watched {
            thresholds,
            ticks: None,
            things: BTreeMap::new(),
            interfaces: Vec::new(),
            had_network,
        };
        let of_disks = standing.keys().filter(|what| disk_of(what).is_some());
        for what in [CPU, MEMORY, NETWORK]
            .into_iter()
            .chain(of_disks.map(String::as_str))
        {
            let mut thing = Thing::of(what, &watched.thresholds);
            for part in &mut thing.parts {
                let raised = standing.get(what);
                part.detector =
                    Detector::standing(raised.is_some_and(|parts| parts.iter().any(|it| it == part.reading)));
            }
            watched.things.insert(what.to_owned(), thing);
        }
        watched
    }

    /// Which parts of which things are raised.
    pub(super) fn standing(&self) -> BTreeMap<String, Vec<String>> {
        let raised = self.things.iter().map(|(what, thing)| {
            let parts = thing.parts.iter().filter(|part| part.detector.is_raised());
            let readings: Vec<String> = parts.map(|part| part.reading.to_owned()).collect();
            (what.clone(), readings)
        });
        raised.filter(|(_, parts)| !parts.is_empty()).collect()
    }

    /// Takes a look at this time of the monotonic clock.
    pub(super) fn step(&mut self, looked: &Looked, now_ms: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        changes.extend(self.cpu(&looked.kernel, now_ms));
        changes.extend(self.memory(&looked.kernel, now_ms));
        changes.extend(self.network(looked.kernel.network.as_ref().ok(), now_ms));
        self.disks(looked, now_ms, &mut changes);
        changes
    }

    fn cpu(&mut self, kernel: &Kernel, now_ms: u64) -> Option<Change> {
        let before = self.ticks.take();
        self.ticks = kernel.cpu.as_ref().ok().copied();
        let used = before
            .zip(self.ticks)
            .and_then(|(before, now)| cpu::percent(&before, &now));
        let waits = kernel.cpu_pressure.as_ref().ok().map(|pressure| pressure.some);
        let beside = [("cpu_percent", used), ("cpu_pressure_percent", waits)];
        self.step_one(CPU, &[used.into(), waits.into()], now_ms, || rounded(&beside))
    }

    fn memory(&mut self, kernel: &Kernel, now_ms: u64) -> Option<Change> {
        let memory = kernel.memory.as_ref().ok();
        let available = memory.map(super::memory::Memory::available_percent);
        let pressure = kernel.memory_pressure.as_ref().ok();
        let (some, full) = (pressure.map(|it| it.some), pressure.and_then(|it| it.full));
        let io = kernel.io_pressure.as_ref().ok();
        let beside = [
            ("memory_available_percent", available),
            ("memory_pressure_percent", some),
            ("memory_stall_percent", full),
            // Told beside it: what is pushed out of memory comes back from a disk.
            ("io_pressure_percent", io.map(|it| it.some)),
            ("io_stall_percent", io.and_then(|it| it.full)),
        ];
        let seen = [available.into(), some.into(), full.into()];
        self.step_one(MEMORY, &seen, now_ms, || {
            let mut data = rounded(&beside);
            if let Some(memory) = memory {
                data.insert("total_kib".to_owned(), json!(memory.total_kib));
                data.insert("available_kib".to_owned(), json!(memory.available_kib));
            }
            data
        })
    }

    fn network(&mut self, network: Option<&Network>, now_ms: u64) -> Option<Change> {
        if let Some(network) = network {
            self.had_network |= network.is_carried;
            if !network.interfaces.is_empty() {
                self.interfaces.clone_from(&network.interfaces);
            }
        }
        // A machine that has only loopback, or has not come up yet, has nothing to lose.
        let network = network.filter(|_| self.had_network);
        let why = match network {
            Some(network) if network.is_carried => "a default route with a carrier",
            Some(network) if network.interfaces.is_empty() => "no default route",
            _ => "no carrier",
        };
        let interfaces = self.interfaces.clone();
        let carried = network.map(|network| if network.is_carried { 100.0 } else { 0.0 });
        let change = self.step_one(NETWORK, &[carried.into()], now_ms, Map::new)?;
        let for_seconds = change.data.get("for_seconds").cloned().unwrap_or_default();
        let data = Map::from_iter([
            ("reading".to_owned(), json!(NETWORK)),
            ("value".to_owned(), json!(why)),
            ("interfaces".to_owned(), json!(interfaces)),
            ("for_seconds".to_owned(), for_seconds),
        ]);
        Some(Change { data, ..change })
    }

    fn disks(&mut self, looked: &Looked, now_ms: u64, changes: &mut Vec<Change>) {
        // Where the list itself is unknown, so is every disk, and none is gone.
        let list = looked.disks.as_deref().ok();
        if let Some(list) = list {
            for Disk { mount, .. } in list.iter().filter(|disk| disk.space.is_ok()) {
                for kind in [SPACE, INODES] {
                    let what = format!("{kind} {}", mount.point);
                    if !self.things.contains_key(&what) {
                        let thing = Thing::of(&what, &self.thresholds);
                        self.things.insert(what, thing);
                    }
                }
            }
        }
        let all: Vec<String> = self
            .things
            .keys()
            .filter(|what| disk_of(what).is_some())
            .cloned()
            .collect();
        for what in all {
            let Some((kind, point)) = disk_of(&what) else {
                continue;
            };
            let found = list.map(|list| list.iter().find(|disk| disk.mount.point == point));
            let seen = match found {
                None => Seen::Unknown,
                Some(None) => Seen::Gone,
                Some(Some(disk)) => seen(kind, &disk.space),
            };
            let disk = found.flatten();
            changes.extend(self.step_one(&what, &[seen], now_ms, || of_disk(point, disk)));
        }
        if let Some(list) = list {
            self.things.retain(|what, thing| {
                let is_there =
                    disk_of(what).is_none_or(|(_, point)| list.iter().any(|disk| disk.mount.point == point));
                is_there || thing.is_raised()
            });
        }
    }

    fn step_one(
        &mut self,
        what: &str,
        seen: &[Seen],
        now_ms: u64,
        beside: impl FnOnce() -> Map<String, Value>,
    ) -> Option<Change> {
        let thing = self.things.get_mut(what)?;
        let (state, part, value) = thing.step(seen, now_ms)?;
        let mut data = beside();
        data.insert("reading".to_owned(), json!(part.reading));
        match value {
            Seen::Value(value) => drop(data.insert("value".to_owned(), json!(round(value)))),
            Seen::Gone => drop(data.insert("gone".to_owned(), json!(true))),
            Seen::Unknown => {}
        }
        data.insert("unit".to_owned(), json!("percent"));
        data.insert("threshold".to_owned(), json!(round(part.limits.raise)));
        data.insert("clear_threshold".to_owned(), json!(round(part.limits.clear)));
        data.insert("for_seconds".to_owned(), json!(thing.for_ms / 1_000));
        Some(Change {
            event_type: thing.event_type,
            what: what.to_owned(),
            state,
            data,
        })
    }
}

fn seen(kind: &str, space: &Result<Space, Unreadable>) -> Seen {
    let Ok(space) = space else { return Seen::Unknown };
    match kind {
        SPACE => space.free_percent().into(),
        _ => space.inodes_free_percent().into(),
    }
}

fn of_disk(point: &str, disk: Option<&Disk>) -> Map<String, Value> {
    let mut data = Map::from_iter([("mount_point".to_owned(), json!(point))]);
    let Some(Disk { mount, space }) = disk else {
        return data;
    };
    data.insert("device".to_owned(), json!(mount.device));
    data.insert("file_system".to_owned(), json!(mount.file_system));
    if let Ok(space) = space {
        let bytes = |blocks: u64| json!(blocks.saturating_mul(space.block));
        data.insert("available_bytes".to_owned(), bytes(space.available));
        data.insert("total_bytes".to_owned(), bytes(space.blocks));
        data.insert("inodes_available".to_owned(), json!(space.inodes_available));
        data.insert("inodes".to_owned(), json!(space.inodes));
    }
    data
}

fn rounded(readings: &[(&str, Option<f64>)]) -> Map<String, Value> {
    let known = readings
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    known
        .map(|(name, value)| (name.to_owned(), json!(round(value))))
        .collect()
}

/// Hundredths of a percent are more than anybody acts on.
fn round(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}
