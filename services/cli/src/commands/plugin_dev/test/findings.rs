//! What was found out about a plugin, in the order in which it was.
//!
//! Pure: it prints nothing.

use snooze_conformance::{Failure, Form, Layer, Outcome, Report};
use snooze_service_runtime::plain::is_plain;
use tokio::time::Instant;

/// What was found so far.
#[derive(Debug)]
pub(super) struct Findings {
    /// In which form the plugin is asked.
    pub form: Form,
    report: Report,
    notes: Vec<String>,
}

impl Default for Findings {
    fn default() -> Self {
        Findings {
            form: Form::Lines,
            report: Report::default(),
            notes: Vec::new(),
        }
    }
}

impl Findings {
    /// Adds whether a law is kept; where it is not, what was expected and what came.
    pub(super) fn add(
        &mut self,
        subject: &str,
        case: &str,
        law: &str,
        begun: Instant,
        kept: Result<(), (String, String)>,
    ) {
        self.report.outcomes.push(Outcome {
            subject: subject.to_owned(),
            case: case.to_owned(),
            layer: Layer::Contract,
            form: self.form,
            law: law.to_owned(),
            took: begun.elapsed(),
            failure: kept.err().map(|(expected, came)| Failure {
                step: 0,
                expected,
                came,
                log: String::new(),
            }),
        });
    }

    /// The same, with what the plugin has complained about last.
    pub(super) fn add_with_log(
        &mut self,
        (subject, case, law): (&str, &str, &str),
        begun: Instant,
        kept: Result<(), (String, String)>,
        log: impl FnOnce() -> Vec<String>,
    ) {
        self.add(subject, case, law, begun, kept);
        let failure = self
            .report
            .outcomes
            .last_mut()
            .and_then(|outcome| outcome.failure.as_mut());
        if let Some(failure) = failure {
            failure.log = log().join("\n");
        }
    }

    /// Something that is worth knowing and no fault.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    pub(super) fn extend(&mut self, report: Report) {
        self.report.outcomes.extend(report.outcomes);
    }

    pub(super) fn failed(&self) -> usize {
        self.report.failed().count()
    }

    /// For people: everything that was asked, then what is worth knowing, then how many.
    pub(super) fn lines(&self) -> Vec<String> {
        let outcomes = self.report.outcomes.iter().map(line);
        let notes = self.notes.iter().map(|note| format!("note   {note}"));
        let counts = format!(
            "{} of {} passed",
            self.report.passed(),
            self.report.outcomes.len()
        );
        outcomes.chain(notes).chain([counts]).collect()
    }

    pub(super) fn to_junit(&self) -> String {
        self.report.to_junit()
    }
}

/// A plugin's words stay words: what a terminal would obey is not printed.
fn line(outcome: &Outcome) -> String {
    let text = outcome.to_string();
    let is_shown = |c: char| c == '\n' || is_plain(c);
    text.chars()
        .map(|c| if is_shown(c) { c } else { '\u{fffd}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_found_is_told_line_by_line_and_counted() {
        let mut findings = Findings::default();
        let begun = Instant::now();
        findings.add("manifest", "it-holds", "the law", begun, Ok(()));
        let wrong = || Err(("this".to_owned(), "that\u{1b}[31m".to_owned()));
        findings.add_with_log(("readings", "zero", "the other law"), begun, wrong(), || {
            vec!["words".to_owned()]
        });
        findings.note("by the way");
        assert_eq!(findings.failed(), 1);
        let lines = findings.lines();
        assert!(
            lines[0].starts_with("passed manifest/it-holds (lines)"),
            "{lines:?}"
        );
        for said in [
            "FAILED readings/zero",
            "the other law",
            "this",
            "that\u{fffd}[31m",
            "words",
        ] {
            assert!(lines[1].contains(said), "{said}: {lines:?}");
        }
        assert_eq!(lines[2..], ["note   by the way", "1 of 2 passed"]);
        assert!(findings.to_junit().contains("failures=\"1\""));
    }
}
