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
//! `/dev`. Where that process may not be looked at, they are taken to be.

use crate::{Root, Unreadable};

/// `PROC_PID_INIT_INO` of Linux's include/linux/proc_ns.h: the first process namespace, on every kernel.
const FIRST_NAMESPACE: &str = "pid:[4026531836]";

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
    let theirs = root.stat("proc/1/root/dev/pts");
    if let (Ok(theirs), Ok(ours)) = (theirs, root.stat("dev/pts"))
        && theirs.st_dev != ours.st_dev
    {
        return Err(Unreadable::Contained {
            why: "the terminals seen here are not the host's, though its processes are: \
                  run the collector on the host",
        });
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

    fn machine(namespace: &str, first: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "proc/1/comm", &format!("{first}\n"));
        fs::create_dir_all(folder.path().join("proc/self/ns")).expect("folders");
        fs::create_dir_all(folder.path().join("dev/pts")).expect("folders");
        symlink(namespace, folder.path().join("proc/self/ns/pid")).expect("links");
        folder
    }

    fn sees(folder: &Path) -> Result<(), Unreadable> {
        check(&Root::open(folder).expect("opens"), &mut Vec::new())
    }

    #[test]
    fn s10_a_machine_sees_its_people() {
        sees(machine(FIRST_NAMESPACE, "systemd").path()).expect("it is the host");
        sees(machine(FIRST_NAMESPACE, "sh").path()).expect("a machine with an init of its own making");
    }

    #[test]
    fn s10_a_container_does_not_see_the_hosts_people() {
        let container = machine("pid:[4026532198]", "snooze-collecto");
        let error = sees(container.path()).expect_err("not the host");
        assert!(error.reason().contains("container"), "{}", error.reason());
        // logind's files may lie in an image where nothing runs that keeps them.
        write(container.path(), LOGIND, "");
        assert!(sees(container.path()).is_err());
    }

    #[test]
    fn s10_a_system_container_is_a_machine_of_its_own() {
        let container = machine("pid:[4026532198]", "systemd");
        assert!(sees(container.path()).is_err(), "without logind nobody logs in");
        write(container.path(), LOGIND, "");
        sees(container.path()).expect("it is what its owner calls the host");
    }

    #[test]
    fn s10_the_hosts_processes_with_a_containers_terminals_are_not_enough() {
        let folder = machine(FIRST_NAMESPACE, "systemd");
        // `/proc` of this very machine is another file system than the fixture's.
        fs::create_dir_all(folder.path().join("proc/1/root/dev")).expect("folders");
        symlink("/proc", folder.path().join("proc/1/root/dev/pts")).expect("links");
        let error = sees(folder.path()).expect_err("not the host's terminals");
        assert!(error.reason().contains("terminals"), "{}", error.reason());
    }

    #[test]
    fn where_nothing_tells_it_is_unknown() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(sees(folder.path()).is_err());
    }
}
