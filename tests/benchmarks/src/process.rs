//! What a process takes of memory and processors, as the kernel tells it. It reads `/proc` and changes nothing.
//!
//! Memory is `/proc/<pid>/smaps_rollup` (proc(5)). Processor time is the sum over the threads'
//! `schedstat`, in nanoseconds: `/proc/<pid>/stat` only counts hundredths of a second, and five minutes of
//! an idle service are two or three of those. Threads that have ended are only in `stat`, so that one
//! counts where it has seen more.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Nanoseconds of a tick in `/proc/<pid>/stat`: `USER_HZ` is 100 on every Linux that a program can see.
const TICK_NS: u64 = 10_000_000;

/// What a process took up to one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Its memory.
    pub memory: Memory,
    /// Processor time of the threads that run, in nanoseconds.
    threads_ns: u64,
    /// Processor time of all threads there ever were, in ticks.
    ticks: u64,
}

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// Resident, each page divided by how many processes share it.
    pub pss: u64,
    /// The part of `pss` that lies in files: programs and libraries.
    pub pss_file: u64,
    /// Heap, stacks, and pages of a file that were written to.
    pub anonymous: u64,
}

/// Why it cannot be told what a process takes.
#[derive(Debug)]
pub enum CostError {
    /// The process is gone, or belongs to somebody else.
    Read(PathBuf, io::Error),
    /// The kernel wrote something else than proc(5) says.
    Understand(PathBuf),
}

impl std::fmt::Display for CostError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CostError::Read(path, cause) => write!(formatter, "read {}: {cause}", path.display()),
            CostError::Understand(path) => {
                write!(formatter, "{} is not as proc(5) describes it", path.display())
            }
        }
    }
}

impl std::error::Error for CostError {}

impl Cost {
    /// Of the process with this id, now.
    ///
    /// # Errors
    /// When there is no such process, or the kernel keeps no such numbers.
    pub fn of(id: u32) -> Result<Cost, CostError> {
        let folder = Path::new("/proc").join(id.to_string());
        let rollup = folder.join("smaps_rollup");
        let memory = Memory::parse(&read(&rollup)?).ok_or(CostError::Understand(rollup))?;
        let stat = folder.join("stat");
        let ticks = ticks(&read(&stat)?).ok_or(CostError::Understand(stat))?;
        let mut threads_ns = 0;
        let tasks = folder.join("task");
        for entry in fs::read_dir(&tasks).map_err(|cause| CostError::Read(tasks.clone(), cause))? {
            let entry = entry.map_err(|cause| CostError::Read(tasks.clone(), cause))?;
            // A thread may end between the listing and this look.
            if let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) {
                let spent = text
                    .split_whitespace()
                    .next()
                    .and_then(|word| word.parse::<u64>().ok());
                threads_ns += spent.ok_or_else(|| CostError::Understand(entry.path()))?;
            }
        }
        Ok(Cost {
            memory,
            threads_ns,
            ticks,
        })
    }

    /// Processor time since an earlier look, in nanoseconds.
    #[must_use]
    pub fn processor_ns_since(&self, earlier: &Cost) -> u64 {
        let threads = self.threads_ns.saturating_sub(earlier.threads_ns);
        let ticks = self.ticks.saturating_sub(earlier.ticks) * TICK_NS;
        // Time in the program and time in the kernel are cut off to whole ticks each.
        if ticks > threads + 2 * TICK_NS {
            ticks
        } else {
            threads
        }
    }
}

impl Memory {
    fn parse(rollup: &str) -> Option<Memory> {
        let field = |name: &str| {
            let line = rollup.lines().find(|line| line.split(':').next() == Some(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Some(Memory {
            rss: field("Rss")?,
            pss: field("Pss")?,
            pss_file: field("Pss_File")?,
            anonymous: field("Anonymous")?,
        })
    }
}

fn read(path: &Path) -> Result<String, CostError> {
    fs::read_to_string(path).map_err(|cause| CostError::Read(path.to_owned(), cause))
}

/// The fields `utime` and `stime`. The program's name, the second field, may hold blanks and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLUP: &str = "5588d6a2c000-7ffd9d5f2000 ---p 00000000 00:00 0    [rollup]\n\
        Rss:                7652 kB\nPss:                5431 kB\nPss_Dirty:          1516 kB\n\
        Pss_Anon:           1500 kB\nPss_File:           3931 kB\nAnonymous:          1500 kB\n";

    #[test]
    fn memory_is_read_by_its_whole_name() {
        let memory = Memory::parse(ROLLUP).expect("as proc(5) describes it");
        assert_eq!(
            (memory.rss, memory.pss, memory.pss_file, memory.anonymous),
            (7652, 5431, 3931, 1500)
        );
        assert_eq!(Memory::parse("Rss: 1 kB\n"), None);
    }

    #[test]
    fn a_name_with_a_bracket_hides_no_field() {
        let stat = "42 (a) b (c) S 1 1 1 0 -1 4194560 1 0 0 0 7 5 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks(stat), Some(12));
        assert_eq!(ticks("42 a"), None);
    }

    #[test]
    fn time_of_threads_that_ended_is_counted_and_cut_off_ticks_are_not() {
        let at = |threads_ns, ticks| Cost {
            memory: Memory::default(),
            threads_ns,
            ticks,
        };
        assert_eq!(at(3_000_000, 2).processor_ns_since(&at(1_000_000, 0)), 2_000_000);
        assert_eq!(at(3_000_000, 9).processor_ns_since(&at(1_000_000, 0)), 90_000_000);
    }

    #[test]
    fn this_process_costs_something() {
        let cost = Cost::of(std::process::id()).expect("it runs");
        assert!(
            cost.memory.rss >= cost.memory.pss && cost.memory.pss > 0,
            "{cost:?}"
        );
        assert!(Cost::of(u32::MAX).is_err());
    }
}
