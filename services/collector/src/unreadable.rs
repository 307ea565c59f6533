//! Why a reading is unknown. Never an excuse for a zero.

use std::{error::Error, io, time::Duration};

/// What it takes to see the open files and namespaces of other users' processes, proc(5).
pub(crate) const SEE_ANY_PROCESS: &str = "CAP_SYS_PTRACE";

/// What it takes to read other users' files.
pub(crate) const READ_ANY_FILE: &str = "CAP_DAC_READ_SEARCH";

/// Why a reading is unknown; its [`reason`](Unreadable::reason) goes into the sample.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// A file or folder could not be read.
    #[error("read /{path}")]
    Read {
        /// Its path below the root.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file or folder of another user may not be read without a capability that this process lacks.
    #[error("read /{path}, for which the collector needs {capability}")]
    Denied {
        /// Its path below the root.
        path: String,
        /// The capability, as capabilities(7) names it.
        capability: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("/{path} is not as expected: {problem}")]
    Malformed {
        /// Its path below the root.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A rate needs two looks at its counters, and this was the first.
    #[error("the first look at these counters; a rate needs two")]
    FirstLook,
    /// No time, or no tick of the counter, has passed since the last look.
    #[error("no time has passed since the last look")]
    NoTimePassed,
    /// A counter is lower than it was.
    #[error("the counter {counter} went backwards")]
    Backwards {
        /// Which one.
        counter: String,
    },
    /// A device that was counted is gone, and with it what it did since the last look.
    #[error("{device} vanished since the last look")]
    Vanished {
        /// Which one.
        device: String,
    },
    /// A device is new, and what it did since it came is not told from what it did before.
    #[error("{device} appeared since the last look")]
    Appeared {
        /// Which one.
        device: String,
    },
    /// There is nothing of this kind to measure.
    #[error("there is no {what} here")]
    Nothing {
        /// What is missing.
        what: &'static str,
    },
    /// The reader did not answer in time.
    #[error("the {reader} reader did not answer within {limit:?}")]
    Late {
        /// Which one.
        reader: &'static str,
        /// Its limit.
        limit: Duration,
    },
    /// The reader has not answered an earlier question yet; it is not asked another one.
    #[error("the {reader} reader hangs since {since:?}")]
    Hangs {
        /// Which one.
        reader: &'static str,
        /// For how long.
        since: Duration,
    },
    /// The reader's thread could not be started, or is gone.
    #[error("the {reader} reader has no thread")]
    NoThread {
        /// Which one.
        reader: &'static str,
    },
    /// A graphical session whose input nothing tells.
    #[error("nothing tells when {display} was last used")]
    Display {
        /// The session or display.
        display: String,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is seen from here is not what is on the host.
    #[error("{why}")]
    Contained {
        /// How that was noticed, and what to do about it.
        why: &'static str,
    },
    /// Nothing tells who is connected to a program that runs.
    #[error("nothing tells who is connected to the processes {pids:?}")]
    Connections {
        /// Its processes.
        pids: Vec<u32>,
    },
    /// A notebook's user has no home that tells when something was run or saved.
    #[error("nothing tells where the home of user {user} is, whose notebook has a client")]
    Home {
        /// The user's number.
        user: u32,
    },
    /// The processes of others are hidden from this one.
    #[error("the processes of other users are hidden (hidepid): {why}")]
    ProcessesHidden {
        /// How that was noticed.
        why: &'static str,
    },
    /// The GPUs' library is there and does not answer.
    #[error("ask NVML for {what}")]
    Nvml {
        /// What was asked.
        what: String,
        /// What it said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Unreadable {
    pub(crate) fn read(path: &str, error: impl Into<io::Error>) -> Unreadable {
        Unreadable::Read {
            path: path.to_owned(),
            source: error.into(),
        }
    }

    pub(crate) fn malformed(path: &str, problem: &'static str) -> Unreadable {
        Unreadable::Malformed {
            path: path.to_owned(),
            problem,
        }
    }

    /// The same, with the capability that would have helped where permission was denied.
    pub(crate) fn needing(self, capability: &'static str) -> Unreadable {
        match self {
            Unreadable::Read { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Unreadable::Denied {
                    path,
                    capability,
                    source,
                }
            }
            other => other,
        }
    }

    /// Whether a file or folder is simply not there; a process that ended counts as that too.
    pub(crate) fn is_absent(&self) -> bool {
        match self {
            Unreadable::Read { source, .. } => {
                source.kind() == io::ErrorKind::NotFound
                    || source.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
            }
            _ => false,
        }
    }

    /// The error and its causes in one line, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_holds_every_cause_once() {
        let error = Unreadable::read("proc/stat", io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(error.reason(), "read /proc/stat: permission denied");
    }

    #[test]
    fn a_denial_names_the_capability_that_is_missing() {
        let denied = Unreadable::read("proc/7/fd", rustix::io::Errno::ACCESS);
        assert_eq!(
            denied.needing("CAP_SYS_PTRACE").reason(),
            "read /proc/7/fd, for which the collector needs CAP_SYS_PTRACE: Permission denied (os error 13)"
        );
        let absent = Unreadable::read("proc/7/fd", rustix::io::Errno::NOENT).needing("CAP_SYS_PTRACE");
        assert!(absent.is_absent());
    }
}
