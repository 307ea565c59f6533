//! What plugins cost the runner: itself with none beside itself with fifty that are idle, at a check interval of
//! 10 s, as release processes on a bus of their own; what the plugins themselves take is theirs.
//!
//! Prints a table and writes the same to `target/bench/plugins.json`, one object a row. The programs have to be
//! built: `make bench-plugins` does both. `-- --seconds N` measures for another time than five minutes.

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
use snooze_benchmarks::{Figure, Goal, Report};
use snooze_bus::User;
use snooze_schemas::HostId;
use snooze_test_harness::NatsServer;
use stage::{Service, set_up};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

/// For how long is measured unless somebody says otherwise.
const MEASURED: Duration = Duration::from_secs(300);
/// So many plugins are many for one host.
const PLUGINS: usize = 50;
/// What asking all of them may take of one core.
const GOAL_PROCESSOR_PERCENT: f64 = 0.02;
/// What the runner may hold for each.
const GOAL_MEMORY_KB: f64 = 50.0;

const RUNNER: &str = "snooze-plugin-runner";
const COLLECTOR: &str = "snooze-collector";

/// The smallest plugin that there is.
const PLUGIN: &str = r#"#!/bin/sh
name=${0##*/}
while read -r line; do
    id=${line##*:}
    echo "{\"result\":{\"is_idle\":true,\"reason\":\"nobody\",\"name\":\"$name\"},\"id\":$id"
done
"#;

fn main() {
    let measured = seconds().unwrap_or(MEASURED);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let report = runtime.block_on(async {
        // Both at once, so that whatever else the machine does meanwhile hits both.
        let (without, with) = (Host::start("bare", 0).await, Host::start("busy", PLUGINS).await);
        settle(&without.services).await;
        settle(&with.services).await;
        let mut looks = [without.looks(), with.looks()];
        let moments = look_on(&mut looks, measured).await;
        report(&looks, &moments)
    });
    print!("{}", report.table());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    report.write(&folder, "plugins").expect("target can be written");
}

/// A host with its own bus, so that neither hears of the other.
struct Host {
    services: [Service; 2],
    _server: NatsServer,
    _home: tempfile::TempDir,
}

impl Host {
    async fn start(name: &str, plugins: usize) -> Host {
        let server = NatsServer::with_roles().await;
        let home = tempfile::tempdir().expect("a temporary folder");
        let host: HostId = name.parse().expect("a host id");
        set_up(&server, &host).await;
        let folder = home.path().join("plugins");
        fs::create_dir(&folder).expect("the temporary folder can be written");
        for number in 0..plugins {
            let path = folder.join(format!("plugin-{number}"));
            fs::write(&path, PLUGIN).expect("the temporary folder can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let configuration = json!({"plugins": {"enabled": true, "directories": [folder]}});
        let services = [COLLECTOR, RUNNER].map(|name| {
            Service::start(
                name,
                &server,
                &User::host(&host),
                &host,
                home.path(),
                &configuration,
            )
        });
        Host {
            services,
            _server: server,
            _home: home,
        }
    }

    fn looks(&self) -> Looks {
        let [_, runner] = &self.services;
        Looks::at(runner.name, runner.process.id())
    }
}

fn report(looks: &[Looks; 2], moments: &[Duration]) -> Report {
    let mut report = Report::default();
    let [without, with] = looks;
    for (what, look) in [("without plugins", without), ("with 50 plugins", with)] {
        report.add(memory(
            &format!("{RUNNER} {what}: anonymous"),
            &[look],
            None,
            |cost| cost.memory.anonymous,
        ));
        report.add(processor(&format!("{RUNNER} {what}"), &[look], moments, None));
    }
    report.add(beyond(
        "50 plugins: processor time of the runner",
        [1.0, GOAL_PROCESSOR_PERCENT],
        &[without, with].map(|look| processor("", &[look], moments, None)),
    ));
    let kilobytes = 1e3 / PLUGINS as f64;
    report.add(Figure {
        unit: "kB",
        ..beyond(
            "a plugin: anonymous memory of the runner",
            [kilobytes, GOAL_MEMORY_KB],
            &[without, with].map(|look| memory("", &[look], None, |cost| cost.memory.anonymous)),
        )
    });
    report
}

/// What the second has more than the first, in a unit of which so many are one of theirs.
fn beyond(row: &str, [times, goal]: [f64; 2], [without, with]: &[Figure; 2]) -> Figure {
    let values = with.values.iter().zip(&without.values);
    Figure {
        row: row.to_owned(),
        unit: with.unit,
        ours: (with.ours - without.ours) * times,
        values: values.map(|(with, without)| (with - without) * times).collect(),
        beside: None,
        goal: Some(Goal::AtMost(goal)),
    }
}
