//! One sample of this machine, beside bare reads of the same files and beside sysinfo.
//!
//! Prints a table and writes the same to `target/bench/sample.json`, one object a row. The fast readings are CPU,
//! memory, network, disks, load and pressure; the slow ones (input, people, GPU) run on threads of their
//! own and have rows of their own.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures by the real clock")]

use snooze_collector::{Gauges, Identity, NVML_LIBRARY, Readers, Root, Settings};
use snooze_service_runtime::Clocks;
use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};
use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System};
use tokio::sync::watch;

const RUNS: usize = 2_000;

/// The files behind CPU, memory, network and disks.
const FILES: [&str; 4] = ["/proc/stat", "/proc/meminfo", "/proc/net/dev", "/proc/diskstats"];

/// Microseconds of each run, sorted.
struct Times(Vec<f64>);

impl Times {
    fn of(runs: usize, mut once: impl FnMut()) -> Times {
        once();
        let mut times: Vec<f64> = (0..runs)
            .map(|_| {
                let begun = Instant::now();
                once();
                begun.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

fn row(name: &str, ours: &Times, beside: Option<(&str, &Times)>, goal: Option<f64>) -> serde_json::Value {
    let value = beside.map(|(_, times)| times.median());
    let row = serde_json::json!({
        "row": name,
        "ours": ours.median(),
        "unit": "µs",
        "beside": beside.map(|(name, _)| name),
        "beside_value": value,
        "ratio": value.map(|value| ours.median() / value),
        "goal": goal.map(|goal| format!("<= {goal} µs")),
        "met": goal.map(|goal| ours.median() <= goal),
        "runs": ours.0.len(),
        "min": ours.0.first(),
        "max": ours.0.last(),
    });
    println!(
        "{name:<46} {:>9.1} µs   {:<34} {}",
        ours.median(),
        beside.map_or_else(String::new, |(name, times)| format!(
            "{name}: {:.1} µs",
            times.median()
        )),
        goal.map_or_else(String::new, |goal| format!(
            "goal {goal} µs: {}",
            if ours.median() <= goal { "met" } else { "missed" }
        )),
    );
    row
}

fn main() {
    let root = Root::open(Path::new("/")).expect("there is a root");
    let clocks = Clocks::real();
    let mut gauges = Gauges::new();
    let ours = Times::of(RUNS, || {
        black_box(gauges.look(&root, clocks.monotonic_ms()));
    });
    let bare = Times::of(RUNS, || {
        for file in FILES {
            black_box(fs::read(file).expect("the kernel has these files"));
        }
    });
    let kind = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing().with_usage())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let mut system = System::new_with_specifics(kind).expect("this system is supported");
    let mut networks = Networks::new_with_refreshed_list().expect("this system is supported");
    let mut disks = Disks::new_with_refreshed_list().expect("this system is supported");
    let theirs = Times::of(RUNS, || {
        system.refresh_specifics(kind);
        networks.refresh(true);
        disks.refresh(true);
    });

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (_changes, settings) = watch::channel(Settings::default());
    let identity = Identity {
        host: "bench".parse().expect("a host"),
        boot_id: String::new(),
        agent: String::new(),
    };
    let whole = runtime.block_on(async {
        let mut series = Readers::start(identity, &root, &clocks, settings, NVML_LIBRARY.into())
            .series()
            .await;
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let begun = Instant::now();
            black_box(series.sample().await);
            times.push(begun.elapsed().as_secs_f64() * 1e6);
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        times.sort_by(f64::total_cmp);
        Times(times)
    });

    let rows = [
        row(
            "one sample, all readings of the kernel",
            &ours,
            Some(("bare reads of four files", &bare)),
            Some(100.0),
        ),
        row(
            "one sample, all readings of the kernel",
            &ours,
            Some(("sysinfo, four readings", &theirs)),
            None,
        ),
        row("one sample, with input, people and GPU", &whole, None, None),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    fs::create_dir_all(&folder).expect("target can be written");
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    fs::write(
        folder.join("sample.json"),
        format!("[\n{}\n]\n", rows.join(",\n")),
    )
    .expect("target can be written");
}
