//! The program as a script sees it where there is no bus: exit codes, and which output says what. And as a
//! newcomer sees it, who types no more than `snooze up`.

mod credentials;
mod demonstration;
mod event;
mod named_files;
mod official_in_fences;
mod official_plugins;
mod place;
mod plugin_approval;
mod plugin_approved_events;
mod plugin_approved_files;
mod plugin_install;
mod plugin_levels;
mod plugin_looking;
mod plugin_package;
mod plugin_question;
mod plugin_reach;
mod plugin_run;
mod plugin_run_nats;
mod plugin_running;
mod plugin_settings;
mod plugin_templates;
mod plugin_test;
mod plugin_test_cut;
mod plugin_test_native;
mod plugin_test_nats;
mod plugin_uninstall;
mod plugin_whole;
mod protocol_document;
mod rights;
mod simulate;
mod watch;

use snooze_test_harness::{Process, wait_for};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// A command that needs no bus answers at once; the rest is for a machine that compiles meanwhile.
const LIMIT: Duration = Duration::from_secs(30);

/// What a command left behind.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program with an empty folder as its home.
async fn snooze(arguments: &[&str]) -> Done {
    snooze_within(LIMIT, arguments).await
}

/// The same, for what takes its time.
async fn snooze_within(limit: Duration, arguments: &[&str]) -> Done {
    snooze_seeing(limit, &[], arguments).await
}

/// The same, with these variables beside its home.
async fn snooze_seeing(limit: Duration, variables: &[(&str, &str)], arguments: &[&str]) -> Done {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let (out, err) = (home.path().join("out"), home.path().join("err"));
    let mut environment = BTreeMap::from([("HOME".to_owned(), home.path().as_os_str().to_owned())]);
    let variables = variables.iter();
    environment.extend(variables.map(|(name, value)| ((*name).to_owned(), (*value).into())));
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_snooze"));
    let mut process =
        Process::start_apart(program, &arguments, &environment, &out, &err).expect("the program starts");
    let ended = wait_for(limit, "the command ends", async || process.ended()).await;
    let read = |path: &Path| fs::read_to_string(path).expect("both outputs are files");
    Done {
        code: ended.code(),
        out: read(&out),
        err: read(&err),
    }
}

#[tokio::test]
async fn without_a_bus_a_question_is_one_line_and_exit_code_3() {
    for arguments in [
        &["status"][..],
        &["hosts"],
        &["freeze"],
        &["history"],
        &["plugin", "list"],
        &["event", "send", "x"],
    ] {
        let done = snooze(arguments).await;
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(3), ""),
            "{arguments:?}: {done:?}"
        );
        assert_eq!(done.err.lines().count(), 1, "{arguments:?}: {done:?}");
        assert!(done.err.starts_with("snooze: "), "{arguments:?}: {done:?}");
    }
}

#[tokio::test]
async fn a_bus_that_does_not_answer_is_one_line_and_exit_code_3() {
    // A port that was free a moment ago, so that nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = free.local_addr().expect("a bound socket has an address");
    drop(free);
    let done = snooze(&["--server", &format!("nats://{address}"), "status"]).await;
    assert_eq!((done.code, done.err.lines().count()), (Some(3), 1), "{done:?}");
    assert!(done.err.contains(&address.to_string()), "{done:?}");
}

#[tokio::test]
async fn what_cannot_be_meant_is_exit_code_64() {
    for arguments in [
        &["status", "--no-such-option"][..],
        &["no-such-command"],
        &[],
        &["lease", "web", "--for", "soon"],
        &["lease", "web", "--for", "8"],
        &["history", "--since", "99999d"],
        &["--server", "http://127.0.0.1:4222", "status"],
        &["--server", "nonsense", "status"],
        &["explain", "not a host"],
        &["event", "send", "x", "--data", "[]"],
        &["up", "--cloud", "moon"],
        &["up", "--config", "/no/such/file.json"],
        &[
            "--credentials",
            "/no/such/file.creds",
            "--server",
            "nats://127.0.0.1:1",
            "status",
        ],
    ] {
        let done = snooze(arguments).await;
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(64), ""),
            "{arguments:?}: {done:?}"
        );
        assert!(!done.err.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn help_version_and_completions_go_to_stdout() {
    let done = snooze(&["--help"]).await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    assert!(done.out.contains("Exit codes: 0 done"), "{done:?}");
    let done = snooze(&["--version"]).await;
    assert_eq!(
        (done.code, done.out.trim_end()),
        (Some(0), concat!("snooze ", env!("CARGO_PKG_VERSION")))
    );
    for shell in ["bash", "zsh", "fish"] {
        let done = snooze(&["completions", shell]).await;
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{shell}");
        assert!(
            done.out.contains("snooze") && done.out.contains("freeze"),
            "{shell}"
        );
    }
}

#[cfg(not(feature = "aws"))]
#[tokio::test]
async fn a_program_without_ec2_says_so_and_how_to_get_it() {
    let done = snooze(&["up", "--cloud", "aws"]).await;
    assert_eq!((done.code, done.err.lines().count()), (Some(64), 1), "{done:?}");
    assert!(done.err.contains("CLOUD=aws"), "{done:?}");
}
