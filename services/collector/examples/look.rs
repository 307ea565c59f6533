//! Prints one sample of this machine, without a bus: what does the collector see here?
//!
//! `cargo run -p snooze-collector --example look -- 5` measures for five seconds; without a number, for one.
//! A second argument is a folder that stands for `/`.

use snooze_collector::{Identity, NVML_LIBRARY, Readers, Root, Settings};
use snooze_schemas::{HostId, sample::Reading};
use snooze_service_runtime::{AgentId, Clocks, identity};
use std::{path::Path, time::Duration};
use tokio::sync::watch;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(1);
    let identity = Identity {
        host: HostId::from_host_name(&identity::host_name()),
        boot_id: identity::boot_id().expect("this kernel has a boot id"),
        agent: AgentId::fresh().to_string(),
    };
    let root = Root::open(Path::new(
        &std::env::args().nth(2).unwrap_or_else(|| "/".to_owned()),
    ))
    .expect("there is a root");
    let (_changes, settings) = watch::channel(Settings::default());
    let mut series = Readers::start(identity, &root, &Clocks::real(), settings, NVML_LIBRARY.into())
        .series()
        .await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let sample = series.sample().await;
    println!(
        "{} over {} ms, at {}",
        sample.host, sample.covers_ms, sample.taken_at
    );
    for (name, reading) in &sample.readings {
        match reading {
            Reading::Known { value, unit, took_ms } => {
                println!("{name:<24} {value:>12.2} {unit:?} ({took_ms} ms)");
            }
            Reading::Unknown { unknown, took_ms } => println!("{name:<24} unknown: {unknown} ({took_ms} ms)"),
        }
    }
    for gpu in &sample.gpus {
        println!("{gpu:?}");
    }
}
