//! Notebooks: whether anybody ran or saved something lately.
//!
//! A browser tab stays connected over night, so a connection alone is no sign of life. Signs are: a
//! kernel that started, a kernel that used more CPU time than its idle chatter, a cell that was run
//! (IPython writes it to its history), and a notebook that was saved (Jupyter writes its signature).
//!
//! The last two are files in the user's home. It is looked up as the user's own process sees it, through
//! `/proc/<pid>/root`, so that a notebook in a container is judged by the container's home. A home that
//! cannot be found or read tells nothing, and that is unknown and not "never".

use super::processes::{self, Process, Status};
use crate::{
    Root, Unreadable,
    unreadable::{READ_ANY_FILE, SEE_ANY_PROCESS},
};
use snooze_service_runtime::clocks::Look;
use std::collections::HashMap;

/// Clock ticks a second; the kernel's user interface has had this number on every architecture for decades.
const TICKS_PER_SECOND: u64 = 100;

/// An idle kernel was seen to use 0.3 % of a core for its own chatter.
const CHATTER_PERCENT: u64 = 2;

/// Files below a home folder that are written when a cell is run or a notebook saved.
const TRACES: [&str; 2] = [
    ".ipython/profile_default/history.sqlite",
    ".local/share/jupyter/nbsignatures.db",
];

/// What is remembered of the kernels.
#[derive(Debug, Default)]
pub(super) struct Notebooks {
    kernels: HashMap<(u32, u64), Kernel>,
}

#[derive(Debug, Clone, Copy)]
struct Kernel {
    ticks: u64,
    looked_at: u64,
    active_at: u64,
}

impl Notebooks {
    /// When any of these kernels was used last, going by its CPU time; 0 for never.
    ///
    /// To be asked at every look, also with nobody connected: it compares each look with the one before.
    pub(super) fn computed_at(
        &mut self,
        root: &Root,
        at: Look,
        kernels: &[Process],
        buffer: &mut Vec<u8>,
    ) -> Result<u64, Unreadable> {
        let (mut newest, mut seen) = (0, HashMap::new());
        for process in kernels {
            let Some(status) = processes::status(root, process.pid, buffer)? else {
                continue;
            };
            let key = (process.pid, status.started);
            let kernel = look(self.kernels.get(&key), &status, at.boottime_ms);
            newest = newest.max(kernel.active_at);
            seen.insert(key, kernel);
        }
        self.kernels = seen;
        Ok(newest)
    }
}

/// When the users of these servers and kernels last ran or saved something; 0 for never.
///
/// # Errors
/// When a user's home cannot be found or read.
pub(super) fn saved_at(
    root: &Root,
    at: Look,
    processes: &[Process],
    buffer: &mut Vec<u8>,
) -> Result<u64, Unreadable> {
    let mut newest = 0;
    for process in processes {
        match traces_of(root, at, process.pid, buffer) {
            Ok(written_at) => newest = newest.max(written_at),
            // It ended meanwhile.
            Err(_) if !root.exists(&format!("proc/{}", process.pid)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}

/// When the traces in the home of a process's user were written last; 0 where there are none.
fn traces_of(root: &Root, at: Look, pid: u32, buffer: &mut Vec<u8>) -> Result<u64, Unreadable> {
    let user = root.stat(&format!("proc/{pid}"))?.st_uid;
    let view = format!("proc/{pid}/root");
    root.stat(&view).map_err(|error| error.needing(SEE_ANY_PROCESS))?;
    let users = match root.bytes(&format!("{view}/etc/passwd"), buffer) {
        Ok(bytes) => String::from_utf8_lossy(bytes),
        Err(error) if error.is_absent() => return Err(Unreadable::Home { user }),
        Err(error) => return Err(error.needing(READ_ANY_FILE)),
    };
    let home = home_of(user, &users).ok_or(Unreadable::Home { user })?;
    match root.stat(&format!("{view}/{home}")) {
        Ok(_) => {}
        Err(error) if error.is_absent() => return Err(Unreadable::Home { user }),
        Err(error) => return Err(error.needing(READ_ANY_FILE)),
    }
    let mut newest = 0;
    for trace in TRACES {
        newest = newest.max(written_at(root, &format!("{view}/{home}/{trace}"), at)?);
    }
    Ok(newest)
}

/// The home of a user, without its leading slash, as passwd(5) has it.
fn home_of(user: u32, users: &str) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let number = fields.nth(2)?.parse::<u32>().ok()?;
        let home = fields.nth(2)?.trim_start_matches('/');
        (number == user && !home.is_empty()).then_some(home)
    })
}

/// When a file was written, on the boot's clock; 0 where there is none.
fn written_at(root: &Root, path: &str, at: Look) -> Result<u64, Unreadable> {
    match root.stat(path) {
        Ok(stat) => {
            #[expect(clippy::useless_conversion, reason = "its type differs between architectures")]
            let seconds = i64::from(stat.st_mtime);
            let age_ms = at
                .wall
                .as_millisecond()
                .saturating_sub(seconds.saturating_mul(1_000));
            Ok(at.boottime_ms.saturating_sub(u64::try_from(age_ms).unwrap_or(0)))
        }
        Err(error) if error.is_absent() => Ok(0),
        Err(error) => Err(error.needing(READ_ANY_FILE)),
    }
}

fn look(before: Option<&Kernel>, status: &Status, now: u64) -> Kernel {
    let started_at = status.started.saturating_mul(1_000) / TICKS_PER_SECOND;
    let (ticks, looked_at) = (status.ticks, now);
    let Some(before) = before else {
        return Kernel {
            ticks,
            looked_at,
            active_at: started_at.min(now),
        };
    };
    let used_ms = ticks.saturating_sub(before.ticks).saturating_mul(1_000) / TICKS_PER_SECOND;
    let passed_ms = now.saturating_sub(before.looked_at);
    // One tick within a short interval is chatter too, whatever its share.
    let busy = used_ms > 1_000 / TICKS_PER_SECOND && used_ms * 100 > passed_ms * CHATTER_PERCENT;
    Kernel {
        ticks,
        looked_at,
        active_at: if busy { now } else { before.active_at },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(ticks: u64) -> Status {
        Status {
            name: "python3".to_owned(),
            parent: 1,
            session: 1,
            terminal: None,
            ticks,
            started: 500,
        }
    }

    #[test]
    fn s10_a_kernel_that_computes_is_alive_and_its_chatter_is_not() {
        let first = look(None, &status(100), 60_000);
        assert_eq!(first.active_at, 5_000, "when it started");
        let idle = look(Some(&first), &status(103), 70_000);
        assert_eq!(idle.active_at, 5_000);
        let busy = look(Some(&idle), &status(303), 80_000);
        assert_eq!(busy.active_at, 80_000);
        assert_eq!(look(Some(&busy), &status(303), 90_000).active_at, 80_000);
    }

    #[test]
    fn a_home_is_found_by_its_users_number() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nada:x:1000:100::/home/ada:/bin/sh\nno:x:7:7:::/bin/false\n";
        assert_eq!(home_of(1000, users), Some("home/ada"));
        assert_eq!(home_of(0, users), Some("root"));
        assert_eq!(home_of(7, users), None, "a user without a home");
        assert_eq!(home_of(100, users), None, "a group is no user");
    }
}
