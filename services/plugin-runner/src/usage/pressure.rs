//! Whether a plugin nears its limits: looked at now and then, and said once it has lasted.
//!
//! A plugin's group is three small files. Without one it is the leader's own numbers, because to find the rest every
//! process of the machine has to be read: that is done now and then, and at each look while there is a rest. What its
//! folder holds is what `fence::disk` has counted last. It limits nothing and ends nobody.

use super::Asked;
use crate::{fence::Limits, plugin::Runtime, plugins::Plugins, policy::PolicyInForce, tally::interval_ms};
use procfs::{FromRead, process::Stat};
use snooze_schemas::{
    PluginName,
    plugin::inspection::{Limit, Usage},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

/// How much of a limit is most of it, in percent.
const MOST: u64 = 80;
/// So many samples lie between two looks: a look costs more than a plugin's question.
const SAMPLES_APART: u32 = 3;
/// So many looks one after another: at the usual ten seconds a minute, which no start of an interpreter takes.
const LASTING: u32 = 2;

/// So many looks lie between two at which every process is read, where no plugin had more than its own the last time.
const WIDE_APART: u32 = 10;

/// What a plugin holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub memory_bytes: u64,
    processes: u32,
    /// Used since it began.
    pub cpu: Duration,
    /// In its working folder; nothing where that was not counted yet.
    disk_bytes: Option<u64>,
}

impl Held {
    /// With what its other processes hold, where it has any.
    fn with_others(self, all: Option<&Usage>) -> Held {
        match all {
            Some(all) if all.processes > 1 => Held {
                memory_bytes: all.memory_bytes,
                // Of the leader these are threads.
                processes: all.processes.max(self.processes),
                cpu: Duration::from_millis(all.cpu_ms),
                ..self
            },
            Some(_) | None => self,
        }
    }
}

/// At which looks every process is read.
#[derive(Debug, Default)]
struct Wide {
    narrow: u32,
    had_others: bool,
}

impl Wide {
    fn is_due(&mut self) -> bool {
        let is_due = self.had_others || self.narrow == 0;
        self.narrow = if is_due { WIDE_APART } else { self.narrow - 1 };
        is_due
    }

    /// What the plugins without a group of their own hold, by their leaders.
    async fn look(&mut self, plugins: &Plugins) -> BTreeMap<i32, Usage> {
        if !self.is_due() {
            return BTreeMap::new();
        }
        let all = plugins.all();
        let mut asked: Vec<Asked> = all.iter().filter_map(|plugin| Asked::about(plugin)).collect();
        asked.retain(|one| one.group.as_deref().and_then(in_group).is_none());
        let found = tokio::task::spawn_blocking(move || super::of(&asked)).await;
        let found = match found {
            Ok(Ok(found)) => found,
            // What cannot be read now is looked at again: the leaders are all the same.
            Ok(Err(_)) | Err(_) => BTreeMap::new(),
        };
        self.had_others = found.values().any(|usage| usage.processes > 1);
        found
    }
}

/// What was seen of one process.
#[derive(Debug, Default)]
struct Pressure {
    process: i32,
    last: Option<(Duration, Duration)>,
    /// How often one after another each was neared.
    times: BTreeMap<Limit, u32>,
}

/// Looks at all of them until shutdown.
pub(crate) async fn follow(
    plugins: Arc<Plugins>,
    mut policy: watch::Receiver<Arc<PolicyInForce>>,
    shutdown: CancellationToken,
) {
    let begun = Instant::now();
    let mut seen: BTreeMap<PluginName, Pressure> = BTreeMap::new();
    let mut wide = Wide::default();
    loop {
        let interval = Duration::from_millis(interval_ms(&policy.borrow_and_update().policy));
        let pause = interval.saturating_mul(SAMPLES_APART);
        // Cancelling these loses nothing: a policy that was not seen is the next one's to look at.
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            changed = policy.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return shutdown.cancelled().await,
            },
        }
        let others = wide.look(&plugins).await;
        let mut still = BTreeMap::new();
        for plugin in plugins.all() {
            let Runtime::Process(plugin) = plugin.runtime() else {
                continue;
            };
            let watched = plugin.process_id().zip(plugin.fence());
            let held = watched
                .and_then(|(id, fence)| Some((id, fence, held(id, fence.control_group().as_deref())?)));
            let Some((process, fence, held)) = held else {
                plugin.note_over(&BTreeSet::new());
                continue;
            };
            let held = Held {
                disk_bytes: plugin.disk_bytes(),
                ..held.with_others(others.get(&process))
            };
            let earlier = seen.remove(&plugin.name());
            let mut pressure = earlier
                .filter(|earlier| earlier.process == process)
                .unwrap_or_else(|| Pressure {
                    process,
                    ..Pressure::default()
                });
            plugin.note_over(&pressure.note(begun.elapsed(), held, fence.limits()));
            still.insert(plugin.name(), pressure);
        }
        seen = still;
    }
}

impl Pressure {
    /// Which limits have been neared for some time.
    fn note(&mut self, at: Duration, held: Held, limits: Limits) -> BTreeSet<Limit> {
        let is_most = |held: u64, limit: u64| held.saturating_mul(100) > limit.saturating_mul(MOST);
        let cpu = self.last.replace((at, held.cpu)).and_then(|(before, used)| {
            let wall = at.saturating_sub(before).as_micros();
            let used = held.cpu.saturating_sub(used).as_micros().saturating_mul(100);
            u64::try_from(used.checked_div(wall)?).ok()
        });
        let near = [
            (Limit::MemoryMb, is_most(held.memory_bytes, limits.memory_bytes)),
            (
                Limit::CpuPercent,
                cpu.is_some_and(|cpu| is_most(cpu, limits.cpu_percent.into())),
            ),
            (
                Limit::Processes,
                // Who may have one has one.
                limits.processes > 1 && is_most(held.processes.into(), limits.processes.into()),
            ),
            (
                Limit::DiskMb,
                held.disk_bytes
                    .is_some_and(|bytes| is_most(bytes, u64::from(limits.disk_mb) << 20)),
            ),
        ];
        for (limit, is_near) in near {
            let times = self.times.entry(limit).or_default();
            *times = if is_near { times.saturating_add(1) } else { 0 };
        }
        let lasting = self.times.iter().filter(|(_, times)| **times >= LASTING);
        lasting.map(|(limit, _)| *limit).collect()
    }
}

/// What a group holds where it counts, else what the leader does; nothing where it has ended.
fn held(leader: i32, group: Option<&Path>) -> Option<Held> {
    group.and_then(in_group).or_else(|| of_leader(leader))
}

/// What a group counts; nothing where it does not count all of it.
pub(super) fn in_group(group: &Path) -> Option<Held> {
    let counted = |file: &str| fs::read_to_string(group.join(file)).ok();
    let number = |file: &str| counted(file)?.trim().parse::<u64>().ok();
    // Where the controller of memory is missing nothing else is to be read.
    let memory_bytes = number("memory.current")?;
    let processes = u32::try_from(number("pids.current")?).ok()?;
    let cpu = counted("cpu.stat")?;
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    Some(Held {
        memory_bytes,
        processes,
        cpu: Duration::from_micros(cpu.parse().ok()?),
        disk_bytes: None,
    })
}

fn of_leader(leader: i32) -> Option<Held> {
    // Its one file and not its folder: of fifty plugins each look counts.
    let stat = fs::read(format!("/proc/{leader}/stat")).ok()?;
    let stat = Stat::from_read(stat.as_slice()).ok()?;
    let ticks = stat.utime.saturating_add(stat.stime);
    Some(Held {
        memory_bytes: stat.rss.saturating_mul(procfs::page_size()),
        processes: u32::try_from(stat.num_threads).ok()?,
        cpu: Duration::from_millis(ticks.saturating_mul(1000) / procfs::ticks_per_second()),
        disk_bytes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        memory_bytes: 1000,
        cpu_percent: 50,
        processes: 10,
        disk_mb: 1,
    };

    fn after(looks: u32, held: impl Fn(u32) -> Held) -> BTreeSet<Limit> {
        let mut pressure = Pressure::default();
        let notes = (0..=looks).map(|look| pressure.note(Duration::from_secs(10) * look, held(look), LIMITS));
        notes.last().expect("at least one")
    }

    #[test]
    fn most_of_a_limit_is_told_once_it_has_lasted() {
        let all = |look: u32| Held {
            memory_bytes: 801,
            processes: 9,
            // 4.1 of ten seconds are 41 %, of 50.
            cpu: Duration::from_millis(4100) * look,
            // Of a MiB.
            disk_bytes: Some(840_000),
        };
        assert_eq!(after(LASTING - 2, all), BTreeSet::new());
        // Of the first look it is not known what was used before.
        assert_eq!(
            after(LASTING - 1, all),
            [Limit::MemoryMb, Limit::Processes, Limit::DiskMb].into()
        );
        let told = [
            Limit::MemoryMb,
            Limit::CpuPercent,
            Limit::Processes,
            Limit::DiskMb,
        ];
        let told = told.into();
        assert_eq!(after(LASTING, all), told);
        let little = |look: u32| Held {
            memory_bytes: 800,
            processes: 8,
            cpu: Duration::from_secs(4) * look,
            disk_bytes: Some(838_000),
        };
        assert_eq!(after(100, little), BTreeSet::new());
    }

    #[test]
    fn a_moment_without_begins_anew() {
        let held = |look: u32| Held {
            memory_bytes: if look.is_multiple_of(LASTING) { 0 } else { 1000 },
            ..Held::default()
        };
        assert!((0..100).all(|looks| after(looks, held).is_empty()));
    }

    #[test]
    fn every_process_is_read_now_and_then_and_at_each_look_while_a_plugin_has_others() {
        let mut wide = Wide::default();
        let due: Vec<bool> = (0..=2 * (WIDE_APART + 1)).map(|_| wide.is_due()).collect();
        let at: Vec<usize> = (0..due.len()).filter(|look| due[*look]).collect();
        let apart = usize::try_from(WIDE_APART + 1).expect("it is small");
        assert_eq!(at, [0, apart, 2 * apart]);
        wide.had_others = true;
        assert!((0..10).all(|_| wide.is_due()));
    }

    #[test]
    fn what_others_hold_counts_where_there_are_any_and_one_that_may_have_one_process_nears_nothing() {
        let own = Held {
            memory_bytes: 100,
            processes: 3,
            ..Held::default()
        };
        let all = |processes| Usage {
            processes,
            memory_bytes: 900,
            cpu_ms: 70,
            ..Usage::default()
        };
        assert_eq!(own.with_others(None), own);
        assert_eq!(own.with_others(Some(&all(1))), own, "it is alone");
        let together = Held {
            memory_bytes: 900,
            processes: 20,
            cpu: Duration::from_millis(70),
            disk_bytes: None,
        };
        assert_eq!(own.with_others(Some(&all(20))), together);
        let (mut pressure, alone) = (
            Pressure::default(),
            Limits {
                processes: 1,
                ..LIMITS
            },
        );
        let one = Held {
            processes: 1,
            ..Held::default()
        };
        for look in 0..5 {
            assert_eq!(
                pressure.note(Duration::from_secs(look), one, alone),
                BTreeSet::new()
            );
        }
    }

    #[test]
    fn a_group_is_read_where_it_counts_all_and_else_the_leader() {
        let group = tempfile::tempdir().expect("a folder");
        let me = std::process::id().cast_signed();
        for (file, text) in [
            ("memory.current", "4096\n"),
            ("cpu.stat", "usage_usec 1500000\nuser_usec 1\n"),
        ] {
            fs::write(group.path().join(file), text).expect("writes");
        }
        let own = held(me, Some(group.path())).expect("this process is there");
        assert!(own.memory_bytes > 1_000_000 && own.processes >= 1, "{own:?}");
        fs::write(group.path().join("pids.current"), "3\n").expect("writes");
        let counted = Held {
            memory_bytes: 4096,
            processes: 3,
            cpu: Duration::from_millis(1500),
            disk_bytes: None,
        };
        assert_eq!(held(me, Some(group.path())), Some(counted));
        assert_eq!(held(i32::MAX, None), None);
    }
}
