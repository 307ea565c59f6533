//! Which system calls a plugin does without: seccomp.
//!
//! Everything is allowed but what reaches around the other fences, into other processes or into the kernel's
//! rarely trodden parts. What is denied fails with EPERM, so that a program can say so; it is never killed.

mod conditions;
mod shared_user;
mod sockets;

use super::enter::failed;
use conditions::{alone, equal, flag, masked, not};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, sock_filter,
};
use snooze_schemas::plugin::permissions::Permissions;
use std::collections::BTreeMap;

/// Who the plugin is by now, for what only the user tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// A user of its own: the kernel keeps it from what belongs to others.
    Own,
    /// The runner's, and with it that of everything that the runner owns.
    Runners,
}

/// What the fence of files does about cutting files off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cutting {
    /// It sees it.
    Fenced,
    /// It does not: Landlock before its third version, or none.
    Unseen,
}

/// Calls that no plugin makes. Those that take a capability are refused anyway; what they do before they find
/// that out has been wrong before.
const DENIED: &[i64] = &[
    // Into other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_mrelease,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Memory and queues that outlive who made them, and that others of the same user may attach to.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // The file system's shape, and ways to files beside their paths.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    OPEN_TREE_ATTR,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_fanotify_init,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // Namespaces: in one of its own a plugin would be its superuser.
    libc::SYS_unshare,
    libc::SYS_setns,
    // The kernel's parts where most of its holes were.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
];

/// The same, of one processor alone.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[i64] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS__sysctl,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
];
#[cfg(target_arch = "aarch64")]
const DENIED_HERE: &[i64] = &[libc::SYS_nfsservctl, libc::SYS_lookup_dcookie];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const DENIED_HERE: &[i64] = &[];

/// `open_tree_attr`, of Linux 6.15: the same number on every processor.
const OPEN_TREE_ATTR: i64 = 467;
/// `MFD_NOEXEC_SEAL`: memory that can never be run as a program.
const NEVER_RUN: u64 = 8;
/// Namespaces in the flags of clone(2). That of time is no flag of it.
const NEW_NAMESPACE: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts the filters up.
pub(super) fn filter(
    permissions: &Permissions,
    user: User,
    cutting: Cutting,
    not_enforced: &mut Vec<String>,
) -> Result<(), String> {
    let what = match cutting {
        Cutting::Fenced => "system calls",
        Cutting::Unseen => "system calls, and by them that files are cut off",
    };
    let Ok(processor) = TargetArch::try_from(std::env::consts::ARCH) else {
        not_enforced.push(format!(
            "{what}: there is no filter for {}",
            std::env::consts::ARCH
        ));
        return Ok(());
    };
    if cfg!(not(any(target_arch = "x86_64", target_arch = "aarch64"))) {
        not_enforced.push(format!("{what}: their numbers are not known for this processor"));
        return Ok(());
    }
    let denied = rules(permissions, user, cutting).and_then(|rules| program(rules, libc::EPERM, processor));
    let unknown = program(unknown(cutting), libc::ENOSYS, processor);
    let make = failed("make the filter of system calls");
    let (denied, unknown) = denied.and_then(|denied| Ok((denied, unknown?))).map_err(make)?;
    for program in [short_numbers(), unknown, denied] {
        match seccompiler::apply_filter(&program) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                not_enforced.push(format!("{what}: this kernel has no seccomp"));
                return Ok(());
            }
            Err(error) => return Err(format!("put up the filter of system calls: {error}")),
        }
    }
    Ok(())
}

fn program(rules: Rules, error: i32, processor: TargetArch) -> Result<BpfProgram, BackendError> {
    let denied = SeccompAction::Errno(error.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, denied, processor)?.try_into()
}

/// Refuses every number that has the bit of the variant of x86-64 with short pointers: few kernels have it, and
/// there it would be a second door beside each that is shut. Written by hand, because seccompiler compares whole
/// numbers only. On other processors no call has such a number.
fn short_numbers() -> BpfProgram {
    const SHORT: u32 = 0x4000_0000;
    let step = |code: u32, jt, jf, k| sock_filter {
        code: u16::try_from(code).expect("codes of classic BPF have 16 bits"),
        jt,
        jf,
        k,
    };
    // The call's number stands at the beginning of what a filter sees (struct seccomp_data).
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, SHORT),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, refused),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// Calls whose flags lie in memory, where no filter sees them. Without them programs use the older ones.
fn unknown(cutting: Cutting) -> Rules {
    let mut rules = Rules::from([(libc::SYS_clone3, Vec::new())]);
    if cutting == Cutting::Unseen {
        rules.insert(libc::SYS_openat2, Vec::new());
    }
    rules
}

fn rules(permissions: &Permissions, user: User, cutting: Cutting) -> Result<Rules, BackendError> {
    let mut rules: Rules = DENIED
        .iter()
        .chain(DENIED_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    let clone = NEW_NAMESPACE.map(|namespace| flag(0, namespace));
    rules.insert(libc::SYS_clone, clone.into_iter().collect::<Result<_, _>>()?);
    // Typing for somebody else at a terminal.
    rules.insert(libc::SYS_ioctl, vec![equal(1, 0x5412)?, equal(1, 0x541c)?]);
    rules.insert(libc::SYS_memfd_create, vec![alone(masked(1, NEVER_RUN, 0))?]);
    // Another process's limits: at a limit of no processor time the kernel kills it.
    rules.insert(libc::SYS_prlimit64, vec![alone(not(0, 0))?]);
    sockets::add(&mut rules, permissions)?;
    if user == User::Runners {
        shared_user::add(&mut rules)?;
    }
    if cutting == Cutting::Unseen {
        cuts(&mut rules)?;
    }
    Ok(rules)
}

/// Cutting files off by their name, or by opening them for nothing else.
fn cuts(rules: &mut Rules) -> Result<(), BackendError> {
    rules.insert(libc::SYS_truncate, Vec::new());
    let how = u64::from((libc::O_ACCMODE | libc::O_TRUNC).cast_unsigned());
    let opening = |argument| {
        // Who opens for writing is seen. The last mode, for commands to devices alone, is seen as none.
        let unseen = [libc::O_RDONLY, libc::O_ACCMODE].map(|mode| mode | libc::O_TRUNC);
        let unseen = unseen.map(|flags| alone(masked(argument, how, flags.cast_unsigned().into())));
        unseen.into_iter().collect::<Result<Vec<_>, _>>()
    };
    rules.insert(libc::SYS_openat, opening(2)?);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, opening(1)?);
    Ok(())
}
