//! The readings of this very machine beside a second opinion.

use crate::machine::{identity, known};
use snooze_collector::{NVML_LIBRARY, Readers, Root, Settings};
use snooze_schemas::sample::{Sample, name};
use snooze_service_runtime::Clocks;
use std::{path::Path, time::Duration};
use sysinfo::{MemoryRefreshKind, Networks, RefreshKind, System};
use tokio::sync::watch;

async fn sample_over(window: Duration) -> Sample {
    let root = Root::open(Path::new("/")).expect("opens");
    let (_changes, settings) = watch::channel(Settings::default());
    let mut series = Readers::start(identity(), &root, &Clocks::real(), settings, NVML_LIBRARY.into())
        .series()
        .await;
    tokio::time::sleep(window).await;
    series.sample().await
}

#[tokio::test]
async fn memory_agrees_with_sysinfo() {
    let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kind).expect("this system is supported");
    let theirs = 100.0 * (1.0 - system.available_memory() as f64 / system.total_memory() as f64);
    let ours = known(
        &sample_over(Duration::from_millis(50)).await,
        name::MEMORY_PERCENT,
    );
    // Other tests run at the same time, and compilers before them.
    assert!((ours - theirs).abs() < 10.0, "{ours} and {theirs}");
}

#[tokio::test]
async fn network_counts_no_more_than_sysinfo_sees_on_real_interfaces() {
    let window = Duration::from_millis(300);
    let mut networks = Networks::new_with_refreshed_list().expect("this system is supported");
    let sample = sample_over(window).await;
    networks.refresh(false);
    let theirs: u64 = networks
        .values()
        .map(|data| data.received() + data.transmitted())
        .sum();
    let ours = known(&sample, name::NETWORK_KBPS) * 1024.0 * sample.covers_ms as f64 / 1_000.0;
    assert!(ours <= theirs as f64 + 1.0, "{ours} and {theirs}");
}

#[tokio::test]
async fn cpu_sees_a_core_that_is_kept_busy() {
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&stop);
    let work = std::thread::spawn(move || {
        let mut number = 1u64;
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    });
    let sample = sample_over(Duration::from_millis(500)).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    work.join().expect("the work ends");
    let cores = std::thread::available_parallelism().expect("known").get() as f64;
    let percent = known(&sample, name::CPU_PERCENT);
    assert!(
        percent >= 60.0 / cores && percent <= 100.0,
        "{percent} of {cores} cores"
    );
}

#[tokio::test]
async fn every_reading_of_this_machine_is_known_or_says_why_not() {
    let sample = sample_over(Duration::from_millis(100)).await;
    for (name, reading) in &sample.readings {
        if let snooze_schemas::sample::Reading::Unknown { unknown, .. } = reading {
            assert!(!unknown.is_empty(), "{name}");
        }
    }
    for name in [name::CPU_PERCENT, name::MEMORY_PERCENT, name::LOAD_1M] {
        known(&sample, name);
    }
}
