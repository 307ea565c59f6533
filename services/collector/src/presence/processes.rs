//! The processes that matter here, found without reading every command line every time.
//!
//! A process is told from a later one with the same number by the inode of its folder in `/proc`. A command
//! line is read when a process is new, at the next look once more, since a process that was just forked
//! still has its parent's, and all of them once a minute, since a process may become another program
//! at any time. While no process was started in between, nothing is read at all.

use super::programs::{self, Program};
use crate::{Root, Unreadable};
use snooze_service_runtime::clocks::Look;
use std::collections::HashMap;

/// How long a process that became another program may go unnoticed.
const READ_AGAIN_MS: u64 = 60_000;

/// The kernel's number of the last process that was started stands at the end of this file.
const LAST_PROCESS: &str = "proc/loadavg";

/// A process with a program that people work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) program: Program,
}

/// What is remembered of all processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    known: HashMap<u32, Known>,
    found: Vec<Process>,
    /// Valid for the last look; none where it must not be relied on.
    last_process: Option<u32>,
    read_all_at: Option<u64>,
    buffer: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    inode: u64,
    looks: u8,
    program: Option<Program>,
}

impl Processes {
    /// Looks at all processes. Some of those found may have ended meanwhile.
    pub(super) fn look(&mut self, root: &Root, at: Look) -> Result<&[Process], Unreadable> {
        if root.stat("proc/1").is_err() {
            return Err(Unreadable::ProcessesHidden {
                why: "/proc/1 cannot be seen",
            });
        }
        // Read before the folder is: a process that starts in between is seen at the next look.
        let last_process = last_process(root, &mut self.buffer);
        let all = self
            .read_all_at
            .is_none_or(|read| at.boottime_ms.saturating_sub(read) >= READ_AGAIN_MS);
        if !all && last_process.is_some() && last_process == self.last_process {
            return Ok(&self.found);
        }
        self.last_process = None;
        if all {
            self.known.clear();
        }
        let is_settled = self.scan(root)?;
        if all {
            self.read_all_at = Some(at.boottime_ms);
        }
        self.last_process = last_process.filter(|_| is_settled);
        Ok(&self.found)
    }

    /// Reads what is new, and returns whether every command line was read twice.
    fn scan(&mut self, root: &Root) -> Result<bool, Unreadable> {
        let mut known = HashMap::with_capacity(self.known.len());
        let (mut found, mut is_settled) = (Vec::new(), true);
        for entry in root.list("proc")? {
            let Ok(pid) = entry.name.parse::<u32>() else {
                continue;
            };
            let before = self.known.get(&pid);
            let before = before.filter(|before| before.inode == entry.inode).copied();
            let now = match before {
                Some(before) if before.looks >= 2 => before,
                before => {
                    let looks = before.map_or(1, |before| before.looks + 1);
                    match root.bytes(&format!("proc/{pid}/cmdline"), &mut self.buffer) {
                        Ok(line) => Known {
                            inode: entry.inode,
                            looks,
                            program: programs::of(line),
                        },
                        Err(error) if error.is_absent() => continue,
                        Err(error) => return Err(error),
                    }
                }
            };
            is_settled &= now.looks >= 2;
            if let Some(program) = now.program {
                found.push(Process { pid, program });
            }
            known.insert(pid, now);
        }
        self.known = known;
        self.found = found;
        Ok(is_settled)
    }
}

/// The number of the last process that was started; nothing where the file does not count them, as gVisor's.
fn last_process(root: &Root, buffer: &mut Vec<u8>) -> Option<u32> {
    let text = root.text(LAST_PROCESS, buffer).ok()?;
    let number = text.split_ascii_whitespace().nth(4)?.parse().ok()?;
    (number > 0).then_some(number)
}

/// What `/proc/<pid>/stat` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    /// The program's short name.
    pub(super) name: String,
    /// Its parent.
    pub(super) parent: u32,
    /// The process that leads its session.
    pub(super) session: u32,
    /// Its controlling terminal, below `/dev`.
    pub(super) terminal: Option<String>,
    /// CPU time used, in ticks.
    pub(super) ticks: u64,
    /// When it started, in ticks after the boot.
    pub(super) started: u64,
}

/// Reads the status of one process; nothing where it ended meanwhile.
pub(super) fn status(root: &Root, pid: u32, buffer: &mut Vec<u8>) -> Result<Option<Status>, Unreadable> {
    let path = format!("proc/{pid}/stat");
    match root.bytes(&path, buffer) {
        Ok(bytes) => parse_status(&String::from_utf8_lossy(bytes))
            .map(Some)
            .ok_or_else(|| Unreadable::malformed(&path, "too few fields")),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse_status(text: &str) -> Option<Status> {
    // The name is in parentheses and may hold both spaces and parentheses: the last one ends it.
    let (start, rest) = text.rsplit_once(')')?;
    let (_, name) = start.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc_pid_stat(5) counts from 1 and this starts at field 3.
    let field = |number: usize| fields.get(number - 3);
    let number = |at: usize| field(at)?.parse::<u64>().ok();
    Some(Status {
        name: name.to_owned(),
        parent: field(4)?.parse().ok()?,
        session: field(6)?.parse().ok()?,
        terminal: field(7)?.parse::<i64>().ok().and_then(terminal),
        ticks: number(14)?.saturating_add(number(15)?),
        started: number(22)?,
    })
}

/// The terminal with this device number, as the kernel packs it (new_encode_dev).
fn terminal(number: i64) -> Option<String> {
    // The field is a signed integer of 32 bits.
    let number = u64::from(u32::try_from(number).ok()?);
    let (major, minor) = (
        (number >> 8) & 0xfff,
        (number & 0xff) | ((number >> 12) & 0xf_ff00),
    );
    match major {
        136..=143 => Some(format!("pts/{}", (major - 136) * 256 + minor)),
        4 if minor < 64 => Some(format!("tty{minor}")),
        4 => Some(format!("ttyS{}", minor - 64)),
        204 if minor >= 64 => Some(format!("ttyAMA{}", minor - 64)),
        229 => Some(format!("hvc{minor}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASH: &str =
        "4242 (ba) (sh) S 4200 4242 4242 34817 4242 4194304 1 2 3 4 50 7 0 0 20 0 1 0 9000 1 2 3\n";

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let status = parse_status(BASH).expect("parses");
        assert_eq!(status.name, "ba) (sh");
        assert_eq!(
            (status.parent, status.session, status.ticks, status.started),
            (4200, 4242, 57, 9000)
        );
        assert_eq!(status.terminal.as_deref(), Some("pts/1"));
    }

    #[test]
    fn the_terminal_is_found_by_its_device_number() {
        let packed = |major: i64, minor: i64| (major << 8) | (minor & 0xff) | ((minor & 0xf_ff00) << 12);
        assert_eq!(terminal(packed(136, 0)).as_deref(), Some("pts/0"));
        assert_eq!(terminal(packed(136, 300)).as_deref(), Some("pts/300"));
        assert_eq!(terminal(packed(137, 1)).as_deref(), Some("pts/257"));
        assert_eq!(terminal(packed(4, 1)).as_deref(), Some("tty1"));
        assert_eq!(terminal(packed(4, 64)).as_deref(), Some("ttyS0"));
        assert_eq!(terminal(0), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\(|\\)| |-?[0-9]{0,25}|.){0,60}") {
            prop_assert!(parse_status(&text).is_none_or(|status| text.contains(&status.name)));
        }
    }
}
