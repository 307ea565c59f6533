//! `snooze credentials` beside what stands already.

use crate::{Done, snooze};
use snooze_bus::{Bucket, Bus, Keys, Role, User, keys};
use snooze_schemas::{
    SourceName,
    event::Severity,
    roster::{SourceHosts, SourceRecord},
};
use snooze_test_harness::NatsServer;
use std::{fs, path::PathBuf};

/// A bus, and a folder with keys to sign with.
struct Place {
    server: NatsServer,
    administrator: Bus,
    folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Place {
        let server = NatsServer::with_roles().await;
        let user = |role, name| User::named(role, name).expect("a name");
        let set_up = server.bus(&user(Role::SetUp, "set-up")).await;
        set_up.set_up().await.expect("sets up");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Keys::open(&folder.path().join("state/keys")).expect("keys are made");
        Place {
            administrator: server.bus(&user(Role::Administrator, "ada")).await,
            server,
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `snooze credentials …` as the administrator.
    async fn credentials(&self, arguments: &[&str]) -> Done {
        let mut all = vec!["credentials"];
        all.extend(arguments);
        self.snooze(&all).await
    }

    /// Runs a command as the administrator.
    async fn snooze(&self, arguments: &[&str]) -> Done {
        let text = |path: PathBuf| path.into_os_string().into_string().expect("plain names");
        let ada = User::named(Role::Administrator, "ada").expect("a name");
        let (server, state) = (self.server.url(), text(self.path("state")));
        let administrator = text(self.server.credentials(&ada));
        let mut all = vec!["--server", &server, "--credentials", &administrator];
        all.extend(["--state", &state]);
        all.extend(arguments);
        snooze(&all).await
    }

    async fn record(&self, name: &str) -> Option<SourceRecord> {
        let source: SourceName = name.parse().expect("a source");
        let bucket = self.administrator.bucket(Bucket::Config);
        let found = bucket.get(&keys::source_key(&source)).await.expect("reads");
        found.map(|entry| entry.value)
    }
}

#[tokio::test]
async fn i5_rights_that_stand_are_changed_by_nobody_who_does_not_ask_for_it() {
    let place = Place::new().await;
    let narrow = ["source", "ci", "--host", "web", "--severity", "1"];
    let done = place.credentials(&narrow).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let record = SourceRecord {
        hosts: SourceHosts::Only(vec!["web".parse().expect("a host")]),
        max_severity: Severity::Warning,
    };
    assert_eq!(place.record("ci").await.as_ref(), Some(&record));
    let again = place.credentials(&narrow).await;
    assert_eq!(again.code, Some(0), "the same is no change: {again:?}");

    let wide = place.credentials(&["operator", "ci"]).await;
    assert_eq!((wide.code, wide.err.lines().count()), (Some(4), 1), "{wide:?}");
    assert!(
        wide.err.contains("--replace") && wide.err.contains("the hosts web, severity 1 at most"),
        "{wide:?}"
    );
    assert_eq!(place.record("ci").await.as_ref(), Some(&record));
    assert!(!place.path("state/creds/operator-ci.creds").exists());

    let asked = place.credentials(&["operator", "ci", "--replace"]).await;
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let wide = SourceRecord {
        hosts: SourceHosts::All,
        max_severity: Severity::Critical,
    };
    assert_eq!(place.record("ci").await.as_ref(), Some(&wide));
    let narrowed = place.credentials(&narrow).await;
    assert_eq!(narrowed.code, Some(4), "{narrowed:?}");
    assert_eq!(place.record("ci").await.as_ref(), Some(&wide));
}

#[tokio::test]
async fn a_file_that_is_there_is_refused_before_any_right_is_written() {
    let place = Place::new().await;
    let file = place.path("mine.creds");
    fs::write(&file, "mine").expect("a folder of our own can be written");
    let output = file.to_str().expect("a plain name");
    let done = place.credentials(&["operator", "eve", "--output", output]).await;
    assert_eq!((done.code, done.err.lines().count()), (Some(1), 1), "{done:?}");
    assert_eq!(place.record("eve").await, None);
    assert_eq!(fs::read_to_string(&file).expect("is there"), "mine");
}

#[tokio::test]
async fn a_plugin_has_the_same_credentials_by_either_command() {
    let place = Place::new().await;
    let whose = |done: &Done| {
        let made: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
        ["role", "name", "inbox_prefix"].map(|key| made[key].clone())
    };
    for (alias, command) in [
        (
            &["redis", "--host", "web"][..],
            &["plugin", "redis", "--host", "web"][..],
        ),
        (&["redis", "--fleet"], &["fleet-plugin", "redis"]),
    ] {
        let mut words = vec!["plugin", "credentials", "--json"];
        words.extend(alias);
        let by_alias = place.snooze(&words).await;
        assert_eq!(by_alias.code, Some(0), "{by_alias:?}");
        let mut words = vec!["--json"];
        words.extend(command);
        let by_command = place.credentials(&words).await;
        assert_eq!(whose(&by_alias), whose(&by_command), "{by_alias:?}");
    }
    let both = ["plugin", "credentials", "redis", "--host", "web", "--fleet"];
    let done = place.snooze(&both).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
}
