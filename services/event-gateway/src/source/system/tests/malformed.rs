//! Ten thousand malformed files, none of which changes anything.

use super::{FILES, Machine, NO_ROUTE, PRESSED};
use crate::source::system::{cpu, disk, look::Kernel, memory, pressure, root::Root};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::{collections::BTreeMap, time::Duration};

const COUNT: usize = 10_000;

/// A text with something wrong, or with something else that is right by chance.
fn broken(random: &mut StdRng, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..6) {
        0 => bytes.truncate(at),
        1 => bytes[at] = random.random(),
        2 => drop(bytes.splice(at..at, *b"\n")),
        3 => drop(bytes.splice(at..at, "99999999999999999999999999".bytes())),
        4 => drop(bytes.drain(at..(at + 12).min(text.len()))),
        _ => {
            bytes.resize(random.random_range(0..4096), 0);
            random.fill_bytes(&mut bytes);
        }
    }
    bytes
}

/// Whether the file is refused; where it is not, what it says is possible.
fn is_refused(machine: &Machine, path: &str) -> bool {
    let kernel = Kernel::read(&Root::new(&machine.settings.root));
    let percents = |shares: &[f64]| assert!(shares.iter().all(|share| (0.0..=100.0).contains(share)));
    let pressure = |read: &Result<pressure::Pressure, _>| {
        if let Ok(read) = read {
            percents(&[read.some, read.full.unwrap_or_default()]);
        }
        read.is_err()
    };
    match path {
        "proc/stat" => kernel.cpu.map(|ticks| cpu::percent(&ticks, &ticks)).is_err(),
        "proc/meminfo" => kernel
            .memory
            .map(|memory: memory::Memory| percents(&[memory.available_percent()]))
            .is_err(),
        "proc/pressure/cpu" => pressure(&kernel.cpu_pressure),
        "proc/pressure/memory" => pressure(&kernel.memory_pressure),
        "proc/pressure/io" => pressure(&kernel.io_pressure),
        "proc/self/mountinfo" => kernel.mounts.map(|_: Vec<disk::Mount>| ()).is_err(),
        _ => kernel.network.is_err(),
    }
}

#[tokio::test]
async fn ten_thousand_malformed_files_change_nothing() {
    let mut random = StdRng::seed_from_u64(2030);
    let (mut well, mut ill) = (Machine::healthy(), Machine::healthy());
    // Whatever was believed would be an edge at once.
    for machine in [&mut well, &mut ill] {
        machine.settings.thresholds.hold = Duration::ZERO;
        machine.settings.thresholds.cpu_hold = Duration::ZERO;
    }
    let (mut of_well, mut of_ill) = (well.begin().await, ill.begin().await);
    assert_eq!(well.looks(&mut of_well, 2).await, []);
    ill.looks(&mut of_ill, 2).await;
    ill.disk("/", 1, 1);
    ill.write("proc/pressure/memory", PRESSED);
    ill.write("proc/pressure/cpu", PRESSED);
    ill.write("proc/net/route", NO_ROUTE);
    let raised = ill.looks(&mut of_ill, 1).await;
    assert_eq!(raised.len(), 5, "{raised:?}");
    let standing = of_ill.watched.standing();

    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..4 * COUNT {
        let (path, text) = FILES[random.random_range(1..FILES.len())];
        let bytes = broken(&mut random, text);
        for (machine, watch) in [(&well, &mut of_well), (&ill, &mut of_ill)] {
            let before = std::fs::read(machine.settings.root.join(path)).expect("it is there");
            machine.write(path, &bytes);
            if is_refused(machine, path) {
                *refused.entry(path).or_default() += 1;
                let told = machine.looks(watch, 1).await;
                assert_eq!(told, [], "{path}: {}", String::from_utf8_lossy(&bytes));
            }
            machine.write(path, before);
        }
        if refused.values().sum::<usize>() >= COUNT {
            break;
        }
    }
    assert!(refused.values().sum::<usize>() >= COUNT, "{refused:?}");
    assert_eq!(refused.len(), FILES.len() - 1, "of every file: {refused:?}");
    assert!(of_well.watched.standing().is_empty());
    assert_eq!(of_ill.watched.standing(), standing);
    assert_eq!(
        well.looks(&mut of_well, 2).await,
        [],
        "nothing was remembered of it"
    );
    assert_eq!(ill.looks(&mut of_ill, 2).await, []);
}
