//! Which processes there are, who started whom, and which of them is still the one that was meant.
//!
//! A number alone may be a stranger's by then: with its time of birth it is known for good. It signals nobody by
//! a number. What is found is what `/proc` shows: a process whose parent has ended is nobody's child any more.

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{collections::BTreeMap, fs, path::Path};

/// So often it is looked for children of those that were stopped: each time all that are seen are stopped, and
/// who is stopped starts nobody.
const ROUNDS: u32 = 16;

/// A process that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its number.
    pub id: i32,
    /// Who started it.
    pub parent: i32,
    /// Its group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Clock ticks since the boot.
    pub born_at: u64,
}

/// The process of this number.
#[must_use]
pub(crate) fn shown(id: i32) -> Option<Shown> {
    found(id).and_then(|(one, state)| (state == State::Runs).then_some(one))
}

/// All of them.
pub(crate) fn all_shown() -> impl Iterator<Item = Shown> {
    numbers_in(Path::new("/proc")).into_iter().filter_map(shown)
}

/// Whether it runs, or waits for its parent to ask how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not ended.
    Runs,
    /// It has.
    Ended,
}

/// The process of this number, also where it has ended and waits for its parent.
#[must_use]
pub(crate) fn found(id: i32) -> Option<(Shown, State)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything. From the state on, proc(5): 3 state, 4 parent, 5 group,
    // 6 session, 20 threads, 22 birth.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let threads: u32 = fields.get(17)?.parse().ok()?;
    let state = match *fields.first()? {
        // The state is its first thread's, which may end before the others.
        "Z" | "X" if threads <= 1 => State::Ended,
        _ => State::Runs,
    };
    let one = Shown {
        id,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        born_at: fields.get(19)?.parse().ok()?,
    };
    Some((one, state))
}

/// The children of a process, also those that have ended: by the kernel's own list, where it keeps one.
#[must_use]
pub(crate) fn listed_children(id: i32) -> Option<Vec<i32>> {
    let mut children = Vec::new();
    let tasks = format!("/proc/{id}/task");
    for task in numbers_in(Path::new(&tasks)) {
        match fs::read_to_string(format!("{tasks}/{task}/children")) {
            Ok(list) => children.extend(
                list.split_ascii_whitespace()
                    .filter_map(|id| id.parse::<i32>().ok()),
            ),
            // A thread that has ended has none; a kernel without these lists has them for no thread.
            Err(_) if fs::exists(format!("{tasks}/{task}")).unwrap_or(false) => return None,
            Err(_) => {}
        }
    }
    Some(children)
}

/// The same, where every process of the machine has to be looked at.
#[must_use]
pub(crate) fn children(id: i32) -> Vec<i32> {
    listed_children(id).unwrap_or_else(|| {
        let all = numbers_in(Path::new("/proc")).into_iter();
        all.filter(|one| found(*one).is_some_and(|(one, _)| one.parent == id))
            .collect()
    })
}

fn numbers_in(folder: &Path) -> Vec<i32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Ends a process and all that descend from it, in whatever groups and sessions they are.
pub(crate) fn end_tree(root: Shown) {
    end_trees(&[root]);
}

/// The same of several: every process of the machine is looked at but once for all of them.
pub(crate) fn end_trees(roots: &[Shown]) {
    let mut stopped: BTreeMap<i32, Shown> = roots.iter().map(|root| (root.id, *root)).collect();
    for root in roots {
        signal(root, Signal::STOP);
    }
    for _ in 0..ROUNDS {
        let all: Vec<Shown> = all_shown().collect();
        let before = stopped.len();
        // Children may be listed before their parents.
        loop {
            let known = stopped.len();
            for one in &all {
                if stopped.contains_key(&one.parent) && !stopped.contains_key(&one.id) {
                    signal(one, Signal::STOP);
                    stopped.insert(one.id, *one);
                }
            }
            if stopped.len() == known {
                break;
            }
        }
        if stopped.len() == before {
            break;
        }
    }
    for one in stopped.values() {
        signal(one, Signal::KILL);
    }
}

/// Signals the process that was meant, and nobody else who has its number by now.
fn signal(meant: &Shown, signal: Signal) {
    let Some(process) = Pid::from_raw(meant.id).and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok())
    else {
        return;
    };
    if shown(meant.id).is_none_or(|found| found.born_at != meant.born_at) {
        return;
    }
    match pidfd_send_signal(process, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::error!(process = meant.id, %error, "a plugin's process cannot be ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn who_only_has_the_number_is_not_meant() {
        let [mut stranger, mut meant] = [crate::process::sleeper(), crate::process::sleeper()];
        let found = |child: &std::process::Child| shown(child.id().cast_signed()).expect("it is there");
        assert_eq!(found(&stranger).parent, std::process::id().cast_signed());
        let earlier = Shown {
            born_at: found(&stranger).born_at - 1,
            ..found(&stranger)
        };
        end_tree(earlier);
        end_tree(found(&meant));
        // The first signal that ends it is the one that is told, and a stopped one would not end by this one.
        let id = Pid::from_raw(earlier.id).expect("a number");
        rustix::process::kill_process(id, Signal::TERM).expect("it is there");
        let ended_by = |child: &mut std::process::Child| child.wait().expect("it is ours").signal();
        assert_eq!(ended_by(&mut stranger), Some(Signal::TERM.as_raw()));
        assert_eq!(ended_by(&mut meant), Some(Signal::KILL.as_raw()));
    }
}
