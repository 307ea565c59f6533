//! The readings of this very machine beside a second opinion.

use crate::machine::{identity, known};
use snooze_collector::{Gauges, NVML_LIBRARY, Readers, Root, Settings};
use snooze_schemas::sample::{Reading, Sample, name};
use snooze_service_runtime::Clocks;
use std::{
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    time::Duration,
};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};
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

fn is_physical(interface: &Path) -> bool {
    let place = fs::canonicalize(interface).expect("an interface");
    place.starts_with("/sys/devices") && !place.starts_with("/sys/devices/virtual")
}

/// The bytes that passed this machine's real interfaces so far, by another of the kernel's accounts; nothing
/// where it has none, as in a container.
fn counted_by_sysfs() -> Option<u64> {
    let number = |path: PathBuf| -> u64 {
        let text = fs::read_to_string(path).expect("a counter");
        text.trim().parse().expect("a number")
    };
    let folder = Path::new("/sys/class/net");
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.expect("an interface").file_name())
        .filter(|name| {
            let upper = fs::canonicalize(folder.join(name).join("master"));
            is_physical(&folder.join(name)) && !upper.is_ok_and(|upper| is_physical(&upper))
        })
        .map(|name| {
            let counter = |way| number(folder.join(&name).join("statistics").join(way));
            counter("rx_bytes") + counter("tx_bytes")
        })
        .reduce(|one, two| one + two)
}

#[test]
fn network_counts_what_passes_real_interfaces_and_nothing_else() {
    let root = Root::open(Path::new("/")).expect("opens");
    let mut gauges = Gauges::new();
    let at_least_before = counted_by_sysfs();
    gauges.look(&root, 0);
    let at_most_before = counted_by_sysfs();
    // Something leaves the machine where it can, and something stays in it in any case.
    for target in ["192.0.2.1:9", "127.0.0.1:9"] {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port");
        for _ in 0..100 {
            if socket.send_to(&[0; 1024], target).is_err() {
                break;
            }
        }
    }
    let at_least_now = counted_by_sysfs();
    let readings = gauges.look(&root, 1_000);
    let at_most_now = counted_by_sysfs();
    let all = [at_least_before, at_most_before, at_least_now, at_most_now];
    match (&readings[name::NETWORK_KBPS], all) {
        (Reading::Known { value, .. }, [Some(least_before), Some(most_before), Some(least), Some(most)]) => {
            let bytes = value * 1024.0;
            let range = least.saturating_sub(most_before) as f64..=(most - least_before) as f64;
            assert!(
                range.contains(&bytes),
                "{bytes} bytes, and {range:?} by the other account"
            );
        }
        (Reading::Unknown { unknown, .. }, [None, None, None, None]) => {
            assert!(unknown.contains("no real network interface"), "{unknown}");
        }
        (reading, all) => panic!("{reading:?}, and {all:?} by the other account"),
    }
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
        if let Reading::Unknown { unknown, .. } = reading {
            assert!(!unknown.is_empty(), "{name}");
        }
    }
    for name in [name::CPU_PERCENT, name::MEMORY_PERCENT] {
        known(&sample, name);
    }
}
