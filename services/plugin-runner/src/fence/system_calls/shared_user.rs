//! What a plugin that stays the runner's user may not do to what else belongs to that user: the fence of files
//! sees what is opened and made, and neither modes and owners nor times and attributes.
//!
//! It also takes this away from what is the plugin's own: no filter sees whose file it is. Programs that start
//! with Python, Node.js, Go and the shell were seen to do without.

use super::{
    Rules,
    conditions::{alone, equal, is, not},
};
use seccompiler::BackendError;

/// Modes, owners, times and attributes of files.
const OF_FILES: &[i64] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    REMOVEXATTRAT,
    FILE_SETATTR,
];

/// The same, of one processor alone.
#[cfg(target_arch = "x86_64")]
const OF_FILES_HERE: &[i64] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const OF_FILES_HERE: &[i64] = &[];

// Newer ones, which have the same numbers on every processor: of Linux 6.6, 6.13 and 6.17.
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const FILE_SETATTR: i64 = 469;

/// Commands to a file that change it though it was opened to be read: `FS_IOC_SETFLAGS` with its shorter form,
/// `FS_IOC_SETVERSION` with its, `FS_IOC_FSSETXATTR`, `FS_IOC_ENABLE_VERITY`, `FS_IOC_SET_ENCRYPTION_POLICY`,
/// `FAT_IOCTL_SET_ATTRIBUTES`.
const COMMANDS: [u64; 8] = [
    0x4008_6602,
    0x4004_6602,
    0x4008_7602,
    0x4004_7602,
    0x401c_5820,
    0x4080_6685,
    0x800c_6613,
    0x4004_7211,
];

/// Calls that name another process first, where 0 is the caller.
const OF_PROCESSES: [i64; 4] = [
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
];

/// `IOPRIO_WHO_USER` (`linux/ioprio.h`).
const DISKS_OF_USER: i32 = 3;

/// What of that is denied.
pub(super) fn add(rules: &mut Rules) -> Result<(), BackendError> {
    rules.extend(
        OF_FILES
            .iter()
            .chain(OF_FILES_HERE)
            .map(|call| (*call, Vec::new())),
    );
    let commands = COMMANDS.map(|command| equal(1, command));
    let commands = commands.into_iter().collect::<Result<Vec<_>, _>>()?;
    rules.entry(libc::SYS_ioctl).or_default().extend(commands);
    for call in OF_PROCESSES {
        rules.insert(call, vec![alone(not(0, 0))?]);
    }
    // Its own and its group's: 0 is the caller, or all that its user has.
    let user = libc::PRIO_USER.cast_signed();
    let priority = vec![alone(is(0, user))?, alone(not(1, 0))?];
    rules.insert(libc::SYS_setpriority, priority);
    let disks = vec![alone(is(0, DISKS_OF_USER))?, alone(not(1, 0))?];
    rules.insert(libc::SYS_ioprio_set, disks);
    Ok(())
}
