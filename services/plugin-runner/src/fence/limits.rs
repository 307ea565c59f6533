//! Limits that the kernel counts for each process or user: for what no control group counts.
//!
//! Limits never rise: where the runner's own are lower, they hold.

use super::{enter::failed, orders::Orders, system_calls::User};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a plugin may hold without asking. Node.js with its heaps needs some 200 MiB by this count.
pub(super) const MEMORY_MB: u32 = 512;
/// Processes and threads without asking. Node.js starts 11, Go as many as there are cores and some.
pub(super) const PROCESSES: u32 = 64;
/// Open files: an ordinary plugin has under 30.
const OPEN_FILES: u64 = 256;
/// The largest file: what fills a small disk's rest comes to a stop before.
const FILE_BYTES: u64 = 256 << 20;

/// Sets them.
pub(super) fn set(orders: &Orders, user: User, not_enforced: &mut Vec<String>) -> Result<(), String> {
    // One byte is the kernel's own sign for "no core at all", also where cores go to a program.
    lower(Resource::Core, 1)?;
    lower(Resource::Nofile, OPEN_FILES)?;
    lower(Resource::Fsize, FILE_BYTES)?;
    let permissions = &orders.permissions;
    if !orders.memory_is_limited {
        // Not the address space: runtimes reserve a hundred times what they use.
        let memory = u64::from(permissions.memory_mb.unwrap_or(MEMORY_MB)) << 20;
        lower(Resource::Data, memory)?;
    }
    if !orders.processes_are_limited {
        if user == User::Own {
            lower(Resource::Nproc, permissions.processes.unwrap_or(PROCESSES).into())?;
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
