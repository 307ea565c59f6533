//! How a program ends: one table of exit codes, and one clear line for each failure.
//!
//! It never ends the process by itself: only `main` returns an exit code.

use std::{error::Error, fmt, io::Write as _, process::ExitCode};

/// The exit codes of every program here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It was tried and failed.
    Failed = 1,
    /// The bus could not be reached, or was lost for good.
    BusUnreachable = 3,
    /// Somebody who may say so refused.
    Refused = 4,
    /// The command line or the configuration is wrong (`EX_USAGE` of sysexits.h).
    Usage = 64,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a program ends before it is done: an exit code and the line for the person who started it.
///
/// It is no [`Error`] itself, so that an error becomes one only where somebody chose its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the process ends with.
    pub exit: Exit,
    /// What is printed, without the program's name. More than one line only for a list of mistakes.
    pub line: String,
}

impl Failure {
    /// A failure with its own words.
    pub fn new(exit: Exit, line: impl Into<String>) -> Failure {
        Failure {
            exit,
            line: line.into(),
        }
    }

    /// A failure that was caused by an error; its causes follow, joined by colons, on the same line.
    pub fn from_error(exit: Exit, error: &(dyn Error + 'static)) -> Failure {
        Failure {
            exit,
            line: one_line(error),
        }
    }

    /// Prints the line to stderr with the program's name before it and gives back the exit code.
    #[must_use]
    pub fn report(&self, program: &str) -> ExitCode {
        match writeln!(std::io::stderr(), "{program}: {}", self.line) {
            // Where the terminal is gone the exit code says what is left to say.
            Ok(()) | Err(_) => self.exit.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.line)
    }
}

/// An error and its causes as one line. A cause that its parent repeats is left out.
#[must_use]
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string().replace('\n', " ");
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string().replace('\n', " ");
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("read {path}")]
    struct Outer {
        path: &'static str,
        source: std::io::Error,
    }

    #[test]
    fn a_failure_is_one_line_with_its_causes() {
        let error = Outer {
            path: "/etc/x",
            source: std::io::Error::other("denied\nby the kernel"),
        };
        let failure = Failure::from_error(Exit::Failed, &error);
        assert_eq!(failure.line, "read /etc/x: denied by the kernel");
        assert_eq!(failure.exit as u8, 1);
    }

    #[test]
    fn exit_codes_are_one_table() {
        let codes = [
            Exit::Done,
            Exit::Failed,
            Exit::BusUnreachable,
            Exit::Refused,
            Exit::Usage,
        ];
        assert_eq!(codes.map(|exit| exit as u8), [0, 1, 3, 4, 64]);
    }
}
