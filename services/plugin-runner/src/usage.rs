//! What the processes of plugins hold, read once for all that are asked about.
//!
//! A plugin's control group counts all that it has started, in whatever sessions they are. Without one they are found: its
//! process group, all that descend from it, and what `orphans` knows as its own of those that it left behind. Reading
//! every process of a large machine takes some milliseconds, so it is done only when somebody asks. What is looked at all
//! the time is `pressure`'s.

pub(crate) mod pressure;

use crate::{
    fence::Fence,
    orphans,
    plugin::{Plugin, Runtime},
};
use procfs::process::{Stat, all_processes};
use snooze_schemas::plugin::inspection::Usage;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Whose processes are counted.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The plugin's own process, which leads its group.
    pub leader: i32,
    /// Its control group, where it has one.
    pub group: Option<PathBuf>,
}

impl Asked {
    /// Nothing where no process of it is there.
    pub(crate) fn about(plugin: &Plugin) -> Option<Asked> {
        match plugin.runtime() {
            Runtime::Process(process) => Some(Asked {
                leader: process.process_id()?,
                group: process.fence().and_then(Fence::control_group),
            }),
            Runtime::Nats(_) => None,
        }
    }
}

/// What each of these holds, by its leader; one without processes is not in it.
///
/// # Errors
/// When the kernel's list of processes cannot be read.
pub(crate) fn of(asked: &[Asked]) -> Result<BTreeMap<i32, Usage>, procfs::ProcError> {
    let mut held: BTreeMap<i32, Usage> = BTreeMap::new();
    let mut sought = BTreeSet::new();
    for one in asked {
        match one.group.as_deref().and_then(of_group) {
            Some(usage) => drop(held.insert(one.leader, usage)),
            None => drop(sought.insert(one.leader)),
        }
    }
    if sought.is_empty() {
        return Ok(held);
    }
    // One that ends while it is looked at holds nothing any more.
    let stats = all_processes()?.filter_map(|process| process.and_then(|process| process.stat()).ok());
    let stats: Vec<Stat> = stats.collect();
    let (page, ticks) = (procfs::page_size(), procfs::ticks_per_second());
    let leaders = leaders(&stats, &sought, orphans::leader_of);
    for stat in &stats {
        let Some(leader) = leaders.get(&stat.pid) else {
            continue;
        };
        let usage = held.entry(*leader).or_default();
        usage.processes += 1;
        usage.memory_bytes += stat.rss.saturating_mul(page);
        usage.cpu_ms += cpu_ticks(stat).saturating_mul(1000) / ticks;
    }
    Ok(held)
}

/// What a control group counts; nothing where it does not count all of it, or has nobody in it.
fn of_group(group: &Path) -> Option<Usage> {
    let counted = pressure::in_group(group)?;
    let members = fs::read_to_string(group.join("cgroup.procs")).ok()?;
    let processes = u32::try_from(members.lines().count()).ok()?;
    (processes > 0).then(|| Usage {
        // It counts threads, and these are processes.
        processes,
        memory_bytes: counted.memory_bytes,
        cpu_ms: u64::try_from(counted.cpu.as_millis()).unwrap_or(u64::MAX),
        over: BTreeSet::new(),
    })
}

/// By its number, the leader of each process that is one of theirs.
fn leaders(
    stats: &[Stat],
    sought: &BTreeSet<i32>,
    left_behind_by: impl Fn(i32) -> Option<i32>,
) -> BTreeMap<i32, i32> {
    let me = std::process::id().cast_signed();
    let mut leaders: BTreeMap<i32, i32> = BTreeMap::new();
    for stat in stats {
        let own = [stat.pid, stat.pgrp].into_iter().find(|id| sought.contains(id));
        let own = own.or_else(|| {
            let left = (stat.ppid == me).then(|| left_behind_by(stat.pid)).flatten();
            left.filter(|leader| sought.contains(leader))
        });
        leaders.extend(own.map(|leader| (stat.pid, leader)));
    }
    // Children may be listed before their parents.
    loop {
        let known = leaders.len();
        for stat in stats {
            if let Some(leader) = leaders.get(&stat.ppid).copied() {
                leaders.entry(stat.pid).or_insert(leader);
            }
        }
        if leaders.len() == known {
            return leaders;
        }
    }
}

/// Its own and that of its children that have ended.
fn cpu_ticks(stat: &Stat) -> u64 {
    let children = stat.cutime.saturating_add(stat.cstime);
    let children = u64::try_from(children).unwrap_or_default();
    stat.utime.saturating_add(stat.stime).saturating_add(children)
}

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::FromRead;

    fn stat(pid: i32, ppid: i32, pgrp: i32) -> Stat {
        let zeros = "0 ".repeat(47);
        let line = format!("{pid} (one) S {ppid} {pgrp} {zeros}\n");
        Stat::from_read(line.as_bytes()).expect("it is of that form")
    }

    #[test]
    fn whoever_leads_descends_from_or_was_left_behind_by_a_plugin_is_its_own() {
        let me = std::process::id().cast_signed();
        let stats = [
            // Left its group, and its session; its child is listed before it.
            stat(13, 12, 13),
            stat(12, 10, 12),
            stat(10, me, 10),
            // Its parent has ended, and it has a child.
            stat(14, me, 14),
            stat(15, 14, 14),
            // In its group, with a parent that has ended.
            stat(16, me, 10),
            // Another plugin's, nobody's, and one that is not asked about.
            stat(20, me, 20),
            stat(21, me, 21),
            stat(1, 0, 1),
            stat(30, 1, 30),
        ];
        let left_behind_by = |one: i32| match one {
            14 => Some(10),
            21 => Some(99),
            _ => None,
        };
        let found = leaders(&stats, &[10, 20].into(), left_behind_by);
        let own = [10, 12, 13, 14, 15, 16].map(|one| (one, 10));
        assert_eq!(found, own.into_iter().chain([(20, 20)]).collect());
    }

    #[test]
    fn a_control_group_is_read_where_it_counts_all_and_else_the_processes() {
        let me = std::process::id().cast_signed();
        let own = rustix::process::getpgrp().as_raw_nonzero().get();
        let group = tempfile::tempdir().expect("a folder");
        let asked = |leader| Asked {
            leader,
            group: Some(group.path().to_owned()),
        };
        for (file, text) in [
            ("memory.current", "4096\n"),
            ("pids.current", "9\n"),
            ("cpu.stat", "usage_usec 1500000\n"),
            ("cgroup.procs", ""),
        ] {
            fs::write(group.path().join(file), text).expect("writes");
        }
        let held = of(&[asked(own), asked(i32::MAX)]).expect("/proc can be read");
        assert!(
            held[&own].processes >= 1 && held[&own].memory_bytes > 1_000_000,
            "{held:?}"
        );
        assert!(!held.contains_key(&i32::MAX));
        fs::write(group.path().join("cgroup.procs"), format!("{me}\n1\n")).expect("writes");
        let counted = Usage {
            processes: 2,
            memory_bytes: 4096,
            cpu_ms: 1500,
            over: BTreeSet::new(),
        };
        let held = of(&[asked(own)]).expect("/proc can be read");
        assert_eq!(held, [(own, counted)].into());
    }
}
