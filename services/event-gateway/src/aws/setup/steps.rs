//! What was done to each thing: a line for people, an object for programs.

use super::Effect;
use serde::Serialize;
use std::fmt;

/// What became of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was missing and is there now.
    Made,
    /// It was as it should be.
    WasThere,
    /// It was there and differed.
    Changed,
    /// It was there and is gone.
    Removed,
    /// It was gone already.
    WasNotThere,
    /// It stays, for the reason in the note.
    Kept,
}

/// One thing and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `queue`, `rule` or `target`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What became of it, or would have.
    pub outcome: Outcome,
    /// Whether it would have, only.
    pub dry_run: bool,
    /// What there is to say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Step {
    pub(super) fn new(kind: &'static str, name: impl Into<String>, outcome: Outcome, effect: Effect) -> Step {
        Step {
            kind,
            name: name.into(),
            outcome,
            dry_run: effect == Effect::DryRun,
            note: None,
        }
    }

    pub(super) fn with_note(mut self, note: impl Into<String>) -> Step {
        self.note = Some(note.into());
        self
    }

    fn verb(&self) -> &'static str {
        match (self.outcome, self.dry_run) {
            (Outcome::Made, false) => "made",
            (Outcome::Made, true) => "would be made",
            (Outcome::WasThere, _) => "was there",
            (Outcome::Changed, false) => "changed",
            (Outcome::Changed, true) => "would be changed",
            (Outcome::Removed, false) => "removed",
            (Outcome::Removed, true) => "would be removed",
            (Outcome::WasNotThere, _) => "was not there",
            (Outcome::Kept, false) => "kept",
            (Outcome::Kept, true) => "would be kept",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} {}", self.verb(), self.kind, self.name)?;
        match &self.note {
            Some(note) => write!(out, " ({note})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_never_says_that_something_was_done() {
        for outcome in [Outcome::Made, Outcome::Changed, Outcome::Removed, Outcome::Kept] {
            let line = |effect| Step::new("queue", "q", outcome, effect).to_string();
            assert!(line(Effect::DryRun).starts_with("would be "), "{outcome:?}");
            assert!(!line(Effect::Real).contains("would"), "{outcome:?}");
        }
    }

    #[test]
    fn a_note_stands_behind_the_thing() {
        let step = Step::new("rule", "r", Outcome::Kept, Effect::Real).with_note("it has another target");
        assert_eq!(step.to_string(), "kept: rule r (it has another target)");
    }
}
