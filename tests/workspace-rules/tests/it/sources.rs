//! What may stand in a source file, and in which.

use crate::expect_none;
use snooze_workspace_rules::{SourceFile, sources};

/// More lines than this and a file has two subjects.
const LINES: usize = 600;

/// This file names what it looks for.
const THIS_FILE: &str = "tests/workspace-rules/tests/it/sources.rs";

/// A path or the beginning of one, and why it may do what others may not.
type Exceptions = [(&'static str, &'static str)];

fn excepted(path: &str, exceptions: &Exceptions) -> bool {
    path == THIS_FILE || exceptions.iter().any(|(prefix, _)| path.starts_with(prefix))
}

/// Every line of code that holds one of the texts, outside the exceptions.
fn lines_with<'a>(
    files: &'a [SourceFile],
    texts: &[&str],
    exceptions: &Exceptions,
    lines: impl Fn(&'a SourceFile) -> Vec<(usize, &'a str)>,
) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !excepted(&file.path, exceptions)) {
        for (number, line) in lines(file) {
            if texts.iter().any(|text| line.contains(text)) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    found
}

fn all(file: &SourceFile) -> Vec<(usize, &str)> {
    file.code().collect()
}

fn outside_tests(file: &SourceFile) -> Vec<(usize, &str)> {
    file.code_outside_tests().collect()
}

fn of_tests(file: &SourceFile) -> Vec<(usize, &str)> {
    file.code_of_tests().collect()
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    let breaches: Vec<_> = sources()
        .into_iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path)
        .collect();
    expect_none(&breaches, "the first line of a file is `//! ` and what this is");
}

#[test]
fn no_file_is_longer_than_its_reader_can_hold() {
    let breaches: Vec<_> = sources()
        .iter()
        .filter(|file| file.text.lines().count() > LINES)
        .map(|file| format!("{}: {} lines", file.path, file.text.lines().count()))
        .collect();
    expect_none(&breaches, "300 lines as a rule, 600 at most");
}

#[test]
fn only_named_files_start_processes() {
    const MAY: [(&str, &str); 6] = [
        (
            "plugins/sdk/rust/tests/it/child.rs",
            "a plugin is asked as a runner asks it, and stands without one",
        ),
        (
            "services/plugin-runner/src/process",
            "plugins are started, fenced and ended in one place",
        ),
        (
            "plugins/conformance/src/process.rs",
            "the suite asks a plugin that no runner supervises, and kills it with its group",
        ),
        (
            "services/plugin-runner/benches/",
            "a bare loop over a plugin's pipes, to measure ours beside it",
        ),
        (
            "services/cli/src/up/broker.rs",
            "`snooze up` starts the private nats-server and looks for one",
        ),
        (
            "tests/harness/src/process.rs",
            "tests and benchmarks start the real programs, which end with them however they end",
        ),
    ];
    let breaches = lines_with(&sources(), &["Command::new("], &MAY, all);
    expect_none(
        &breaches,
        "a process that is started elsewhere is one that nobody ends",
    );
}

#[test]
fn only_the_bus_writes_subjects() {
    const MAY: [(&str, &str); 4] = [
        ("nats/bus/", "one enum renders and parses them"),
        ("tests/", "tests send what our own client cannot"),
        (
            "plugins/",
            "examples show what an author has to type, and an SDK types it without the product's internals",
        ),
        ("schemas/tests/", "golden messages"),
    ];
    let breaches = lines_with(
        &sources(),
        &["\"snooze.v1.", "\"snooze.v1\"", "\"$KV.", "\"$JS.", "\"$SRV"],
        &MAY,
        outside_tests,
    );
    expect_none(
        &breaches,
        "a subject that is built elsewhere is one that no type checks",
    );
}

#[test]
fn only_the_bus_names_the_nats_client() {
    const MAY: [(&str, &str); 3] = [
        ("nats/bus/", "all we know about NATS is here"),
        (
            "plugins/sdk/rust/",
            "an SDK stands on its own, and must not draw in the product's internals",
        ),
        ("tests/", "tests forge what our own client cannot send"),
    ];
    expect_none(
        &lines_with(&sources(), &["async_nats"], &MAY, all),
        "all we know about NATS is in one crate",
    );
}

#[test]
fn only_named_files_read_the_environment() {
    const MAY: [(&str, &str); 7] = [
        (
            "services/plugin-runner/src/fence.rs",
            "a plugin may be granted variables of it, by name",
        ),
        (
            "plugins/sdk/rust/src/environment.rs",
            "how every SDK is told its transport, in one place",
        ),
        (
            "services/decision/tests/it/simulation/mod.rs",
            "a person names the one seed to run alone",
        ),
        (
            "services/service-runtime/src/config/source.rs",
            "configuration is read once, from an injected source",
        ),
        (
            "services/cli/src/home.rs",
            "who types, and where their folders are, is no configuration",
        ),
        (
            "tests/harness/src/process.rs",
            "finds the programs that tests need",
        ),
        ("tests/end-to-end/", "runs programs in an environment of its own"),
    ];
    let texts = ["env::var(", "env::vars(", "env::var_os(", "env::vars_os("];
    expect_none(
        &lines_with(&sources(), &texts, &MAY, all),
        "an ambient variable is configuration that nobody checks",
    );
}

#[test]
fn only_the_clocks_read_the_clocks() {
    const MAY: [(&str, &str); 4] = [
        (
            "services/service-runtime/src/clocks.rs",
            "durations, ages and times of day come from here, and tests can move them",
        ),
        (
            "services/collector/src/took.rs",
            "how long a reading took is told and decides nothing",
        ),
        (
            "services/collector/src/presence/conversation.rs",
            "the limit of a blocking socket, which only the kernel's own clock can keep",
        ),
        ("tests/", "tests wait by the real clock"),
    ];
    let texts = ["SystemTime::now(", "Timestamp::now(", "clock_gettime("];
    expect_none(
        &lines_with(&sources(), &texts, &MAY, outside_tests),
        "a clock that no test can move hides what depends on it",
    );
}

#[test]
fn no_test_is_switched_off() {
    let breaches = lines_with(&sources(), &["#[ignore"], &[], all);
    expect_none(&breaches, "a test that does not run proves nothing");
}

#[test]
fn no_test_sleeps_in_order_to_wait() {
    const MAY: [(&str, &str); 5] = [
        (
            "services/snooze-executor/tests/it/host.rs",
            "a host that answers late",
        ),
        (
            "tests/harness/src/wait.rs",
            "the one place that waits between two looks",
        ),
        ("tests/harness/src/ec2_proxy", "a proxy that delays"),
        ("tests/harness/src/proxy.rs", "a proxy that delays"),
        (
            "services/collector/tests/it/real.rs",
            "a real measurement covers real time",
        ),
    ];
    // A time-out or a limit of a select is no sleep before a look: its branch fails the test.
    let found = lines_with(&sources(), &["sleep("], &MAY, of_tests);
    let breaches: Vec<_> = found
        .into_iter()
        .filter(|line| !line.contains("=> panic!"))
        .collect();
    expect_none(
        &breaches,
        "a sleep is too short on a slow machine and too long on every other one: wait_until",
    );
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let texts = ["#[allow(", "#![allow("];
    expect_none(
        &lines_with(&sources(), &texts, &[], all),
        "`expect` says when it is no longer needed",
    );
}

#[test]
fn errors_are_typed_below_the_programs() {
    const MAY: [(&str, &str); 2] = [
        ("services/cli/src/", "a person reads its errors"),
        ("tests/", "a test's reader is its author"),
    ];
    let found = lines_with(&sources(), &["anyhow"], &MAY, outside_tests);
    let breaches: Vec<_> = found
        .into_iter()
        .filter(|line| !line.contains("/main.rs:"))
        .collect();
    expect_none(
        &breaches,
        "who handles an error has to be able to tell it from another",
    );
}

#[test]
fn deciding_has_no_std_no_serde_and_no_async() {
    let files: Vec<_> = sources()
        .into_iter()
        .filter(|file| file.path.starts_with("services/decision/src/"))
        .collect();
    let crate_root = files
        .iter()
        .find(|file| file.path.ends_with("src/lib.rs"))
        .expect("it has a root");
    assert!(
        crate_root.text.contains("#![no_std]"),
        "the compiler refuses clocks and IO"
    );
    let texts = [
        "std::",
        "extern crate std",
        "serde",
        "async ",
        ".await;",
        ".await?",
        ".await.",
        ".await)",
        "tokio",
        "tracing",
        "rand::",
        "println!",
    ];
    expect_none(
        &lines_with(&files, &texts, &[], outside_tests),
        "same inputs, same outputs, on any machine",
    );
}
