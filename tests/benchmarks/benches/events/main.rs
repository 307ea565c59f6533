//! How soon events reach those who handle them: one notice on one host, storms over many, and a critical one in a
//! flood of others.
//!
//! Prints a table and writes the same to `target/bench/events.json`, one object a row. The broker has the product's own
//! configuration, and gateways, runner and handler are release processes: `make bench-events` builds them. The hosts
//! of storm and flood are light ones in this process. `-- --only notices`, `storm` or `flood` measures a part.
//! What asking the metadata service costs is told by `make bench-metadata`.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts the real programs and waits by the real clock"
)]

#[path = "../stage/mod.rs"]
mod stage;

mod events;
mod fleet;
mod flood;
mod handler;
mod host;
mod notices;
mod storm;
mod times;

use fleet::Fleet;
use host::Host;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use snooze_benchmarks::Report;
use snooze_bus::{Bus, Role, User};
use snooze_test_harness::NatsServer;
use stage::Service;
use std::path::Path;

/// Hosts that are connected while there is a flood.
const FLOODED: usize = 1_000;

fn main() {
    if handler::is_asked_for() {
        return handler::run();
    }
    // A connection a host.
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, all).expect("a process may have as many files as it may have");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let report = runtime.block_on(measure());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    report.write(&folder, "events").expect("target can be written");
}

async fn measure() -> Report {
    let server = NatsServer::with_roles().await;
    let mut host = Host::start(&server).await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let gateway = User::named(Role::Gateway, "gateway").expect("a name");
    let name = "snooze-event-gateway centre";
    let centre = Service::start(name, &server, &gateway, &host.id, home.path(), &json!({}));
    centre.runs().await;
    let filer = of_gateway(&server, "filer").await;

    let mut report = Report::default();
    let mut fleet = Fleet::new();
    if is_wanted("notices") {
        show(&mut report, notices::measure(&mut host, &filer).await);
    }
    if is_wanted("storm") {
        show(&mut report, storm::measure(&server, &filer, &mut fleet).await);
    }
    // The last one: what it leaves would take long to dispatch.
    if is_wanted("flood") {
        fleet.grow(&server, FLOODED).await;
        let flooder = of_gateway(&server, "flooder").await;
        show(
            &mut report,
            flood::measure(&mut host, &filer, &flooder, &fleet).await,
        );
    }
    report
}

/// Prints a part of the table as soon as it is there: all of it takes minutes.
fn show(report: &mut Report, part: Report) {
    print!("{}", part.table());
    report.append(part);
}

/// Another gateway at the centre, which files.
async fn of_gateway(server: &NatsServer, name: &str) -> Bus {
    let user = User::named(Role::Gateway, name).expect("a name");
    server.bus(&user).await
}

/// Whether a part is to be measured. Cargo passes arguments of its own.
fn is_wanted(part: &str) -> bool {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only");
    arguments.nth(1).is_none_or(|only| only == part)
}
