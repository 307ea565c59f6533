//! Limits that the kernel counts for each process or user: for what no control group counts.
//!
//! Limits never rise: where the runner's own are lower, they hold.

use super::{enter::failed, orders::Orders, system_calls::User};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use snooze_schemas::plugin::permissions::Permissions;

/// What a plugin may hold without asking. Node.js with its heaps needs some 200 MiB by this count.
const MEMORY_MB: u32 = 512;
/// Processes and threads without asking. Node.js starts 11, Go as many as there are cores and some.
const PROCESSES: u32 = 64;
/// Processor time of one core, in percent, without asking.
const CPU_PERCENT: u32 = 100;
/// What its working folder may hold without asking: as much as one file may.
const DISK_MB: u32 = 256;
/// Open files: an ordinary plugin has under 30.
pub(crate) const OPEN_FILES: u64 = 256;
/// The largest file: what fills a small disk's rest comes to a stop before.
pub(crate) const FILE_BYTES: u64 = 256 << 20;

/// What a plugin may hold: what it was granted, else what each may without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Memory.
    pub memory_bytes: u64,
    /// Processor time, in percent of one core.
    pub cpu_percent: u32,
    /// Processes and threads.
    pub processes: u32,
    /// What its working folder holds.
    pub disk_mb: u32,
}

impl Limits {
    /// By these permissions.
    pub(crate) fn of(granted: &Permissions) -> Limits {
        Limits {
            memory_bytes: u64::from(granted.memory_mb.unwrap_or(MEMORY_MB)) << 20,
            cpu_percent: granted.cpu_percent.unwrap_or(CPU_PERCENT),
            processes: granted.processes.unwrap_or(PROCESSES),
            disk_mb: granted.disk_mb.unwrap_or(DISK_MB),
        }
    }
}

/// Sets them.
pub(super) fn set(orders: &Orders, user: User, not_enforced: &mut Vec<String>) -> Result<(), String> {
    // One byte is the kernel's own sign for "no core at all", also where cores go to a program.
    lower(Resource::Core, 1)?;
    lower(Resource::Nofile, OPEN_FILES)?;
    lower(Resource::Fsize, FILE_BYTES)?;
    let limits = Limits::of(&orders.permissions);
    if !orders.memory_is_limited {
        // Not the address space: runtimes reserve a hundred times what they use.
        lower(Resource::Data, limits.memory_bytes)?;
    }
    if !orders.processes_are_limited {
        if user == User::Own {
            lower(Resource::Nproc, limits.processes.into())?;
        } else {
            not_enforced.push(
                "the number of processes: neither a control group nor a user of its own counts them"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

fn lower(resource: Resource, limit: u64) -> Result<(), String> {
    let held = getrlimit(resource).maximum;
    let limit = Some(held.map_or(limit, |held| held.min(limit)));
    let new = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(resource, new).map_err(failed("lower a limit"))
}
