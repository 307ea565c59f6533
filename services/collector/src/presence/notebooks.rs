//! Notebooks: whether anybody ran or saved something lately.
//!
//! A browser tab stays connected over night, so a connection alone is no sign of life. Signs are: a
//! kernel that started, a kernel that used more CPU time than its idle chatter, a cell that was run
//! (IPython writes it to its history), and a notebook that was saved (Jupyter writes its signature).

use super::processes::{self, Process, Status};
use crate::{Root, Unreadable};
use snooze_service_runtime::clocks::Look;
use std::{collections::HashMap, time::Duration};

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
    /// When anything was done last in one of these kernels or in their users' notebooks; 0 for never.
    pub(super) fn active_at(
        &mut self,
        root: &Root,
        at: Look,
        kernels: &[Process],
        buffer: &mut Vec<u8>,
    ) -> Result<u64, Unreadable> {
        let (mut newest, mut seen, mut users) = (0, HashMap::new(), Vec::new());
        for process in kernels {
            let Some(status) = processes::status(root, process.pid, buffer)? else {
                continue;
            };
            let key = (process.pid, status.started);
            let kernel = look(self.kernels.get(&key), &status, at.boottime_ms);
            newest = newest.max(kernel.active_at);
            seen.insert(key, kernel);
            if let Ok(stat) = root.stat(&format!("proc/{}", process.pid)) {
                users.push(stat.st_uid);
            }
        }
        self.kernels = seen;
        users.sort_unstable();
        users.dedup();
        for home in homes(root, &users, buffer)? {
            for trace in TRACES {
                newest = newest.max(written_at(root, &format!("{home}/{trace}"), at)?);
            }
        }
        Ok(newest)
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

fn homes(root: &Root, users: &[u32], buffer: &mut Vec<u8>) -> Result<Vec<String>, Unreadable> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let text = match root.bytes("etc/passwd", buffer) {
        Ok(bytes) => String::from_utf8_lossy(bytes),
        Err(error) if error.is_absent() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let user = fields.nth(2)?.parse::<u32>().ok()?;
            let home = fields.nth(2)?.trim_start_matches('/');
            (users.contains(&user) && !home.is_empty()).then(|| home.to_owned())
        })
        .collect())
}

/// When a file was written, on the boot's clock; 0 where there is none.
fn written_at(root: &Root, path: &str, at: Look) -> Result<u64, Unreadable> {
    match root.stat(path) {
        Ok(stat) => {
            #[expect(clippy::useless_conversion, reason = "its type differs between architectures")]
            let seconds = i64::from(stat.st_mtime);
            let age = at
                .wall
                .as_millisecond()
                .saturating_sub(seconds.saturating_mul(1_000));
            let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
            Ok(at
                .boottime_ms
                .saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)))
        }
        // A home that this process may not enter tells nothing; the kernel's CPU time still does.
        Err(Unreadable::Read { source, .. })
            if matches!(
                source.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(0)
        }
        Err(error) => Err(error),
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
}
