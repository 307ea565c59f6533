//! What came of the cases, and the same as text for people.
//!
//! Pure: it prints nothing.

use crate::case::{Form, Layer};
use std::{fmt, time::Duration};

/// What came of all cases.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Case by case, in the order of the files.
    pub outcomes: Vec<Outcome>,
}

/// What came of one case in one form.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What it is about: the name of its file.
    pub subject: String,
    /// Its name.
    pub case: String,
    /// Whom it is asked of.
    pub layer: Layer,
    /// In which form it was asked.
    pub form: Form,
    /// What a plugin has to do.
    pub law: String,
    /// How long it took, the start of a process included.
    pub took: Duration,
    /// Why it failed; none where it passed.
    pub failure: Option<Failure>,
}

/// Why a case failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// At which step, from 1; 0 where it never began.
    pub step: usize,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub came: String,
    /// The last of what the plugin wrote to its standard error.
    pub log: String,
}

impl Failure {
    pub(crate) fn new(expected: impl Into<String>, came: String) -> Failure {
        Failure {
            step: 0,
            expected: expected.into(),
            came,
            log: String::new(),
        }
    }
}

impl Report {
    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.outcomes.len() - self.failed().count()
    }

    /// Those that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.failure.is_some())
    }

    /// Whether there were cases, and all passed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.outcomes.is_empty() && self.failed().next().is_none()
    }
}

impl Outcome {
    /// Its name within the suite.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.subject, self.case)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.outcomes {
            writeln!(out, "{outcome}")?;
        }
        write!(out, "{} of {} passed", self.passed(), self.outcomes.len())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.failure.is_some() {
            "FAILED"
        } else {
            "passed"
        };
        write!(
            out,
            "{word} {} ({}), {} ms",
            self.id(),
            self.form,
            self.took.as_millis()
        )?;
        let Some(failure) = &self.failure else {
            return Ok(());
        };
        write!(out, "\n       law:      {}", self.law)?;
        write!(out, "\n       expected: {}", failure.expected)?;
        write!(out, "\n       came:     {}", failure.came)?;
        if failure.step > 0 {
            write!(out, " (at step {})", failure.step)?;
        }
        for line in failure.log.lines() {
            write!(out, "\n       its log:  {line}")?;
        }
        Ok(())
    }
}
