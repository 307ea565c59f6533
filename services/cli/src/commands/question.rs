//! A question to the person at the terminal, to which only a yes is one.

use crate::print;
use snooze_service_runtime::{Exit, Failure};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use tokio::sync::oneshot;

/// Whether somebody has to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// It was given on the command line.
    Given,
    /// It is asked for.
    Asked,
}

impl Consent {
    /// Of `--yes`.
    pub(super) fn of(yes: bool) -> Consent {
        match yes {
            true => Self::Given,
            false => Self::Asked,
        }
    }
}

/// No answer is longer.
const LONGEST: u64 = 64;

/// Asks, unless the answer was given before. Anything but a yes is a failure that says that nothing was done.
pub(super) async fn confirm(consent: Consent, question: &str) -> Result<(), Failure> {
    if consent == Consent::Given {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let text = "nothing was changed: there is no terminal to ask on. Say --yes to agree to the above";
        return Err(Failure::new(Exit::Usage, text));
    }
    write!(io::stderr(), "{}: {question} [y/N] ", crate::NAME).ok();
    // A thread that is not waited for: whoever interrupts the program has not to answer first.
    let (said, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
        // Nobody waits any more where the program is ending.
        said.send(read.map(|_| line)).ok();
    });
    match answer.await {
        Ok(Ok(line)) if is_yes(&line) => Ok(()),
        Ok(Ok(line)) => {
            if line.is_empty() {
                // The end of the input; the cursor still stands behind the question.
                print::tell([""]);
            }
            Err(Failure::new(Exit::Refused, "nothing was changed"))
        }
        Ok(Err(error)) => Err(Failure::new(Exit::Failed, format!("read the answer: {error}"))),
        Err(_) => Err(Failure::new(Exit::Failed, "read the answer")),
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for yes in ["y\n", "Y\n", "yes\n", " YES \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for other in ["", "\n", "n\n", "yes, but\n", "j\n", "ye\n"] {
            assert!(!is_yes(other), "{other:?}");
        }
    }
}
