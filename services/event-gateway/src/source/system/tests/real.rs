//! Against the kernel that the tests run on.

use super::only;
use crate::{
    happening::{Happening, State},
    source::{
        Notices,
        system::{
            Settings,
            disk::Space,
            look::{Disk, Looker},
            root::Root,
            unreadable::Unreadable,
            watch,
        },
    },
};
use snooze_service_runtime::{CancellationToken, Clocks};
use std::{path::Path, sync::Arc, time::Duration};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_kernel_of_this_machine_is_understood() {
    let mut looker = Looker::new(Root::new(Path::new("/")), Arc::new(Space::of));
    let looked = looker.look().await;
    assert!(looked.kernel.cpu.is_ok(), "{looked:?}");
    assert!(looked.kernel.memory.is_ok(), "{looked:?}");
    assert!(looked.kernel.network.is_ok(), "{looked:?}");
    let disks = looked.disks.expect("a machine has mounts");
    for Disk { mount, space } in disks {
        // Whoever runs the tests may not be allowed to look everywhere.
        let Ok(space) = space else { continue };
        assert!(space.free_percent().is_some(), "{mount:?} {space:?}");
    }
    // A kernel may have no pressure information; one that has it is understood.
    for pressure in [
        looked.kernel.cpu_pressure,
        looked.kernel.memory_pressure,
        looked.kernel.io_pressure,
    ] {
        assert!(
            pressure.is_ok() || pressure.as_ref().is_err_and(Unreadable::is_absent),
            "{pressure:?}"
        );
    }
}

/// Watches this machine until it tells that something stands so, and ends; all that was told.
async fn told_until(settings: Settings, state: State) -> Vec<Happening> {
    let (notices, mut told) = Notices::channel();
    let shutdown = CancellationToken::new();
    let watching = tokio::spawn(watch(settings, Clocks::real(), notices, shutdown.clone()));
    let mut all: Vec<Happening> = Vec::new();
    while all.last().is_none_or(|last| last.state != state) {
        let next = tokio::time::timeout(LIMIT, told.recv()).await.expect("in time");
        all.push(next.expect("it watches"));
    }
    shutdown.cancel();
    let ended = tokio::time::timeout(LIMIT, watching).await;
    ended
        .expect("it ends when asked to")
        .expect("no panic")
        .expect("no error");
    all
}

#[tokio::test]
async fn e1_this_machines_memory_is_raised_and_cleared_as_one_happening_over_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings {
        kept: folder.path().join("system.json"),
        ..Settings::default()
    };
    let set = &mut settings.thresholds;
    (set.interval, set.hold) = (Duration::from_millis(1), Duration::ZERO);
    for percent in [&mut set.disk_free_percent, &mut set.inodes_free_percent] {
        *percent = 0.0;
    }
    for percent in [
        &mut set.cpu_percent,
        &mut set.cpu_pressure_percent,
        &mut set.memory_pressure_percent,
        &mut set.memory_stall_percent,
    ] {
        *percent = 100.0;
    }
    // Something is always used.
    set.memory_available_percent = 99.9;
    let raised = only(told_until(settings.clone(), State::Raised).await, State::Raised);
    assert_eq!(raised.event_type.as_str(), "system.memory.pressure");
    settings.thresholds.memory_available_percent = 0.0;
    let mut all = told_until(settings, State::Cleared).await;
    let cleared = only(all.split_off(all.len() - 1), State::Cleared);
    assert_eq!(cleared.occurrence, raised.occurrence);
    // Where the first watch ended before it knew that it had told it, it is told again as the same.
    assert!(all.iter().all(|earlier| *earlier == raised), "{all:?}");
}
