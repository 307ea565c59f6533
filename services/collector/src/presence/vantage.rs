//! Where the collector stands: whether the processes and terminals that it sees are the host's.
//!
//! In a container they are not. The container's `/proc/stat` is still the host's, so the host would look
//! measured while everybody who works on it is out of sight. There the readings of people and of input are
//! unknown. Two ways of seeing everything are told from that by what is there:
//!
//! - The process namespace is the kernel's first one: a machine, virtual or not, or a container that was
//!   given the host's (`--pid=host`).
//! - Its first process is an init and logind runs: a *system* container (LXC, LXD, systemd-nspawn). People
//!   log in to it as they do to a machine, and it is what its owner calls the host. Whoever works on the
//!   machine around it is out of sight, so a collector there is not to have that machine stopped.
//!
//! In both, the terminals must be those of the first process: `--pid=host` alone leaves a container its own
//! `/dev`. Only `CAP_SYS_PTRACE` lets one look at them. Without it, somebody's own session on a machine is
//! told from such a container by the other namespaces that a container has of its own.

use crate::{Root, Unreadable};

/// `PROC_PID_INIT_INO` of Linux's include/linux/proc_ns.h: the first process namespace, on every kernel.
const FIRST_NAMESPACE: &str = "pid:[4026531836]";

/// The kernel's first ones of what a container has of its own unless each is given to it as well, from the
/// same file. Mounts are not among them: only newer kernels have a fixed number for their first.
const FIRST_OF_OTHERS: [(&str, &str); 3] = [
    ("proc/self/ns/cgroup", "cgroup:[4026531835]"),
    ("proc/self/ns/ipc", "ipc:[4026531839]"),
    ("proc/self/ns/uts", "uts:[4026531838]"),
];

/// What the first process of a machine is called.
const INITS: [&str; 6] = ["systemd", "init", "openrc-init", "runit", "s6-svscan", "dinit"];

/// logind and elogind keep this file for as long as they run, on machines without a screen as well.
const LOGIND: &str = "run/systemd/seats/seat0";

/// Looks whether people can be seen from here.
///
/// # Errors
/// When they cannot, or when nothing tells.
pub(super) fn check(root: &Root, buffer: &mut Vec<u8>) -> Result<(), Unreadable> {
    if root.link("proc/self/ns/pid")? != FIRST_NAMESPACE && !is_machine_of_its_own(root, buffer) {
        return Err(Unreadable::Contained {
            why: "this is a container, whose processes and terminals are not the host's: \
                  run the collector on the host",
        });
    }
    check_terminals(root)
}

/// Whether the terminals are those of the first process.
fn check_terminals(root: &Root) -> Result<(), Unreadable> {
    let Ok(theirs) = root.stat("proc/1/root/dev/pts") else {
        // It may not be looked at, or has none itself.
        return check_other_namespaces(root);
    };
    match root.stat("dev/pts") {
        Ok(ours) if ours.st_dev == theirs.st_dev => Ok(()),
        Err(error) if !error.is_absent() => Err(error),
        Ok(_) | Err(_) => Err(Unreadable::Contained {
            why: "the terminals seen here are not the host's, though its processes are: \
                  run the collector on the host",
        }),
    }
}

fn check_other_namespaces(root: &Root) -> Result<(), Unreadable> {
    for (path, first) in FIRST_OF_OTHERS {
        if root.link(path)? != first {
            return Err(Unreadable::Contained {
                why: "nothing tells whether the terminals seen here are the host's: \
                      run the collector on the host, with CAP_SYS_PTRACE",
            });
        }
    }
    Ok(())
}

fn is_machine_of_its_own(root: &Root, buffer: &mut Vec<u8>) -> bool {
    let name = root.text("proc/1/comm", buffer);
    name.is_ok_and(|name| INITS.contains(&name.trim_end())) && root.exists(LOGIND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink, path::Path};

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("has a folder")).expect("folders");
        fs::write(path, text).expect("writes");
    }

    fn link(folder: &Path, path: &str, target: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("has a folder")).expect("folders");
        if path.is_symlink() {
            fs::remove_file(&path).expect("removes");
        }
        symlink(target, path).expect("links");
    }

    /// What its first process sees is not set yet.
    fn machine(namespace: &str, first: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "proc/1/comm", &format!("{first}\n"));
        fs::create_dir_all(folder.path().join("dev/pts")).expect("folders");
        link(folder.path(), "proc/self/ns/pid", namespace);
        folder
    }

    /// The first process sees the same files.
    fn shares_files(folder: &Path) {
        link(folder, "proc/1/root", "../..");
    }

    /// The first process may not be looked at: a link that cannot be followed is no absent one either.
    fn hides_files(folder: &Path) {
        link(folder, "proc/1/root", "root");
    }

    fn shares_other_namespaces(folder: &Path) {
        for (path, first) in FIRST_OF_OTHERS {
            link(folder, path, first);
        }
    }

    fn sees(folder: &Path) -> Result<(), Unreadable> {
        check(&Root::open(folder).expect("opens"), &mut Vec::new())
    }

    fn reason(folder: &Path) -> String {
        sees(folder).expect_err("not the host").reason()
    }

    #[test]
    fn s10_a_machine_sees_its_people() {
        // The second has an init of its own making.
        for first in ["systemd", "sh"] {
            let machine = machine(FIRST_NAMESPACE, first);
            shares_files(machine.path());
            sees(machine.path()).expect("it is the host");
        }
    }

    #[test]
    fn s10_without_the_capability_a_machine_sees_its_people_as_well() {
        let machine = machine(FIRST_NAMESPACE, "systemd");
        hides_files(machine.path());
        shares_other_namespaces(machine.path());
        sees(machine.path()).expect("it is the host");
    }

    #[test]
    fn s10_a_container_does_not_see_the_hosts_people() {
        let container = machine("pid:[4026532198]", "snooze-collecto");
        shares_files(container.path());
        assert!(reason(container.path()).contains("container"));
        // logind's files may lie in an image where nothing runs that keeps them.
        write(container.path(), LOGIND, "");
        assert!(sees(container.path()).is_err());
    }

    #[test]
    fn s10_a_system_container_is_a_machine_of_its_own() {
        let container = machine("pid:[4026532198]", "systemd");
        shares_files(container.path());
        assert!(sees(container.path()).is_err(), "without logind nobody logs in");
        write(container.path(), LOGIND, "");
        sees(container.path()).expect("it is what its owner calls the host");
    }

    #[test]
    fn s10_the_hosts_processes_with_a_containers_terminals_are_not_enough() {
        let container = machine(FIRST_NAMESPACE, "systemd");
        shares_other_namespaces(container.path());
        // `/proc` of this very machine is another file system than the fixture's.
        fs::create_dir_all(container.path().join("proc/1/root/dev")).expect("folders");
        link(container.path(), "proc/1/root/dev/pts", "/proc");
        let why = reason(container.path());
        assert!(why.contains("terminals seen here are not the host's"), "{why}");
        fs::remove_dir(container.path().join("dev/pts")).expect("removes");
        let why = reason(container.path());
        assert!(why.contains("terminals seen here are not the host's"), "{why}");
    }

    #[test]
    fn s10_the_hosts_processes_beside_terminals_that_nothing_tells_of_are_not_enough() {
        for (path, first) in FIRST_OF_OTHERS {
            let container = machine(FIRST_NAMESPACE, "systemd");
            hides_files(container.path());
            shares_other_namespaces(container.path());
            let (kind, _) = first.split_once(':').expect("kind and number");
            link(container.path(), path, &format!("{kind}:[4026532199]"));
            let why = reason(container.path());
            assert!(why.contains("CAP_SYS_PTRACE"), "{path}: {why}");
        }
    }

    #[test]
    fn s10_where_nothing_tells_it_is_unknown() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(sees(folder.path()).is_err());
        let machine = machine(FIRST_NAMESPACE, "systemd");
        hides_files(machine.path());
        assert!(reason(machine.path()).contains("proc/self/ns/cgroup"));
    }
}
