//! What was found out about a plugin, in the order in which it was.
//!
//! Pure: it prints nothing.

use snooze_conformance::{Failure, Form, Layer, Moment, Outcome, Report};
use snooze_service_runtime::plain::is_plain;
use std::fmt;
use tokio::time::Instant;

/// What was found so far.
pub(super) struct Findings {
    /// In which form the plugin is asked.
    pub form: Form,
    report: Report,
    notes: Vec<String>,
    at: Option<Current>,
    cut: Option<String>,
    tell: Box<dyn FnMut(&str) + Send>,
}

/// What is being found out.
#[derive(Debug)]
struct Current {
    id: String,
    begun: Instant,
}

impl fmt::Debug for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Findings")
            .field("report", &self.report)
            .field("at", &self.at)
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

impl Findings {
    /// Nothing yet; what is begun is told to whoever waits, by its name.
    pub(super) fn telling(tell: impl FnMut(&str) + Send + 'static) -> Findings {
        Findings {
            form: Form::Lines,
            report: Report::default(),
            notes: Vec::new(),
            at: None,
            cut: None,
            tell: Box::new(tell),
        }
    }

    /// Begins to find out whether a law is kept, and returns when.
    pub(super) fn begin(&mut self, subject: &str, case: &str) -> Instant {
        let (id, begun) = (format!("{subject}/{case}"), Instant::now());
        (self.tell)(&plain(&id));
        self.at = Some(Current { id, begun });
        begun
    }

    /// The same of a case of the contract, and what came of it.
    pub(super) fn take(&mut self, moment: Moment<'_>) {
        match moment {
            Moment::Begins { subject, case } => drop(self.begin(subject, case)),
            Moment::Ends(outcome) => self.push(outcome.clone()),
        }
    }

    fn push(&mut self, outcome: Outcome) {
        self.at = None;
        self.report.outcomes.push(outcome);
    }

    /// Nothing more is found out, for this reason.
    pub(super) fn cut(&mut self, why: &str) {
        self.cut = Some(why.to_owned());
    }

    /// Adds whether a law is kept; where it is not, what was expected and what came.
    pub(super) fn add(
        &mut self,
        subject: &str,
        case: &str,
        law: &str,
        begun: Instant,
        kept: Result<(), (String, String)>,
    ) {
        self.push(Outcome {
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

    /// Why nothing more was found out, where something was cut off.
    pub(super) fn is_cut_for(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// Nobody waits any more for what is begun.
    pub(super) fn end(&mut self) {
        self.tell = Box::new(|_| {});
    }

    pub(super) fn failed(&self) -> usize {
        self.report.failed().count()
    }

    /// For people: everything that was asked, then what was cut off, then what is worth knowing, then how many.
    pub(super) fn lines(&self) -> Vec<String> {
        let outcomes = self
            .report
            .outcomes
            .iter()
            .map(|outcome| plain(&outcome.to_string()));
        let cut = self
            .cut_off()
            .map(|(id, why, took)| plain(&format!("cut    {id} ({}), {took} ms: {why}", self.form)));
        let notes = self.notes.iter().map(|note| format!("note   {note}"));
        let counts = format!(
            "{} of {} passed{}",
            self.report.passed(),
            self.report.outcomes.len(),
            self.cut
                .as_ref()
                .map_or_else(String::new, |why| format!(", and the rest was not asked: {why}"))
        );
        outcomes.chain(cut).chain(notes).chain([counts]).collect()
    }

    /// What was cut off, why, and after how many milliseconds.
    fn cut_off(&self) -> Option<(&str, &str, u128)> {
        let (at, why) = (self.at.as_ref()?, self.cut.as_ref()?);
        Some((&at.id, why, at.begun.elapsed().as_millis()))
    }

    /// The same for programs, which know passed and failed: what was cut off has not passed.
    pub(super) fn to_junit(&self) -> String {
        let mut report = self.report.clone();
        if let (Some(why), Some(at)) = (&self.cut, &self.at) {
            let (subject, case) = at.id.split_once('/').unwrap_or(("", &at.id));
            report.outcomes.push(Outcome {
                subject: subject.to_owned(),
                case: case.to_owned(),
                layer: Layer::Contract,
                form: self.form,
                law: "What was begun comes to its end.".to_owned(),
                took: at.begun.elapsed(),
                failure: Some(Failure {
                    step: 0,
                    expected: "an end".to_owned(),
                    came: why.clone(),
                    log: String::new(),
                }),
            });
        }
        report.to_junit()
    }
}

/// A plugin's words stay words: what a terminal would obey is not printed.
fn plain(text: &str) -> String {
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
        let mut findings = Findings::telling(|_| {});
        let begun = findings.begin("manifest", "it-holds");
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

    #[tokio::test]
    async fn what_was_cut_off_is_told_apart_from_what_failed_and_has_not_passed() {
        let (told, heard) = std::sync::mpsc::channel();
        let mut findings = Findings::telling(move |id| told.send(id.to_owned()).expect("it is heard"));
        let begun = findings.begin("manifest", "it-holds");
        findings.add("manifest", "it-holds", "the law", begun, Ok(()));
        findings.begin("readings", "zero");
        findings.cut("interrupted");
        assert_eq!(
            heard.try_iter().collect::<Vec<_>>(),
            ["manifest/it-holds", "readings/zero"]
        );
        assert_eq!(findings.failed(), 0);
        let lines = findings.lines();
        assert!(
            lines[1].starts_with("cut    readings/zero (lines), ") && lines[1].ends_with(" ms: interrupted"),
            "{lines:?}"
        );
        assert_eq!(lines[2], "1 of 1 passed, and the rest was not asked: interrupted");
        assert!(findings.to_junit().contains("failures=\"1\""));
    }
}
