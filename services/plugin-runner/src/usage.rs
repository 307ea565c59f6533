//! What the processes of a group hold, read once for all groups that are asked about.
//!
//! Reading every process of a large machine takes some milliseconds, so it is done only when somebody asks. What is
//! looked at all the time is `pressure`'s.

pub(crate) mod pressure;

use procfs::process::{Stat, all_processes};
use snooze_schemas::plugin::inspection::Usage;
use std::collections::BTreeMap;

/// What each of these groups holds; a group without processes is not in it.
///
/// # Errors
/// When the kernel's list of processes cannot be read.
pub(crate) fn of_groups(groups: &[i32]) -> Result<BTreeMap<i32, Usage>, procfs::ProcError> {
    let (page, ticks) = (procfs::page_size(), procfs::ticks_per_second());
    // One that ends while it is looked at holds nothing any more.
    let stats = all_processes()?.filter_map(|process| process.and_then(|process| process.stat()).ok());
    let mut held: BTreeMap<i32, Usage> = BTreeMap::new();
    for stat in stats.filter(|stat| groups.contains(&stat.pgrp)) {
        let usage = held.entry(stat.pgrp).or_default();
        usage.processes += 1;
        usage.memory_bytes += stat.rss.saturating_mul(page);
        usage.cpu_ms += cpu_ticks(&stat).saturating_mul(1000) / ticks;
    }
    Ok(held)
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

    #[test]
    fn a_group_holds_what_its_processes_hold() {
        let own = rustix::process::getpgrp().as_raw_nonzero().get();
        let held = of_groups(&[own, i32::MAX]).expect("/proc can be read");
        assert!(
            held[&own].processes >= 1 && held[&own].memory_bytes > 1_000_000,
            "{held:?}"
        );
        assert!(!held.contains_key(&i32::MAX));
    }
}
