//! A report as JUnit's XML, as CI services read it: a suite for each subject and form, a case for each case.
//!
//! What XML has no character for is replaced: a plugin may write anything.

use crate::report::{Outcome, Report};
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use std::io;

impl Report {
    /// As JUnit's XML.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        write(self, &mut writer).expect("memory takes every write");
        String::from_utf8(writer.into_inner()).expect("only texts were written")
    }
}

fn write(report: &Report, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all: Vec<&Outcome> = report.outcomes.iter().collect();
    let mut suites: Vec<Vec<&Outcome>> = Vec::new();
    for outcome in &all {
        let place = |suite: &&mut Vec<&Outcome>| {
            suite
                .first()
                .is_some_and(|first| first.subject == outcome.subject && first.form == outcome.form)
        };
        match suites.iter_mut().find(place) {
            Some(suite) => suite.push(outcome),
            None => suites.push(vec![outcome]),
        }
    }
    let element = writer
        .create_element("testsuites")
        .with_attribute(("name", "plugin contract"));
    element
        .with_attributes(counts(&all).iter().map(pair))
        .write_inner_content(|writer| {
            for suite in &suites {
                write_suite(suite, writer)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_suite(suite: &[&Outcome], writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let name = suite
        .first()
        .map_or_else(String::new, |first| format!("{} ({})", first.subject, first.form));
    let element = writer
        .create_element("testsuite")
        .with_attribute(("name", name.as_str()));
    element
        .with_attributes(counts(suite).iter().map(pair))
        .write_inner_content(|writer| {
            for outcome in suite {
                write_case(outcome, &name, writer)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_case(outcome: &Outcome, suite: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let seconds = format!("{:.3}", outcome.took.as_secs_f64());
    let element = writer
        .create_element("testcase")
        .with_attribute(("name", outcome.case.as_str()))
        .with_attribute(("classname", suite))
        .with_attribute(("time", seconds.as_str()));
    let Some(failure) = &outcome.failure else {
        element.write_empty()?;
        return Ok(());
    };
    element.write_inner_content(|writer| {
        let message = clean(&format!("expected {}, came {}", failure.expected, failure.came));
        let text = clean(&format!(
            "{}\nat step {}\n{}",
            outcome.law, failure.step, failure.log
        ));
        writer
            .create_element("failure")
            .with_attribute(("message", message.as_str()))
            .write_text_content(BytesText::new(&text))?;
        Ok(())
    })?;
    Ok(())
}

fn counts(outcomes: &[&Outcome]) -> [(&'static str, String); 3] {
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .count();
    let seconds: f64 = outcomes.iter().map(|outcome| outcome.took.as_secs_f64()).sum();
    [
        ("tests", outcomes.len().to_string()),
        ("failures", failed.to_string()),
        ("time", format!("{seconds:.3}")),
    ]
}

fn pair<'a>((name, value): &'a (&'static str, String)) -> (&'a str, &'a str) {
    (name, value)
}

/// Without what XML 1.0 has no character for (its production `Char`).
fn clean(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars()
        .map(|c| if allowed(c) { c } else { '\u{fffd}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        case::{Form, Layer},
        report::Failure,
    };
    use std::time::Duration;

    fn outcome(subject: &str, form: Form, failure: Option<Failure>) -> Outcome {
        Outcome {
            subject: subject.to_owned(),
            case: "c".to_owned(),
            layer: Layer::Contract,
            form,
            law: "the law".to_owned(),
            took: Duration::from_millis(1500),
            failure,
        }
    }

    #[test]
    fn a_failure_stands_in_its_case_with_what_was_expected_and_came() {
        let failure = Failure::new("a < b", "\"\u{0}\" & more".to_owned());
        let report = Report {
            outcomes: vec![
                outcome("one", Form::Lines, None),
                outcome("two", Form::Lines, None),
                outcome("one", Form::Lines, Some(failure)),
                outcome("one", Form::JsonRpc, None),
            ],
        };
        let xml = report.to_junit();
        assert!(
            xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"),
            "{xml}"
        );
        assert_eq!(xml.matches("<testsuite ").count(), 3, "{xml}");
        assert_eq!(xml.matches("<testcase ").count(), 4, "{xml}");
        assert!(xml.contains("tests=\"4\" failures=\"1\" time=\"6.000\""), "{xml}");
        assert!(
            xml.contains("expected a &lt; b, came &quot;\u{fffd}&quot; &amp; more"),
            "{xml}"
        );
        assert!(!report.is_good());
    }
}
