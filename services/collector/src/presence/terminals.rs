//! Terminals: when somebody last typed at each of them.
//!
//! Source: the access time of the terminal's device, which the kernel moves when a program *reads* what
//! was typed there (drivers/tty/tty_io.c, to eight seconds) and which `w` and logind use for the same
//! purpose. Output moves only the modification time and is not input: a log that scrolls by is nobody.
//! Looked at are `/dev/pts/*` (SSH, mosh, tmux and screen with their panes, terminals of desktops and of
//! IDEs), `/dev/tty<n>` (consoles), and `/dev/ttyS<n>`, `/dev/ttyAMA<n>`, `/dev/hvc<n>` (serial consoles).

use super::consoles::{Consoles, is_number};
use crate::{Root, Unreadable};
use snooze_service_runtime::clocks::Look;
use std::collections::BTreeMap;

/// What was seen of the terminals so far.
///
/// The kernel gives times of day, which may jump. So only a *change* of such a time is trusted, and is
/// placed between the two looks that saw it: a clock that is set cannot make anybody idle or busy,
/// except at the very first look, which has nothing else to go by.
#[derive(Debug, Default)]
pub(super) struct Terminals {
    /// By their path below the root, as `dev/pts/3`.
    seen: BTreeMap<String, Seen>,
    consoles: Consoles,
    last_look: Option<u64>,
    newest: u64,
    looks: u64,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    accessed: (i64, i64),
    times: Times,
    active_at: u64,
    look: u64,
}

/// Whether a terminal's times say more than when its device was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// Access, modification and change are one time: nothing was read or written there since.
    OfItsMaking,
    /// It was used.
    OfUse,
}

/// A terminal, and when somebody last typed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Active {
    /// Its name, as `pts/3`.
    pub(super) name: String,
    /// In ms since the boot; 0 where nobody did.
    pub(super) active_at: u64,
    /// What that goes by.
    pub(super) times: Times,
}

impl Terminals {
    /// Looks at all of them.
    pub(super) fn look(&mut self, root: &Root, at: Look) -> Result<(), Unreadable> {
        self.consoles.refresh(root)?;
        let pts = root.list_if_any("dev/pts")?;
        let pts = pts.into_iter().filter(|entry| is_number(&entry.name));
        self.looks += 1;
        let consoles = std::mem::take(&mut self.consoles.paths);
        let looked = consoles
            .iter()
            .try_for_each(|path| self.look_at(root, path, at))
            .and_then(|()| {
                pts.map(|entry| format!("dev/pts/{}", entry.name))
                    .try_for_each(|path| self.look_at(root, &path, at))
            });
        self.consoles.paths = consoles;
        looked?;
        self.seen.retain(|_, seen| seen.look == self.looks);
        self.last_look = Some(at.boottime_ms);
        Ok(())
    }

    /// The terminals of the last look.
    pub(super) fn active(&self) -> impl Iterator<Item = Active> {
        self.seen.iter().map(|(path, seen)| Active {
            name: path.trim_start_matches("dev/").to_owned(),
            active_at: seen.active_at,
            times: seen.times,
        })
    }

    /// The last input at any terminal, also one that is gone by now; 0 where there was none since the boot.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    fn look_at(&mut self, root: &Root, path: &str, at: Look) -> Result<(), Unreadable> {
        let stat = match root.stat(path) {
            Ok(stat) => stat,
            Err(error) if error.is_absent() => return Ok(()),
            Err(error) => return Err(error),
        };
        let [accessed, modified, changed] = times(&stat);
        let (look, times) = (
            self.looks,
            if accessed == modified && accessed == changed {
                Times::OfItsMaking
            } else {
                Times::OfUse
            },
        );
        match self.seen.get_mut(path) {
            Some(seen) if seen.accessed == accessed => {
                (seen.look, seen.times) = (look, times);
            }
            _ => {
                let active_at = self.active_at(accessed, at);
                self.newest = self.newest.max(active_at);
                let seen = Seen {
                    accessed,
                    times,
                    active_at,
                    look,
                };
                self.seen.insert(path.to_owned(), seen);
            }
        }
        Ok(())
    }

    /// When a terminal whose time of access is new was used.
    fn active_at(&self, (seconds, nanos): (i64, i64), at: Look) -> u64 {
        let wall_ms = at.wall.as_millisecond();
        let accessed_ms = seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000);
        let age = u64::try_from(wall_ms.saturating_sub(accessed_ms)).unwrap_or(0);
        let since_last_look = self
            .last_look
            .map_or(u64::MAX, |last| at.boottime_ms.saturating_sub(last));
        at.boottime_ms.saturating_sub(age.min(since_last_look))
    }
}

/// When a file was accessed, modified and changed: seconds and nanoseconds of the time of day.
pub(super) fn times(stat: &rustix::fs::Stat) -> [(i64, i64); 3] {
    #[expect(
        clippy::useless_conversion,
        reason = "their types differ between architectures"
    )]
    let times = [
        (i64::from(stat.st_atime), i64::try_from(stat.st_atime_nsec)),
        (i64::from(stat.st_mtime), i64::try_from(stat.st_mtime_nsec)),
        (i64::from(stat.st_ctime), i64::try_from(stat.st_ctime_nsec)),
    ];
    times.map(|(seconds, nanos)| (seconds, nanos.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    use snooze_service_runtime::{Clocks, ManualClocks};
    use std::{path::Path, time::Duration};

    struct Fixture {
        folder: tempfile::TempDir,
        hand: ManualClocks,
    }

    impl Fixture {
        fn new(names: &[&str]) -> Fixture {
            let fixture = Fixture {
                folder: tempfile::tempdir().expect("a folder"),
                hand: Clocks::manual(),
            };
            std::fs::create_dir_all(fixture.folder.path().join("dev/pts")).expect("folders");
            for name in names {
                fixture.typed(name, 10_000);
            }
            fixture
        }

        /// Somebody typed there so many seconds ago by the time of day.
        fn typed(&self, name: &str, seconds_ago: i64) {
            let path = self.folder.path().join("dev").join(name);
            std::fs::write(&path, "").expect("writes");
            set_accessed(&path, self.hand.clocks().look().wall.as_second() - seconds_ago);
        }

        fn look(&self, terminals: &mut Terminals) -> Vec<(String, u64)> {
            let root = Root::open(self.folder.path()).expect("opens");
            terminals.look(&root, self.hand.clocks().look()).expect("looks");
            let active = terminals.active();
            active
                .map(|terminal| (terminal.name, terminal.active_at))
                .collect()
        }
    }

    fn set_accessed(path: &Path, seconds: i64) {
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, path, &times, AtFlags::empty()).expect("sets");
    }

    #[test]
    fn a_terminal_that_was_never_used_since_the_boot_is_idle_since_the_boot() {
        let fixture = Fixture::new(&["tty1", "ttyS0", "pts/0"]);
        let mut terminals = Terminals::default();
        assert!(
            fixture
                .look(&mut terminals)
                .iter()
                .all(|(_, active_at)| *active_at == 0)
        );
        assert_eq!(terminals.newest(), 0);
    }

    #[test]
    fn what_was_typed_is_seen() {
        let fixture = Fixture::new(&["pts/0"]);
        let mut terminals = Terminals::default();
        fixture.look(&mut terminals);
        fixture.hand.advance(Duration::from_secs(60));
        fixture.typed("pts/0", 20);
        fixture.look(&mut terminals);
        let now = fixture.hand.clocks().look().boottime_ms;
        assert_eq!(terminals.newest(), now - 20_000);
        fixture.hand.advance(Duration::from_secs(60));
        fixture.look(&mut terminals);
        assert_eq!(terminals.newest(), now - 20_000);
    }

    #[test]
    fn a_terminal_that_is_gone_still_was_used() {
        let fixture = Fixture::new(&["pts/0"]);
        fixture.typed("pts/0", 5);
        let mut terminals = Terminals::default();
        fixture.look(&mut terminals);
        let used = terminals.newest();
        assert!(used > 0);
        std::fs::remove_file(fixture.folder.path().join("dev/pts/0")).expect("removes");
        assert!(fixture.look(&mut terminals).is_empty());
        assert_eq!(terminals.newest(), used);
    }

    #[test]
    fn a_clock_that_is_set_makes_nobody_idle() {
        let fixture = Fixture::new(&["pts/0"]);
        fixture.typed("pts/0", 5);
        let mut terminals = Terminals::default();
        fixture.look(&mut terminals);
        let used = terminals.newest();
        fixture.hand.jump_wall_ms(86_400_000);
        fixture.look(&mut terminals);
        assert_eq!(terminals.newest(), used, "nothing was typed");
        fixture.hand.advance(Duration::from_secs(10));
        // Typed now, by a clock that was set back meanwhile.
        fixture.typed("pts/0", 86_400);
        fixture.look(&mut terminals);
        assert_eq!(
            terminals.newest(),
            used + 5_000,
            "within the last look's ten seconds at the latest"
        );
    }

    #[test]
    fn a_console_without_a_screen_is_not_looked_at() {
        let fixture = Fixture::new(&["tty0", "tty1", "tty2", "ttyS0", "vcs", "vcs1"]);
        let look = |terminals: &mut Terminals| -> Vec<String> {
            fixture
                .look(terminals)
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        let mut terminals = Terminals::default();
        assert_eq!(look(&mut terminals), ["tty0", "tty1", "ttyS0"]);
        // Somebody switches to the second console: its screen appears.
        fixture.typed("vcs2", 0);
        let dev = fixture.folder.path().join("dev");
        set_accessed(&dev, fixture.hand.clocks().wall().as_second());
        assert_eq!(look(&mut terminals), ["tty0", "tty1", "tty2", "ttyS0"]);
    }

    #[test]
    fn what_is_no_terminal_of_a_person_is_left_out() {
        let fixture = Fixture::new(&[
            "tty", "ttyUSB0", "null", "ttyS0x", "pts/ptmx", "console", "tty2", "hvc0",
        ]);
        let names: Vec<_> = fixture
            .look(&mut Terminals::default())
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
