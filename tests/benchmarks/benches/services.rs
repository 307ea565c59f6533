//! What each service takes of memory and processors, as a release process of its own with its own
//! credentials, on a bus that is set up as `snooze up` sets it up, at a check interval of 10 s.
//!
//! Prints a table and writes the same to `target/bench/services.json`, one object a row. The programs have
//! to be built: `make bench-services` does both. `-- --seconds N` measures for another time than five
//! minutes.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts the real programs and waits by the real clock"
)]

use serde_json::json;
use snooze_benchmarks::{Cost, Figure, Goal, Report};
use snooze_bus::{Bucket, Role, User, keys};
use snooze_schemas::{HostId, policy::ConfigLayer, roster::RosterRecord};
use snooze_test_harness::{NatsServer, wait_until};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// For how long is measured unless somebody says otherwise.
const MEASURED: Duration = Duration::from_secs(300);
/// Two check intervals and more: the first samples, the first votes and the policy are behind it.
const SETTLED: Duration = Duration::from_secs(30);
/// The spread is told in slices of a whole number of check intervals.
const SLICE: Duration = Duration::from_secs(60);
/// How long a service may take until it talks to the server.
const START_LIMIT: Duration = Duration::from_secs(30);
const CHECK_INTERVAL_SECONDS: u64 = 10;
/// Of collectd 5 at the same interval on a machine like this: the best that there is.
const GOAL_PROCESSOR_PERCENT: f64 = 0.017;
const GOAL_MEMORY_MB: f64 = 10.0;

/// What runs on every host.
const ON_A_HOST: [&str; 3] = ["snooze-collector", "snooze-plugin-runner", "snooze-event-gateway"];
const EXECUTOR: &str = "snooze-executor";
const SERVER: &str = "nats-server";

/// A started service. Killed and waited for on drop.
struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().expect("one's own child can be killed");
        self.child.wait().expect("one's own child can be waited for");
    }
}

/// What one process took: a look at every end of a slice.
struct Looks {
    name: &'static str,
    id: u32,
    costs: Vec<Cost>,
}

fn main() {
    let measured = seconds().unwrap_or(MEASURED);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let report = runtime.block_on(measure(measured));
    print!("{}", report.table());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    report.write(&folder, "services").expect("target can be written");
}

/// The number after `--seconds`. Cargo passes arguments of its own.
fn seconds() -> Option<Duration> {
    let given = std::env::args()
        .skip_while(|argument| argument != "--seconds")
        .nth(1)?;
    Some(Duration::from_secs(
        given.parse().expect("--seconds takes a whole number"),
    ))
}

async fn measure(measured: Duration) -> Report {
    let server = NatsServer::with_roles().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let host: HostId = "bench".parse().expect("a host id");
    set_up(&server, &host).await;
    let services = start(&server, &host, home.path());
    settle(&services).await;

    let mut looks: Vec<Looks> = services
        .iter()
        .map(|service| (service.name, service.child.id()))
        .chain([(SERVER, server_id(&server))])
        .map(|(name, id)| Looks {
            name,
            id,
            costs: Vec::new(),
        })
        .collect();
    let begun = Instant::now();
    let slices = u32::try_from(measured.as_secs() / SLICE.as_secs())
        .expect("an hour at most")
        .max(1);
    let mut moments = Vec::new();
    for slice in 0..=slices {
        tokio::time::sleep_until((begun + measured / slices * slice).into()).await;
        moments.push(begun.elapsed());
        for look in &mut looks {
            let cost = Cost::of(look.id).unwrap_or_else(|cause| panic!("{}: {cause}", look.name));
            look.costs.push(cost);
        }
    }
    report(&looks, &moments)
}

/// Streams and buckets, the policy, and the host in the roster.
async fn set_up(server: &NatsServer, host: &HostId) {
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

fn start(server: &NatsServer, host: &HostId, home: &Path) -> Vec<Service> {
    let of_host = User::host(host);
    let gateway = User::named(Role::Gateway, "gateway").expect("a name");
    let executor = User::named(Role::Executor, "executor").expect("a name");
    let configuration = home.join("snooze.json");
    fs::write(&configuration, "{}").expect("the temporary folder can be written");
    let programs = programs();
    let users = [&of_host, &of_host, &gateway, &executor];
    let names = ON_A_HOST.into_iter().chain([EXECUTOR]);
    names
        .zip(users)
        .map(|(name, user)| {
            let program = programs.join(name);
            let log = home.join(format!("{name}.log"));
            let said = File::create(&log).expect("the temporary folder can be written");
            let child = Command::new(&program)
                .env_clear()
                .env("SNOOZE_CONFIG", &configuration)
                .env("SNOOZE_NATS_URL", server.url())
                .env("SNOOZE_CREDENTIALS", server.credentials(user))
                .env("SNOOZE_HOST", host.as_str())
                .env("SNOOZE_STATE", home.join("state"))
                .env("XDG_RUNTIME_DIR", home.join("run"))
                .stdin(Stdio::null())
                .stdout(said.try_clone().expect("a file"))
                .stderr(said)
                .spawn()
                .unwrap_or_else(|cause| {
                    panic!(
                        "{} does not start ({cause}): `make bench-services` builds it",
                        program.display()
                    )
                });
            Service { name, child, log }
        })
        .collect()
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
async fn settle(services: &[Service]) {
    for service in services {
        let what = format!("{} says something", service.name);
        wait_until(START_LIMIT, &what, async || {
            fs::metadata(&service.log).is_ok_and(|log| log.len() > 0)
        })
        .await;
    }
    tokio::time::sleep(SETTLED).await;
}

/// The server's process id, which it writes into the name of its ports file.
fn server_id(server: &NatsServer) -> u32 {
    let files = fs::read_dir(server.folder()).expect("its folder is there");
    files
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find_map(|name| name.strip_suffix(".ports")?.rsplit_once('_')?.1.parse().ok())
        .expect("it listens, so it has written the file")
}

fn report(looks: &[Looks], moments: &[Duration]) -> Report {
    let mut report = Report::default();
    let on_a_host: Vec<&Looks> = looks
        .iter()
        .filter(|look| ON_A_HOST.contains(&look.name))
        .collect();
    report.add(memory(
        "host agent, three processes: PSS",
        &on_a_host,
        Some(GOAL_MEMORY_MB),
        |cost| cost.memory.pss,
    ));
    report.add(processor(
        "host agent, three processes",
        &on_a_host,
        moments,
        Some(GOAL_PROCESSOR_PERCENT),
    ));
    for look in looks {
        let (name, one) = (look.name, [look]);
        report.add(memory(&format!("{name}: RSS"), &one, None, |cost| {
            cost.memory.rss
        }));
        report.add(memory(&format!("{name}: PSS"), &one, None, |cost| {
            cost.memory.pss
        }));
        report.add(memory(&format!("{name}: PSS of files"), &one, None, |cost| {
            cost.memory.pss_file
        }));
        report.add(memory(&format!("{name}: anonymous"), &one, None, |cost| {
            cost.memory.anonymous
        }));
        report.add(processor(name, &one, moments, None));
    }
    report
}

/// Megabytes of some processes together: the last look, and the spread over all.
fn memory(row: &str, looks: &[&Looks], goal: Option<f64>, kib: impl Fn(&Cost) -> u64) -> Figure {
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
fn processor(name: &str, looks: &[&Looks], moments: &[Duration], goal: Option<f64>) -> Figure {
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
