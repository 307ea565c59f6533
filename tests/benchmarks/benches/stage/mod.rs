//! What the benchmarks of whole services share: the programs, started as a host starts them, on a bus that is set
//! up as `snooze up` sets it up. Whatever ends a benchmark ends what it started.
//!
//! It measures nothing.

use serde_json::{Value, json};
use snooze_bus::{Bucket, Role, User, keys};
use snooze_schemas::{HostId, policy::ConfigLayer, roster::RosterRecord};
use snooze_test_harness::{NatsServer, Process, wait_until};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a service may take until it talks to the server.
const START_LIMIT: Duration = Duration::from_secs(30);
/// As on a host that nobody is in a hurry with.
pub(crate) const CHECK_INTERVAL_SECONDS: u64 = 10;

/// A started service.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
}

impl Service {
    /// Starts a release program with these credentials and this configuration; after a blank its name says which part
    /// of it.
    pub(crate) fn start(
        name: &'static str,
        server: &NatsServer,
        user: &User,
        host: &HostId,
        home: &Path,
        configuration: &Value,
    ) -> Service {
        let file = home.join(format!("{name}.json"));
        fs::write(&file, configuration.to_string()).expect("the temporary folder can be written");
        let mut words = name.split(' ');
        let built = programs().join(words.next().unwrap_or_default());
        // A copy of its own: two parts of one program share its text where they run on one machine, and these do not.
        let program = home.join(name.replace(' ', "-"));
        fs::copy(&built, &program).unwrap_or_else(|cause| {
            panic!(
                "{} cannot be copied ({cause}): the Makefile's target builds it",
                built.display()
            )
        });
        let log = home.join(format!("{name}.log"));
        let arguments: Vec<String> = words.map(str::to_owned).collect();
        let environment: BTreeMap<String, OsString> = [
            ("SNOOZE_CONFIG", file.into_os_string()),
            ("SNOOZE_NATS_URL", server.url().into()),
            ("SNOOZE_CREDENTIALS", server.credentials(user).into_os_string()),
            ("SNOOZE_HOST", host.as_str().into()),
            ("SNOOZE_STATE", home.join("state").into_os_string()),
            ("XDG_RUNTIME_DIR", home.join("run").into_os_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let process = Process::start_apart(&program, &arguments, &environment, &log, &log)
            .unwrap_or_else(|cause| panic!("{} does not start: {cause}", program.display()));
        Service { name, process }
    }

    /// Waits until it has said that it runs.
    pub(crate) async fn runs(&self) {
        let what = format!("{} says something", self.name);
        wait_until(START_LIMIT, &what, async || !self.process.said().is_empty()).await;
    }
}

/// Streams and buckets, the policy, and the host in the roster.
pub(crate) async fn set_up(server: &NatsServer, host: &HostId) {
    let set_up = server
        .bus(&User::named(Role::SetUp, "set-up").expect("a name"))
        .await;
    set_up.set_up().await.expect("the set-up may make everything");
    let roster: RosterRecord = serde_json::from_value(json!({
        "provider": "simulated", "region": "eu-central-1", "account": "123456789012",
        "instance": "i-0123456789abcdef0", "enrolled_at": "2026-01-01T00:00:00Z",
    }))
    .expect("a record");
    let bucket = set_up.bucket(Bucket::Config);
    bucket
        .put(&keys::roster_key(host), &roster)
        .await
        .expect("the set-up enrols");
    let layer: ConfigLayer = serde_json::from_value(json!({
        "policy": { "mode": "observe", "check_interval_seconds": CHECK_INTERVAL_SECONDS },
    }))
    .expect("a layer");
    let administrator = User::named(Role::Administrator, "ada").expect("a name");
    let bucket = server.bus(&administrator).await.bucket(Bucket::Config);
    bucket
        .put(keys::FLEET, &layer)
        .await
        .expect("an administrator writes the policy");
}

/// The folder of release programs that this one was built into: `target/release/deps` is its own.
fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    own.ancestors()
        .nth(2)
        .expect("cargo builds it two folders deep")
        .to_owned()
}
