//! How everything in a control group is ended: by the kernel's one word for it, or one process after another.
//!
//! It never signals by a number alone, which may be a stranger's by then.

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{collections::HashSet, fs, io, path::Path};

/// Who is in a group, one number a line.
const MEMBERS: &str = "cgroup.procs";
/// The word that ends all of them, since Linux 5.14.
const KILL: &str = "cgroup.kill";
/// The word that stops them, since Linux 5.2: nobody who is stopped starts others.
const FREEZE: &str = "cgroup.freeze";
/// So often its members are looked at. Each round ends all that it sees, so that even without freezing only
/// what is started within a round is left for the next one.
const ROUNDS: u32 = 64;

/// What the kernel has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// One word.
    AtOnce,
    /// Its members can be read.
    OneByOne,
}

impl Ending {
    /// What there is in this group, and so in those below. Nothing where neither is.
    pub(super) fn in_group(folder: &Path) -> Option<Ending> {
        if folder.join(KILL).exists() {
            Some(Self::AtOnce)
        } else if folder.join(MEMBERS).exists() {
            Some(Self::OneByOne)
        } else {
            None
        }
    }

    /// Ends all that is in it. What was killed may take a moment to be gone.
    pub(super) fn end(self, folder: &Path) -> io::Result<()> {
        match self {
            Self::AtOnce => fs::write(folder.join(KILL), "1"),
            Self::OneByOne => one_by_one(folder),
        }
    }

    /// Lets a group that is used again run.
    pub(super) fn ready(self, folder: &Path) -> io::Result<()> {
        match self {
            Self::OneByOne if folder.join(FREEZE).exists() => fs::write(folder.join(FREEZE), "0"),
            Self::OneByOne | Self::AtOnce => Ok(()),
        }
    }
}

fn one_by_one(folder: &Path) -> io::Result<()> {
    // What is killed while it is frozen ends all the same.
    if folder.join(FREEZE).exists() {
        fs::write(folder.join(FREEZE), "1")?;
    }
    for _ in 0..ROUNDS {
        let found: Vec<_> = members(folder)?
            .into_iter()
            .filter_map(|id| Some((id, pidfd_open(id, PidfdFlags::empty()).ok()?)))
            .collect();
        // Whoever is still in it was there when it was opened: a number is given anew only after its end.
        let still = members(folder)?;
        let mut left = false;
        for (_, process) in found.iter().filter(|(id, _)| still.contains(id)) {
            match pidfd_send_signal(process, Signal::KILL) {
                Ok(()) => left = true,
                Err(Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !left && still.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

fn members(folder: &Path) -> io::Result<HashSet<Pid>> {
    let listed = fs::read_to_string(folder.join(MEMBERS))?;
    Ok(listed
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_has_is_seen_in_a_group() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Ending::in_group(folder.path()), None);
        fs::write(folder.path().join(MEMBERS), "").expect("writes");
        assert_eq!(Ending::in_group(folder.path()), Some(Ending::OneByOne));
        fs::write(folder.path().join(KILL), "").expect("writes");
        assert_eq!(Ending::in_group(folder.path()), Some(Ending::AtOnce));
    }

    #[test]
    fn without_the_word_that_ends_all_each_is_ended_and_nobody_is_left_frozen() {
        let group = tempfile::tempdir().expect("a folder");
        let mut members: Vec<_> = (0..3).map(|_| crate::process::sleeper()).collect();
        let mut stranger = crate::process::sleeper();
        let ids: String = members
            .iter()
            .map(|member| format!("{}\n", member.id()))
            .collect();
        fs::write(group.path().join(MEMBERS), ids).expect("writes");
        fs::write(group.path().join(FREEZE), "0").expect("writes");
        let read = || fs::read_to_string(group.path().join(FREEZE)).expect("reads");
        Ending::OneByOne.end(group.path()).expect("each can be ended");
        for member in &mut members {
            let ended = member.wait().expect("it is ours");
            assert!(!ended.success());
        }
        assert_eq!(read(), "1", "nobody starts others meanwhile");
        Ending::OneByOne.ready(group.path()).expect("it can be written");
        assert_eq!(read(), "0");
        assert_eq!(stranger.try_wait().expect("it is ours"), None);
        stranger.kill().expect("it is ours");
        stranger.wait().expect("it is ours");
    }

    #[test]
    fn a_group_of_this_kernel_is_ended_one_by_one_as_at_once() {
        use super::super::{ControlGroupRoot, ControlGroups};
        let groups = match ControlGroups::prepare(&ControlGroupRoot::Own, "0000000e".to_owned()) {
            Ok(groups) => groups,
            Err(why) => {
                let said = [
                    "not mounted",
                    "not delegated",
                    "cannot be made",
                    "not the runner's",
                    "cannot leave",
                ];
                assert!(said.iter().any(|said| why.contains(said)), "{why}");
                return;
            }
        };
        let plugin = "ended".parse().expect("a name");
        for ending in [Some(Ending::OneByOne), Ending::in_group(&groups.folder)]
            .into_iter()
            .flatten()
        {
            let group = groups.group_of(&plugin, &Default::default()).expect("it is made");
            let mut members: Vec<_> = (0..3).map(|_| crate::process::sleeper()).collect();
            for member in &members {
                fs::write(group.folder().join(MEMBERS), member.id().to_string()).expect("it can be joined");
            }
            ending.end(group.folder()).expect("it can be");
            for member in &mut members {
                assert!(!member.wait().expect("it is ours").success());
            }
            drop(group);
        }
    }
}
