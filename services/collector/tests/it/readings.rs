//! The readings of a machine that is written down.

use crate::machine::{Machine, known, unknown};
use proptest::prelude::*;
use snooze_schemas::sample::{Sample, name};

async fn next(machine: &Machine, series: &mut snooze_collector::Sampler) -> Sample {
    machine.seconds_pass(10);
    series.sample().await
}

#[tokio::test]
async fn every_reading_of_a_quiet_machine_is_known() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    machine.write("proc/stat", "cpu  150 0 0 1850 0 0 0 0 0 0\n");
    let sample = next(&machine, &mut series).await;
    for (name, value) in [
        (name::CPU_PERCENT, 5.0),
        (name::MEMORY_PERCENT, 25.0),
        (name::NETWORK_KBPS, 0.0),
        (name::DISK_IO_KBPS, 0.0),
        (name::INPUT_IDLE_SECS, 3_610.0),
        (name::PEOPLE_PRESENT, 0.0),
        (name::LOAD_1M, 0.1),
        (name::LOAD_15M, 0.3),
        (name::PRESSURE_IO_PERCENT, 1.5),
    ] {
        assert_eq!(known(&sample, name), value, "{name}");
    }
    assert!(
        !sample.readings.contains_key(name::GPU_PERCENT),
        "no library is no GPU"
    );
    assert!(
        sample.readings.values().all(|reading| took(reading) >= 1),
        "each reports its own duration"
    );
}

fn took(reading: &snooze_schemas::sample::Reading) -> u64 {
    use snooze_schemas::sample::Reading::{Known, Unknown};
    match reading {
        Known { took_ms, .. } | Unknown { took_ms, .. } => *took_ms,
    }
}

#[tokio::test]
async fn t2_samples_abut() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    let mut ended = machine.hand.clocks().monotonic_ms();
    for (seconds, seq) in [(1, 1), (10, 2), (3, 3)] {
        machine.seconds_pass(seconds);
        let sample = series.sample().await;
        assert_eq!(sample.covers_ms, seconds * 1_000);
        assert_eq!(sample.ends_monotonic_ms - sample.covers_ms, ended);
        assert_eq!(sample.seq, seq);
        ended = sample.ends_monotonic_ms;
    }
}

#[tokio::test]
async fn cpu_is_measured_over_the_whole_interval() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    // Busy for the first nine tenths and quiet at the end, where a short look would find nothing.
    machine.seconds_pass(9);
    machine.write("proc/stat", "cpu  1000 0 0 900 0 0 0 0 0 0\n");
    machine.seconds_pass(1);
    machine.write("proc/stat", "cpu  1000 0 0 1000 0 0 0 0 0 0\n");
    let sample = series.sample().await;
    assert_eq!(known(&sample, name::CPU_PERCENT), 90.0);
    assert_eq!(sample.covers_ms, 10_000);
}

#[tokio::test]
async fn loopback_and_virtual_interfaces_do_not_count() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    machine.network(&[
        ("lo", 1 << 40, 1 << 40),
        ("eth0", 1_000_000 + 5_120, 2_005_120),
        ("veth1", 1 << 40, 0),
    ]);
    let sample = next(&machine, &mut series).await;
    assert_eq!(known(&sample, name::NETWORK_KBPS), 1.0);
}

#[tokio::test]
async fn an_interface_that_a_real_one_carries_is_not_counted_twice() {
    let machine = Machine::new();
    machine.link("sys/class/net/enP1", "../../devices/pci0001:00/net/enP1");
    machine.folder_at("sys/devices/pci0001:00/net/enP1");
    machine.link("sys/devices/pci0001:00/net/enP1/master", "../eth0");
    machine.network(&[("eth0", 0, 0), ("enP1", 0, 0)]);
    let mut series = machine.series().await;
    machine.network(&[("eth0", 10_240, 0), ("enP1", 10_240, 0)]);
    assert_eq!(known(&next(&machine, &mut series).await, name::NETWORK_KBPS), 1.0);
}

#[tokio::test]
async fn partitions_and_disks_made_of_others_do_not_count_twice() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    machine.disks(&[
        ("sda", 20, 30),
        ("sda1", 20, 30),
        ("loop0", 999, 999),
        ("dm-0", 20, 30),
    ]);
    let sample = next(&machine, &mut series).await;
    assert_eq!(known(&sample, name::DISK_IO_KBPS), 1.0);
}

#[tokio::test]
async fn a_counter_that_goes_backwards_is_unknown_for_that_interval_only() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    machine.network(&[("eth0", 5, 5)]);
    machine.disks(&[("sda", 5, 5)]);
    machine.write("proc/stat", "cpu  50 0 0 950 0 0 0 0 0 0\n");
    let sample = next(&machine, &mut series).await;
    for name in [name::NETWORK_KBPS, name::DISK_IO_KBPS, name::CPU_PERCENT] {
        assert!(unknown(&sample, name).contains("backwards"), "{name}");
    }
    machine.network(&[("eth0", 10_245, 5)]);
    machine.disks(&[("sda", 25, 5)]);
    machine.write("proc/stat", "cpu  150 0 0 1850 0 0 0 0 0 0\n");
    let sample = next(&machine, &mut series).await;
    assert_eq!(known(&sample, name::NETWORK_KBPS), 1.0);
    assert_eq!(known(&sample, name::DISK_IO_KBPS), 1.0);
    assert_eq!(known(&sample, name::CPU_PERCENT), 10.0);
}

#[tokio::test]
async fn a_disk_that_comes_or_goes_makes_that_interval_unknown() {
    let machine = Machine::new();
    machine.disks(&[("sda", 10, 10), ("nvme0n1", 10, 10)]);
    let mut series = machine.series().await;
    machine.disks(&[("sda", 10, 10)]);
    let sample = next(&machine, &mut series).await;
    assert!(unknown(&sample, name::DISK_IO_KBPS).contains("nvme0n1 vanished"));
    machine.disks(&[("sda", 30, 10), ("nvme0n1", 1 << 40, 1 << 40)]);
    let sample = next(&machine, &mut series).await;
    assert!(unknown(&sample, name::DISK_IO_KBPS).contains("nvme0n1 appeared"));
    machine.disks(&[("sda", 40, 10), ("nvme0n1", 1 << 40, (1 << 40) + 10)]);
    let sample = next(&machine, &mut series).await;
    assert_eq!(known(&sample, name::DISK_IO_KBPS), 1.0);
}

#[tokio::test]
async fn what_cannot_be_read_is_unknown_and_never_zero() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    for path in [
        "proc/stat",
        "proc/meminfo",
        "proc/net",
        "proc/diskstats",
        "proc/loadavg",
        "proc/pressure",
        "dev",
    ] {
        machine.remove(path);
    }
    machine.remove("proc/1");
    let sample = next(&machine, &mut series).await;
    assert!(sample.readings.len() >= 12);
    for (name, reading) in &sample.readings {
        assert_eq!(reading.value(), None, "{name}");
    }
    assert!(unknown(&sample, name::PRESSURE_CPU_PERCENT).contains("no pressure information"));
    assert!(unknown(&sample, name::PEOPLE_PRESENT).contains("hidden"));
}

#[tokio::test]
async fn a_pipe_in_a_files_place_costs_only_its_own_reading() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    let _silent = [
        machine.pipe("proc/stat"),
        machine.pipe("proc/diskstats"),
        machine.pipe("proc/1/cmdline"),
    ];
    let sample = next(&machine, &mut series).await;
    for name in [name::CPU_PERCENT, name::DISK_IO_KBPS, name::PEOPLE_PRESENT] {
        unknown(&sample, name);
    }
    for name in [
        name::MEMORY_PERCENT,
        name::NETWORK_KBPS,
        name::INPUT_IDLE_SECS,
        name::LOAD_1M,
    ] {
        known(&sample, name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_the_files_hold_nothing_panics_and_no_number_is_none(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        words in "(cpu |eth0:|sda|MemTotal:|some avg10=|\\(|\\)| |[0-9]{0,20}|\n){0,40}",
    ) {
        let machine = Machine::new();
        machine.process(7, "Xorg", &["Xorg", ":0"], Some(0));
        machine.typed("pts/0", 1);
        machine.write("tmp/.X11-unix/X0", "");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut series = machine.series().await;
            for content in [bytes.as_slice(), words.as_bytes()] {
                for path in [
                    "proc/stat", "proc/meminfo", "proc/net/dev", "proc/diskstats", "proc/loadavg", "proc/7/stat",
                    "proc/7/cmdline", "proc/pressure/cpu", "run/systemd/sessions/1", "etc/passwd",
                ] {
                    machine.write(path, content);
                }
                let sample = next(&machine, &mut series).await;
                for reading in sample.readings.values() {
                    assert!(reading.value().is_none_or(f64::is_finite));
                }
            }
        });
    }
}
