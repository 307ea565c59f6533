//! Disks: what is one happening, what are two, and what is none.

use super::{FILES, Machine, brief, only};
use crate::happening::State;
use std::{sync::Mutex, sync::mpsc};

#[tokio::test]
async fn a_disk_that_wavers_around_its_threshold_is_one_happening() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    machine.disk("/", 9, 50);
    let raised = only(machine.looks(&mut watch, 4).await, State::Raised);
    assert_eq!(raised.event_type.as_str(), "system.disk.low");
    assert_eq!(raised.data["mount_point"], "/");
    assert_eq!(raised.data["device"], "/dev/vda");
    assert_eq!(raised.data["value"], 9.0);
    assert_eq!(raised.data["threshold"], 10.0);
    assert_eq!(raised.data["clear_threshold"], 12.0);
    assert_eq!(raised.data["unit"], "percent");
    assert_eq!(raised.data["available_bytes"], 9 * 4096);
    for free in [10, 11, 9, 8, 11, 10, 9].into_iter().cycle().take(100) {
        machine.disk("/", free, 50);
        // For a moment, and for longer than it takes to be cleared.
        for looks in [1, 5] {
            assert_eq!(machine.looks(&mut watch, looks).await, [], "{free}");
        }
    }
    machine.disk("/", 12, 50);
    let cleared = only(machine.looks(&mut watch, 10).await, State::Cleared);
    assert_eq!(cleared.occurrence, raised.occurrence);
}

#[tokio::test]
async fn two_disks_are_two_happenings_and_so_are_space_and_inodes() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    machine.disk("/", 1, 1);
    machine.disk("/data", 1, 50);
    let told = machine.looks(&mut watch, 10).await;
    let expected = [
        ("disk_free_percent /", "raised"),
        ("disk_free_percent /data", "raised"),
        ("inodes_free_percent /", "raised"),
    ];
    assert_eq!(
        brief(&told),
        expected.map(|(what, state)| (what.to_owned(), state))
    );
    let mut occurrences: Vec<_> = told.iter().map(|happening| &happening.occurrence).collect();
    occurrences.dedup();
    assert_eq!(occurrences.len(), 3);
}

#[tokio::test]
async fn a_disk_that_is_unmounted_is_not_low_any_more_and_one_that_cannot_be_asked_still_is() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    machine.disk("/data", 1, 50);
    only(machine.looks(&mut watch, 4).await, State::Raised);
    let (list, all) = FILES[8];
    machine.remove(list);
    assert_eq!(machine.looks(&mut watch, 10).await, [], "the list is unknown");
    machine.write(list, all.replace("rw - xfs", "ro - xfs"));
    let without: Vec<&str> = all.lines().take(2).collect();
    machine.write(list, format!("{}\n", without.join("\n")));
    let cleared = only(machine.looks(&mut watch, 10).await, State::Cleared);
    assert_eq!(cleared.data["gone"], true);
    assert_eq!(cleared.data["mount_point"], "/data");
}

#[tokio::test]
async fn a_disk_that_hangs_costs_only_itself() {
    let machine = Machine::healthy();
    let (hold, held) = mpsc::channel::<()>();
    let (held, dead) = (Mutex::new(held), machine.at("/data"));
    let full = super::Space {
        block: 4096,
        blocks: 100,
        free: 1,
        available: 1,
        inodes: 0,
        inodes_available: 0,
    };
    let mut watch = machine
        .begin_with(move |path| {
            if path == dead {
                let held = held.lock().expect("one at a time");
                assert!(held.recv().is_err(), "held until the end of the test");
            }
            Ok(full)
        })
        .await;
    let told = machine.looks(&mut watch, 10).await;
    assert_eq!(brief(&told), [("disk_free_percent /".to_owned(), "raised")]);
    assert_eq!(watch.looker.unknown(), ["the disk at /data"]);
    drop(hold);
}
