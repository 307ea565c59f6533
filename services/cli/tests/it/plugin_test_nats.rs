//! `snooze plugin test` of a plugin that runs by itself: it is started on a bus of its own and asked there.

use crate::{Done, snooze_seeing};
use serde_json::json;
use snooze_test_harness::nats_server;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// It takes three seconds; the rest is for a machine that compiles meanwhile.
const LIMIT: Duration = Duration::from_secs(90);

/// The one that the SDK for Python installs for its tests: credentials take a signer, which the others do without.
fn interpreter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/sdk-python/bin/python")
}

/// The plugin of the suite's own tests in a folder, which breaks a law where it is told to.
pub(crate) struct OnBus {
    pub(crate) around: TempDir,
    pub(crate) folder: PathBuf,
}

impl OnBus {
    pub(crate) fn new() -> OnBus {
        let around = tempfile::tempdir().expect("a folder");
        let folder = around.path().join("example-python");
        fs::create_dir(&folder).expect("a folder");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/conformance/tests/plugin");
        for name in ["example.py", "msgpack_by_hand.py"] {
            fs::copy(from.join(name), folder.join(name)).expect("a file");
        }
        let manifest = json!({
            "name": "example-python", "version": "1.0.0", "entry_point": "example.py", "process_model": "nats",
            "config_schema": {"threshold": {"type": "float", "default": 10, "constraints": "min=0.1"}},
            "permissions": {"events": ["custom"], "env": ["SIN"]}, "events": {"custom": {"enabled": true}},
        });
        fs::write(folder.join("plugin.json"), manifest.to_string()).expect("a file");
        let interpreter = format!("#!{} -B\n", interpreter().display());
        let plugin =
            OnBus { around, folder }.replaced("example.py", "#!/usr/bin/env python3\n", &interpreter);
        let entry = plugin.folder.join("example.py");
        fs::set_permissions(entry, fs::Permissions::from_mode(0o755)).expect("it is ours");
        plugin
    }

    /// With other words in a file of it.
    pub(crate) fn replaced(self, file: &str, old: &str, new: &str) -> OnBus {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(text.contains(old), "{file} has no {old:?}");
        fs::write(path, text.replace(old, new)).expect("it is ours");
        self
    }

    async fn test(&self, sin: &str, more: &[&str]) -> Done {
        let (folder, server) = (self.folder.to_str().expect("plain"), nats_server());
        let server = server.to_str().expect("a plain name");
        let words = [&["plugin", "test", folder, "--nats-server", server], more].concat();
        snooze_seeing(LIMIT, &[("SIN", sin), ("SECRET", "hunter2")], &words).await
    }

    /// Fails, and says so of these.
    async fn fails(&self, sin: &str, cases: &[&str]) -> Done {
        let done = self.test(sin, &[]).await;
        assert_eq!(done.code, Some(1), "{sin}: {done:?}");
        let failed: Vec<&str> = done
            .out
            .lines()
            .filter_map(|line| line.strip_prefix("FAILED ")?.split(' ').next())
            .collect();
        for case in cases {
            assert!(failed.contains(case), "{sin}: {case}: {}", done.out);
        }
        done
    }
}

#[tokio::test]
async fn it_is_started_on_a_bus_of_its_own_and_asked_in_both_forms_and_that_it_is_not_fenced_is_said() {
    let plugin = OnBus::new();
    let report = plugin.around.path().join("report.xml");
    let done = plugin
        .test("", &["--junit", report.to_str().expect("a plain name")])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    for said in [
        "passed bus/it-comes (nats-messagepack)",
        "passed bus/it-takes-its-configuration (nats-messagepack)",
        "passed readings/recorded-cpu (nats-messagepack)",
        "passed events/custom.test (nats-messagepack)",
        "passed configuration/threshold-breaks-its-minimum (nats-messagepack)",
        "passed configuration/threshold-takes-its-minimum (nats-messagepack)",
        "passed nats/without-its-kind-an-event-is-refused (nats-json)",
        "passed nats/without-its-kind-an-event-is-refused (nats-messagepack)",
        "passed nats/an-event-of-another-host-is-refused (nats-json)",
        "passed bus/it-goes-on (nats-messagepack)",
        "passed bus/it-ends (nats-messagepack)",
        "note   not fenced: ",
        "note   of readings it said idle ",
    ] {
        assert!(done.out.contains(said), "{said}\n{}", done.out);
    }
    let report = fs::read_to_string(report).expect("it is written");
    assert!(
        report.contains("failures=\"0\"") && report.contains("an-event-of-another-host-is-refused"),
        "{report}"
    );
}

#[tokio::test]
async fn i3_one_that_takes_an_event_without_its_headers_is_found() {
    let plugin = OnBus::new();
    for (sin, case) in [
        ("needs-no-kind", "nats/without-its-kind-an-event-is-refused"),
        (
            "takes-what-is-stored",
            "nats/an-event-that-a-server-stored-is-refused",
        ),
    ] {
        plugin.fails(sin, &[case]).await;
    }
}

#[tokio::test]
async fn i1_one_that_handles_the_event_of_another_host_is_found() {
    let plugin = OnBus::new();
    plugin
        .fails(
            "takes-others-events",
            &["nats/an-event-of-another-host-is-refused"],
        )
        .await;
}

#[tokio::test]
async fn it_is_told_its_bus_and_what_its_manifest_names_and_nothing_else() {
    let seen = "SEEN = {'PATH', 'LANG', 'HOME', 'SIN', 'SNOOZE_NATS_URL', 'SNOOZE_NATS_CREDENTIALS', 'SNOOZE_HOST'}\n\
                more = set(os.environ) ^ SEEN\n\
                assert not more, more\n\
                SIN = os.environ";
    let plugin = OnBus::new().replaced("example.py", "SIN = os.environ", seen);
    let done = plugin.test("", &[]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[tokio::test]
async fn one_that_does_not_come_onto_the_bus_says_why() {
    let plugin = OnBus::new().replaced(
        "example.py",
        "SIN = os.environ",
        "sys.exit('no licence')\nSIN = os.environ",
    );
    let done = plugin.fails("", &["bus/it-comes"]).await;
    assert!(
        done.out.contains("no licence") && done.out.contains("it ended with exit code 1"),
        "its own words are shown: {}",
        done.out
    );
    assert!(
        !done.out.contains("bus/it-ends"),
        "nothing else was asked: {}",
        done.out
    );
}

#[tokio::test]
async fn one_that_dies_of_a_question_or_stays_after_sigterm_is_found() {
    let plugin = OnBus::new();
    plugin.fails("dies-of-new-readings", &["bus/it-goes-on"]).await;
    let stays = plugin.replaced("example.py", "stopped.set)", "lambda: None)");
    let done = stays.fails("", &["bus/it-ends"]).await;
    assert_eq!(done.out.matches("FAILED").count(), 1, "{}", done.out);
}

#[tokio::test]
async fn t3_one_that_is_deaf_to_its_configuration_or_refuses_what_its_schema_allows_is_found() {
    let stricter = OnBus::new().replaced("plugin.json", "min=0.1", "min=0");
    let done = stricter
        .fails("", &["configuration/threshold-takes-its-minimum"])
        .await;
    assert_eq!(done.out.matches("FAILED").count(), 1, "{}", done.out);
    assert!(
        done.out.contains("threshold has to be a number above 0"),
        "{}",
        done.out
    );
    let deaf = OnBus::new().replaced("example.py", "for method, name in names.items():\n            if", "for method, name in names.items():\n            if name == 'configure':\n                continue\n            if");
    deaf.fails("", &["bus/it-takes-its-configuration"]).await;
}

#[tokio::test]
async fn an_info_that_disagrees_with_the_manifest_is_found() {
    OnBus::new()
        .fails("old", &["manifest/info-agrees-on-its-version"])
        .await;
}

#[tokio::test]
async fn without_events_none_is_sent_and_without_a_server_nothing_is_started() {
    let plugin = OnBus::new();
    let done = plugin.test("", &["--without-events"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.contains("it was sent no events") && !done.out.contains("events/custom.test"),
        "{}",
        done.out
    );
    let folder = plugin.folder.to_str().expect("a plain name");
    let words = ["plugin", "test", folder, "--nats-server", "/no/such/server"];
    let done = snooze_seeing(LIMIT, &[], &words).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(done.err.contains("/no/such/server"), "{done:?}");
}
