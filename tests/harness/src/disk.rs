//! A disk without room, as one process finds it, without filling anybody else's: the kernel lets the process make
//! no file longer (`RLIMIT_FSIZE`, getrlimit(2)). A write fails as on a full disk, but with EFBIG for ENOSPC.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// From now on there is no room for what the process writes.
///
/// # Panics
/// When it does not run.
pub fn fill_disk_of(process: u32) {
    set(process, Some(0));
}

/// There is room again.
///
/// # Panics
/// When it does not run.
pub fn free_disk_of(process: u32) {
    set(process, getrlimit(Resource::Fsize).current);
}

fn set(process: u32, current: Option<u64>) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.expect("a process has an id");
    // The hard limit stays: nobody but root could raise it again.
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(pid), Resource::Fsize, Rlimit { current, maximum }).expect("the process is ours and runs");
}
