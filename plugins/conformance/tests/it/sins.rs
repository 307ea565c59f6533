//! Each case fails on a plugin that breaks exactly its law, and passes on the same plugin without that sin.

use crate::stand::{OnTheBus, example, patient};
use futures_util::{StreamExt, stream};
use snooze_conformance::{Form, Limits, Selection, Target, run, subjects};
use snooze_test_harness::NatsServer;
use std::{collections::BTreeSet, time::Duration};

/// Case by case, what `plugin/example.py` does wrong.
const SINS: [(&str, &[&str]); 83] = [
    ("introduction/info-names-the-plugin", &["no-name"]),
    ("introduction/info-stays-the-same", &["another-name-each-time"]),
    ("introduction/it-votes-or-handles-events", &["no-vote"]),
    (
        "introduction/every-step-of-the-start-is-answered",
        &["configured-without-success", "initialize-says-nothing"],
    ),
    (
        "introduction/supported-events-are-event-types",
        &["events-of-no-type"],
    ),
    ("introduction/its-name-and-version", &["misnamed", "old"]),
    ("introduction/initialize-succeeds", &["initialize-says-nothing"]),
    ("introduction/it-supports-custom", &["supports-more"]),
    ("check-idle/an-opinion-is-a-bool", &["idle-is-a-word"]),
    ("check-idle/nothing-known-is-not-idle", &["unknown-is-zero"]),
    ("check-idle/readings-may-be-missing", &["needs-every-reading"]),
    ("check-idle/readings-may-be-new", &["dies-of-new-readings"]),
    (
        "check-idle/below-the-threshold-is-idle",
        &["never-idle", "tells-too-much"],
    ),
    (
        "check-idle/above-the-threshold-is-busy",
        &["always-idle", "tells-too-much"],
    ),
    ("check-idle/at-the-threshold-is-busy", &["at-is-below"]),
    (
        "check-idle/an-unknown-reading-is-an-error",
        &["unknown-is-zero", "other-words"],
    ),
    ("check-idle/zero-is-a-reading", &["zero-is-nothing"]),
    (
        "configure/an-empty-configuration-is-answered",
        &["configured-without-success"],
    ),
    (
        "configure/it-may-be-configured-again",
        &["dies-of-a-second-configuration"],
    ),
    ("configure/a-key-may-be-unknown", &["dies-of-unknown-keys"]),
    ("configure/the-default-threshold-is-10", &["other-default"]),
    ("configure/the-threshold-is-taken", &["forgets-the-threshold"]),
    (
        "configure/the-threshold-may-be-a-fraction",
        &["whole-thresholds-only"],
    ),
    ("configure/the-threshold-may-change", &["first-threshold-stays"]),
    ("configure/an-unknown-key-is-ignored", &["refuses-unknown-keys"]),
    (
        "configure/the-threshold-is-not-a-text",
        &["takes-a-text", "names-nothing"],
    ),
    (
        "configure/the-threshold-is-not-zero",
        &["takes-zero", "names-nothing"],
    ),
    (
        "configure/the-threshold-is-not-negative",
        &["takes-negative", "names-nothing"],
    ),
    (
        "configure/the-threshold-is-not-a-bool",
        &["takes-a-bool", "names-nothing"],
    ),
    (
        "configure/the-threshold-is-not-null",
        &["takes-null", "names-nothing"],
    ),
    (
        "configure/the-threshold-is-not-a-list",
        &["takes-a-list", "names-nothing"],
    ),
    (
        "configure/a-refused-configuration-changes-nothing",
        &["takes-before-it-looks"],
    ),
    ("events/an-event-is-answered", &["handled-is-a-word"]),
    ("events/an-event-may-have-no-deadline", &["dies-without-deadline"]),
    ("events/an-event-may-say-more", &["dies-of-new-fields"]),
    (
        "events/without-an-event-nothing-is-handled",
        &["handles-nothing-at-all"],
    ),
    ("events/custom-is-handled", &["no-details"]),
    ("events/what-is-below-custom-is-handled", &["only-custom"]),
    ("events/data-may-say-that-it-fails", &["never-fails"]),
    ("events/only-true-says-that-it-fails", &["anything-is-true"]),
    ("events/another-type-is-not-handled", &["handles-all"]),
    ("events/a-type-that-begins-alike-is-another", &["begins-alike"]),
    ("events/noise-is-no-answer", &["noise"]),
    ("errors/an-unknown-method-is-told", &["unknown-in-other-words"]),
    (
        "errors/an-unknown-method-does-not-end-it",
        &["dies-after-an-error"],
    ),
    ("errors/what-is-no-json-is-an-error", &["dies-of-garbage"]),
    ("errors/what-is-no-object-is-an-error", &["dies-of-no-object"]),
    (
        "errors/a-request-without-method-is-an-error",
        &["dies-without-method"],
    ),
    (
        "errors/a-method-that-is-no-text-is-an-error",
        &["dies-of-odd-methods"],
    ),
    ("errors/params-may-be-missing", &["needs-params"]),
    (
        "errors/params-that-are-no-object-do-not-end-it",
        &["dies-of-params"],
    ),
    ("errors/an-id-comes-back", &["loses-ids"]),
    ("errors/an-error-has-the-id-too", &["errors-without-id"]),
    ("errors/an-unknown-method-is-named", &["unknown-without-name"]),
    ("json-rpc/an-answer-says-its-version", &["no-version"]),
    ("json-rpc/an-unknown-method-has-its-code", &["one-code"]),
    ("json-rpc/what-is-no-json-has-its-code", &["one-code"]),
    ("json-rpc/what-is-no-request-has-its-code", &["one-code"]),
    (
        "json-rpc/a-notification-has-no-answer",
        &["answers-notifications"],
    ),
    (
        "framing/each-question-has-one-answer",
        &["says-it-twice", "many-lines"],
    ),
    ("framing/a-line-may-come-in-pieces", &["reads-as-it-comes"]),
    ("framing/lines-may-come-together", &["one-request-a-read"]),
    ("framing/a-blank-line-does-not-end-it", &["dies-of-blank-lines"]),
    ("framing/a-line-may-have-a-mebibyte", &["short-lines"]),
    ("framing/what-is-no-utf-8-does-not-end-it", &["dies-of-no-utf-8"]),
    ("framing/text-stays-as-it-is", &["ascii"]),
    ("framing/a-blank-line-is-passed-over", &["answers-blank-lines"]),
    ("shutdown/it-ends-with-its-input", &["stays"]),
    ("shutdown/it-ends-after-shutdown", &["stays-after-shutdown"]),
    ("shutdown/half-a-line-is-an-end-too", &["stays-after-half-a-line"]),
    (
        "shutdown/shutdown-succeeds",
        &["shutdown-says-nothing", "ends-badly"],
    ),
    ("shutdown/the-end-of-its-input-is-a-success", &["ends-badly"]),
    ("shutdown/it-ends-when-asked-to", &["ignores-sigterm"]),
    (
        "nats/it-tells-the-name-of-its-subject",
        &["misnamed", "envelope-on-the-bus"],
    ),
    ("nats/an-empty-body-is-an-empty-map", &["needs-a-body"]),
    ("nats/what-is-no-body-does-not-end-it", &["dies-of-bodies"]),
    ("nats/what-is-no-map-does-not-end-it", &["dies-of-bodies"]),
    ("nats/json-is-answered-in-json", &["other-form"]),
    ("nats/messagepack-is-answered-in-messagepack", &["other-form"]),
    ("nats/what-is-no-body-is-an-error", &["answers-any-body"]),
    ("nats/it-answers-to-ping", &["no-service", "old"]),
    (
        "nats/it-lists-its-endpoints",
        &["no-service", "endpoints-elsewhere"],
    ),
    ("nats/it-counts-its-requests", &["no-service"]),
];

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
