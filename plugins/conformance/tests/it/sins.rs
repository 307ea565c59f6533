//! Each case fails on a plugin that breaks exactly its law, and passes on the same plugin without that sin.

use crate::{
    sin_table::SINS,
    stand::{OnTheBus, example, patient},
};
use futures_util::{StreamExt, stream};
use snooze_conformance::{Form, Limits, Selection, Target, run, subjects};
use snooze_test_harness::NatsServer;
use std::{collections::BTreeSet, time::Duration};

/// A plugin that sins may keep silent, which costs the limit; it fails earlier where the machine is slow.
fn impatient() -> Limits {
    Limits {
        answer: Duration::from_secs(2),
        end: Duration::from_secs(1),
        ..patient()
    }
}

/// The case in the first of its forms.
fn only(case: &str) -> Selection {
    let all = subjects().expect("the cases read");
    let (subject, name) = case.split_once('/').expect("a case's name has its subject");
    let found = all
        .iter()
        .filter(|one| one.subject == subject)
        .flat_map(|subject| &subject.cases)
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("there is no case {case}"));
    let mut selection = Selection::example(found.over.first().copied());
    selection.names = [case.to_owned()].into();
    selection
}

fn on_nats(selection: &Selection) -> bool {
    selection.forms.iter().all(|form| form.is_on_nats())
}

#[test]
fn every_case_has_a_sin() {
    let cases: BTreeSet<_> = subjects()
        .expect("the cases read")
        .into_iter()
        .flat_map(|subject| {
            let name = subject.subject;
            let of_subject: Vec<_> = subject
                .cases
                .into_iter()
                .map(|case| format!("{name}/{}", case.name))
                .collect();
            of_subject
        })
        .collect();
    let with_sin: BTreeSet<_> = SINS.iter().map(|(case, _)| (*case).to_owned()).collect();
    assert_eq!(cases, with_sin);
}

#[tokio::test]
async fn a_plugin_that_keeps_the_contract_passes_all_cases_on_its_lines() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let target = Target::Process(example(home.path(), ""));
    let report = run(&target, &Selection::example(Form::ALL), &patient())
        .await
        .expect("the cases read");
    assert!(report.is_good(), "{report}");
}

#[tokio::test]
async fn a_plugin_that_keeps_the_contract_passes_all_cases_on_the_bus() {
    let server = NatsServer::open().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    for fleet in [false, true] {
        let there = OnTheBus::start(&server, example(home.path(), ""), "example-python", fleet).await;
        let report = run(&there.target(), &Selection::example(Form::ALL), &patient()).await;
        let report = report.expect("the cases read");
        assert!(report.is_good(), "{report}\n{}", there.running.log());
    }
}

#[tokio::test]
async fn i3_cases_about_another_host_are_asked_of_a_plugin_that_serves_one() {
    let server = NatsServer::open().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    for case in [
        "nats/an-event-of-another-host-is-refused",
        "nats/a-question-about-another-host-is-refused",
    ] {
        for (fleet, asked) in [(false, 1), (true, 0)] {
            let there = OnTheBus::start(&server, example(home.path(), ""), "example-python", fleet).await;
            let report = run(&there.target(), &only(case), &patient()).await;
            assert_eq!(report.expect("the cases read").outcomes.len(), asked, "{case}");
        }
    }
}

#[tokio::test]
async fn each_case_on_the_lines_fails_on_the_plugin_that_breaks_its_law() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let sins = SINS
        .iter()
        .flat_map(|(case, sins)| sins.iter().map(|sin| (*case, *sin)));
    let tried: Vec<_> = stream::iter(sins.filter(|(case, _)| !on_nats(&only(case))).map(
        async |(case, sin)| {
            let target = Target::Process(example(home.path(), sin));
            let report = run(&target, &only(case), &impatient())
                .await
                .expect("the cases read");
            (case, sin, report)
        },
    ))
    .buffered(4)
    .collect()
    .await;
    assert!(tried.len() > 80);
    let innocent: Vec<_> = tried
        .iter()
        .filter(|(_, _, report)| report.failed().count() != 1)
        .collect();
    assert!(innocent.is_empty(), "these cannot fail: {innocent:?}");
}

#[tokio::test]
async fn each_case_on_the_bus_fails_on_the_plugin_that_breaks_its_law() {
    let server = NatsServer::open().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut tried = 0;
    for (case, sins) in SINS.iter().filter(|(case, _)| on_nats(&only(case))) {
        for sin in *sins {
            let name = format!("example-{tried}");
            let mut program = example(home.path(), sin);
            program.environment.insert("PLUGIN_NAME".to_owned(), name.clone());
            let there = OnTheBus::start(&server, program, &name, false).await;
            let report = run(&there.target(), &only(case), &impatient())
                .await
                .expect("the cases read");
            assert_eq!(report.failed().count(), 1, "{case} with {sin}: {report}");
            tried += 1;
        }
    }
    assert!(tried > 10);
}

#[tokio::test]
async fn a_failure_says_what_was_expected_what_came_and_what_the_plugin_said() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut program = example(home.path(), "");
    program.command = ["sh", "-c", "echo woe >&2; read line; echo no"]
        .map(str::to_owned)
        .to_vec();
    let selection = only("introduction/info-names-the-plugin");
    let report = run(&Target::Process(program), &selection, &patient())
        .await
        .expect("the cases read");
    let text = report.to_string();
    for part in [
        "FAILED introduction/info-names-the-plugin (lines)",
        "a line of JSON",
        "came:     no",
        "log:  woe",
        "0 of 1 passed",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(report.to_junit().contains("<failure "), "{}", report.to_junit());
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_and_does_not_panic() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut program = example(home.path(), "");
    program.command = vec!["/nonexistent/plugin".to_owned()];
    let selection = only("introduction/info-names-the-plugin");
    let report = run(&Target::Process(program), &selection, &patient())
        .await
        .expect("the cases read");
    assert!(report.to_string().contains("No such file"), "{report}");
}
