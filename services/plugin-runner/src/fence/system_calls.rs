//! Which system calls a plugin does without: seccomp.
//!
//! Everything is allowed but what reaches around the other fences, into other processes or into the kernel's
//! rarely trodden parts. What is denied fails with EPERM, so that a program can say so; it is never killed.

use super::enter::failed;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};
use snooze_schemas::plugin::permissions::Permissions;
use std::collections::BTreeMap;

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

/// The bit that makes a call of x86-64 one of its variant with short pointers, which few kernels have: it would
/// be a second door beside each that is shut.
#[cfg(target_arch = "x86_64")]
const SHORT: i64 = 0x4000_0000;
/// Calls that have another number in that variant: ptrace, kexec_load, process_vm_readv, process_vm_writev.
#[cfg(target_arch = "x86_64")]
const SHORT_ALONE: [i64; 4] = [521, 528, 539, 540];

/// Bits of a socket's type that say which it is; the others are flags.
const TYPE_MASK: u64 = 0xf;
/// `SOCK_PACKET`, what packet sockets were before they had a family.
const OLD_PACKET: i32 = 10;
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

/// Puts the filter up.
pub(super) fn filter(permissions: &Permissions, not_enforced: &mut Vec<String>) -> Result<(), String> {
    let Ok(processor) = TargetArch::try_from(std::env::consts::ARCH) else {
        not_enforced.push(format!(
            "system calls: there is no filter for {}",
            std::env::consts::ARCH
        ));
        return Ok(());
    };
    if cfg!(not(any(target_arch = "x86_64", target_arch = "aarch64"))) {
        not_enforced.push("system calls: their numbers are not known for this processor".to_owned());
        return Ok(());
    }
    let make = failed("make the filter of system calls");
    let denied = rules(permissions)
        .and_then(|rules| program(rules, libc::EPERM, processor))
        .map_err(make)?;
    // Its flags lie in memory, where no filter sees them. Without it the C libraries use clone(2).
    let unknown = program([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS, processor);
    let unknown = unknown.map_err(failed("make the filter of system calls"))?;
    for program in [unknown, denied] {
        match seccompiler::apply_filter(&program) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                not_enforced.push("system calls: this kernel has no seccomp".to_owned());
                return Ok(());
            }
            Err(error) => return Err(format!("put up the filter of system calls: {error}")),
        }
    }
    Ok(())
}

fn program(rules: Rules, error: i32, processor: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    let denied = SeccompAction::Errno(error.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, denied, processor)?.try_into()
}

fn rules(permissions: &Permissions) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = DENIED
        .iter()
        .chain(DENIED_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    let unix = !permissions.unix.is_empty();
    let tcp = !permissions.tcp.is_empty() || !permissions.listen.is_empty();
    let flag = |argument, flag: i32| -> Result<SeccompRule, seccompiler::BackendError> {
        let flag = u64::from(flag.cast_unsigned());
        SeccompRule::new(vec![masked(argument, flag, flag)?])
    };
    let clone = NEW_NAMESPACE.map(|namespace| flag(0, namespace));
    rules.insert(libc::SYS_clone, clone.into_iter().collect::<Result<_, _>>()?);
    // Typing for somebody else at a terminal.
    rules.insert(libc::SYS_ioctl, vec![equal(1, 0x5412)?, equal(1, 0x541c)?]);
    let may_run = SeccompRule::new(vec![masked(1, NEVER_RUN, 0)?])?;
    rules.insert(libc::SYS_memfd_create, vec![may_run]);
    // Connecting by sending, which no fence of ports sees.
    rules.insert(libc::SYS_sendto, vec![flag(3, libc::MSG_FASTOPEN)?]);
    rules.insert(libc::SYS_sendmsg, vec![flag(2, libc::MSG_FASTOPEN)?]);
    rules.insert(libc::SYS_sendmmsg, vec![flag(3, libc::MSG_FASTOPEN)?]);
    if permissions.listen.is_empty() && !unix {
        // A socket that was not bound is given a port by listening, past the fence of ports.
        rules.insert(libc::SYS_listen, Vec::new());
    }
    // Another process's limits: at a limit of no processor time the kernel kills it.
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![not(0, 0)?])?]);
    let mut pairs = vec![SeccompRule::new(vec![not(0, libc::AF_UNIX)?])?];
    if !unix {
        // A pair of datagram sockets can be turned to others. The kernel makes one of what is asked for as raw.
        for datagrams in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
            let kind = masked(1, TYPE_MASK, datagrams.cast_unsigned().into())?;
            pairs.push(SeccompRule::new(vec![kind])?);
        }
    }
    rules.insert(libc::SYS_socketpair, pairs);
    rules.insert(libc::SYS_socket, sockets(permissions, unix, tcp)?);
    #[cfg(target_arch = "x86_64")]
    {
        let doubled: Vec<_> = rules
            .iter()
            .map(|(call, rules)| (call | SHORT, rules.clone()))
            .collect();
        rules.extend(doubled);
        rules.extend(SHORT_ALONE.map(|call| (call | SHORT, Vec::new())));
    }
    Ok(rules)
}

/// The sockets that cannot be made.
fn sockets(
    permissions: &Permissions,
    unix: bool,
    tcp: bool,
) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let kind = |wanted: i32| masked(1, TYPE_MASK, wanted.cast_unsigned().into());
    let mut families = Vec::new();
    if unix {
        families.push(libc::AF_UNIX);
    }
    if tcp || permissions.udp || permissions.raw {
        // With the third one programs look up which networks there are.
        families.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
    }
    if permissions.raw {
        families.push(libc::AF_PACKET);
    }
    let strangers = families
        .iter()
        .map(|family| not(0, *family))
        .collect::<Result<Vec<_>, _>>()?;
    let mut denied = Vec::new();
    if strangers.is_empty() {
        // All of them.
        return Ok(denied);
    }
    denied.push(SeccompRule::new(strangers)?);
    let route = SeccompRule::new(vec![is(0, libc::AF_NETLINK)?, not(2, libc::NETLINK_ROUTE)?])?;
    denied.push(route);
    for family in [libc::AF_INET, libc::AF_INET6] {
        let known = [
            (libc::SOCK_STREAM, tcp, libc::IPPROTO_TCP),
            (libc::SOCK_DGRAM, permissions.udp, libc::IPPROTO_UDP),
            (libc::SOCK_RAW, permissions.raw, 0),
        ];
        for (wanted, is_granted, protocol) in known {
            let mut conditions = vec![is(0, family)?, kind(wanted)?];
            if is_granted && wanted == libc::SOCK_RAW {
                continue;
            }
            if is_granted {
                // Other protocols of the same kind, such as that of several paths, know no fence of ports.
                conditions.extend([not(2, 0)?, not(2, protocol)?]);
            }
            denied.push(SeccompRule::new(conditions)?);
        }
        // From the fourth on: kinds that nobody is granted.
        let others = [libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, OLD_PACKET];
        for other in others {
            denied.push(SeccompRule::new(vec![is(0, family)?, kind(other)?])?);
        }
    }
    Ok(denied)
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn is(argument: u8, value: i32) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::Eq, value.cast_unsigned().into())
}

fn not(argument: u8, value: i32) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::Ne, value.cast_unsigned().into())
}

fn masked(argument: u8, mask: u64, value: u64) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::MaskedEq(mask), value)
}

fn equal(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        Length::Dword,
        Is::Eq,
        value,
    )?])
}
