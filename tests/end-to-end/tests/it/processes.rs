//! Who runs on this machine, as `/proc` says.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;

/// A process, told apart from a later one with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: u32,
    pub(crate) name: String,
    parent: u32,
    state: char,
    started: u64,
}

/// Everybody below a process, near and far.
pub(crate) fn below(id: u32) -> Vec<Seen> {
    let all = all();
    let mut found: Vec<Seen> = Vec::new();
    let mut parents = vec![id];
    while let Some(parent) = parents.pop() {
        for seen in all.iter().filter(|seen| seen.parent == parent) {
            parents.push(seen.id);
            found.push(seen.clone());
        }
    }
    found
}

/// Those of them whose command line holds this text.
pub(crate) fn called(of: &[Seen], text: &str) -> Vec<u32> {
    let says = |id: u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    };
    of.iter().map(|seen| seen.id).filter(|id| says(*id)).collect()
}

/// Those of them that still run; one that only waits for its parent to look has ended.
pub(crate) fn left(of: &[Seen]) -> Vec<Seen> {
    let is_same = |now: &Seen, then: &Seen| (now.id, now.started) == (then.id, then.started);
    all()
        .into_iter()
        .filter(|now| now.state != 'Z' && of.iter().any(|then| is_same(now, then)))
        .collect()
}

/// Sends a signal to a process that a test started, or that one of those started.
pub(crate) fn signal(id: u32, signal: Signal) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process has an id"), signal).expect("it runs");
}

fn all() -> Vec<Seen> {
    fs::read_dir("/proc")
        .expect("tests run on Linux")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(seen)
        .collect()
}

/// `proc_pid_stat(5)`; nothing where it ended meanwhile.
fn seen(id: u32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    Some(Seen {
        id,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}
