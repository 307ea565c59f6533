//! What the benchmarks of whole services share: the programs, started as a host starts them, on a bus that is set
//! up as `snooze up` sets it up; and looks at what they take.
//!
//! It knows no goal and writes no report.

use serde_json::{Value, json};
use snooze_benchmarks::{Cost, Figure, Goal};
use snooze_bus::{Bucket, Role, User, keys};
use snooze_schemas::{HostId, policy::ConfigLayer, roster::RosterRecord};
use snooze_test_harness::{NatsServer, wait_until};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Two check intervals and more: the first samples, the first votes and the policy are behind it.
const SETTLED: Duration = Duration::from_secs(30);
/// The spread is told in slices of a whole number of check intervals.
const SLICE: Duration = Duration::from_secs(60);
/// How long a service may take until it talks to the server.
const START_LIMIT: Duration = Duration::from_secs(30);
/// As on a host that nobody is in a hurry with.
const CHECK_INTERVAL_SECONDS: u64 = 10;

/// A started service. Killed and waited for on drop.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) child: Child,
    log: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().expect("one's own child can be killed");
        self.child.wait().expect("one's own child can be waited for");
    }
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
        let said = File::create(&log).expect("the temporary folder can be written");
        let child = Command::new(&program)
            .args(words)
            .env_clear()
            .env("SNOOZE_CONFIG", &file)
            .env("SNOOZE_NATS_URL", server.url())
            .env("SNOOZE_CREDENTIALS", server.credentials(user))
            .env("SNOOZE_HOST", host.as_str())
            .env("SNOOZE_STATE", home.join("state"))
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .spawn()
            .unwrap_or_else(|cause| panic!("{} does not start: {cause}", program.display()));
        Service { name, child, log }
    }
}

/// What one process took: a look at every end of a slice.
pub(crate) struct Looks {
    pub(crate) name: &'static str,
    id: u32,
    pub(crate) costs: Vec<Cost>,
}

impl Looks {
    /// None yet.
    pub(crate) fn at(name: &'static str, id: u32) -> Looks {
        Looks {
            name,
            id,
            costs: Vec::new(),
        }
    }
}

/// The number after `--seconds`. Cargo passes arguments of its own.
pub(crate) fn seconds() -> Option<Duration> {
    let given = std::env::args()
        .skip_while(|argument| argument != "--seconds")
        .nth(1)?;
    Some(Duration::from_secs(
        given.parse().expect("--seconds takes a whole number"),
    ))
}

/// Looks at all of them at the beginning and at the end of every slice, and returns when that was.
pub(crate) async fn look_on(looks: &mut [Looks], measured: Duration) -> Vec<Duration> {
    let begun = Instant::now();
    let slices = u32::try_from(measured.as_secs() / SLICE.as_secs())
        .expect("an hour at most")
        .max(1);
    let mut moments = Vec::new();
    for slice in 0..=slices {
        tokio::time::sleep_until((begun + measured / slices * slice).into()).await;
        moments.push(begun.elapsed());
        for look in looks.iter_mut() {
            let cost = Cost::of(look.id).unwrap_or_else(|cause| panic!("{}: {cause}", look.name));
            look.costs.push(cost);
        }
    }
    moments
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

/// Waits until all have said that they run, and for their first rounds.
pub(crate) async fn settle(services: &[Service]) {
    for service in services {
        let what = format!("{} says something", service.name);
        wait_until(START_LIMIT, &what, async || {
            fs::metadata(&service.log).is_ok_and(|log| log.len() > 0)
        })
        .await;
    }
    tokio::time::sleep(SETTLED).await;
}

/// Megabytes of some processes together: the last look, and the spread over all.
pub(crate) fn memory(row: &str, looks: &[&Looks], goal: Option<f64>, kib: impl Fn(&Cost) -> u64) -> Figure {
    let count = looks.iter().map(|look| look.costs.len()).min().unwrap_or(0);
    let megabytes = |kib: u64| kib as f64 * 1024.0 / 1e6;
    let values: Vec<f64> = (0..count)
        .map(|at| looks.iter().map(|look| megabytes(kib(&look.costs[at]))).sum())
        .collect();
    Figure {
        row: row.to_owned(),
        unit: "MB",
        ours: values
            .last()
            .copied()
            .expect("there is a look at every end of a slice"),
        values,
        beside: None,
        goal: goal.map(Goal::AtMost),
    }
}

/// Percent of one core that some processes took together: over all, and the spread over the slices.
pub(crate) fn processor(name: &str, looks: &[&Looks], moments: &[Duration], goal: Option<f64>) -> Figure {
    let percent = |from: usize, to: usize| -> f64 {
        let spent: u64 = looks
            .iter()
            .map(|look| look.costs[to].processor_ns_since(&look.costs[from]))
            .sum();
        Duration::from_nanos(spent).as_secs_f64() / (moments[to] - moments[from]).as_secs_f64() * 100.0
    };
    let last = moments.len() - 1;
    Figure {
        row: format!("{name}: processor time, at a {CHECK_INTERVAL_SECONDS} s interval"),
        unit: "% of a core",
        ours: percent(0, last),
        values: (0..last).map(|slice| percent(slice, slice + 1)).collect(),
        beside: None,
        goal: goal.map(Goal::AtMost),
    }
}
