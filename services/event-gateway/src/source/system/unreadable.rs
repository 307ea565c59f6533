//! Why something of the system is not known, and saying so once and not at every look.

use std::{collections::BTreeSet, io, time::Duration};

/// Why something is unknown. Never an excuse for a zero.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// The kernel did not give it.
    #[error("read {path}")]
    Read {
        /// What.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// It holds something else than it should.
    #[error("{path} is not as expected: {problem}")]
    Malformed {
        /// What.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The kernel did not answer in time. It is not asked again until it has answered.
    #[error("{what} did not answer within {} ms and is not asked until it does", limit.as_millis())]
    Hangs {
        /// What.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// There is no thread to ask on.
    #[error("no thread to ask for {what} on")]
    NoThread {
        /// What.
        what: String,
    },
}

impl Unreadable {
    pub(super) fn read(path: &str, error: impl Into<io::Error>) -> Unreadable {
        Unreadable::Read {
            path: path.to_owned(),
            source: error.into(),
        }
    }

    pub(super) fn malformed(path: &str, problem: &'static str) -> Unreadable {
        Unreadable::Malformed {
            path: path.to_owned(),
            problem,
        }
    }

    /// Whether this kernel has no such thing at all, which is nobody's mistake.
    pub(super) fn is_absent(&self) -> bool {
        let Unreadable::Read { source, .. } = self else {
            return false;
        };
        let off = Some(rustix::io::Errno::OPNOTSUPP.raw_os_error());
        source.kind() == io::ErrorKind::NotFound || source.raw_os_error() == off
    }
}

/// What was said to be unknown, so that it is said when it begins and when it ends.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeSet<String>);

impl Said {
    /// Says it if it is news.
    pub(super) fn hear<T>(&mut self, what: &str, read: &Result<T, Unreadable>) {
        match read {
            Ok(_) => {
                if self.0.remove(what) {
                    tracing::info!(what, "can be read again");
                }
            }
            Err(error) => {
                if !self.0.insert(what.to_owned()) {
                    return;
                }
                let error = snooze_service_runtime::exit::one_line(error);
                if error_is_absence(read) {
                    tracing::info!(
                        what,
                        error,
                        "this kernel does not tell it; nothing is noticed from it"
                    );
                } else {
                    tracing::warn!(
                        what,
                        error,
                        "is unknown; nothing is noticed from it until it can be read"
                    );
                }
            }
        }
    }

    /// Forgets what begins so and is not one of these any more.
    pub(super) fn keep(&mut self, begins: &str, keeps: impl Fn(&str) -> bool) {
        self.0.retain(|what| what.strip_prefix(begins).is_none_or(&keeps));
    }

    #[cfg(test)]
    pub(super) fn unknown(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

fn error_is_absence<T>(read: &Result<T, Unreadable>) -> bool {
    read.as_ref().is_err_and(Unreadable::is_absent)
}
