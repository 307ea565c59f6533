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

#[path = "../cost/mod.rs"]
mod cost;
#[path = "../stage/mod.rs"]
mod stage;

use cost::{Looks, look_on, memory, processor, seconds, settle};
use serde_json::json;
use snooze_benchmarks::Report;
use snooze_bus::{Role, User};
use snooze_schemas::HostId;
use snooze_test_harness::NatsServer;
use stage::{Service, set_up};
use std::{fs, path::Path, time::Duration};

/// For how long is measured unless somebody says otherwise.
const MEASURED: Duration = Duration::from_secs(300);
/// Of collectd 5 at the same interval on a machine like this: the best that there is.
const GOAL_PROCESSOR_PERCENT: f64 = 0.017;
const GOAL_MEMORY_MB: f64 = 10.0;

/// What runs on every host.
const ON_A_HOST: [&str; 3] = [
    "snooze-collector",
    "snooze-plugin-runner",
    "snooze-event-gateway host",
];
const AT_THE_CENTRE: [&str; 2] = ["snooze-event-gateway centre", "snooze-executor"];
const SERVER: &str = "nats-server";

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

async fn measure(measured: Duration) -> Report {
    let server = NatsServer::with_roles().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let host: HostId = "bench".parse().expect("a host id");
    set_up(&server, &host).await;
    let of_host = User::host(&host);
    let gateway = User::named(Role::Gateway, "gateway").expect("a name");
    let executor = User::named(Role::Executor, "executor").expect("a name");
    let users = [&of_host, &of_host, &of_host, &gateway, &executor];
    let names = ON_A_HOST.into_iter().chain(AT_THE_CENTRE);
    let configuration = json!({});
    let services: Vec<Service> = names
        .zip(users)
        .map(|(name, user)| Service::start(name, &server, user, &host, home.path(), &configuration))
        .collect();
    settle(&services).await;

    let mut looks: Vec<Looks> = services
        .iter()
        .map(|service| (service.name, service.process.id()))
        .chain([(SERVER, server_id(&server))])
        .map(|(name, id)| Looks::at(name, id))
        .collect();
    let moments = look_on(&mut looks, measured).await;
    report(&looks, &moments)
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
