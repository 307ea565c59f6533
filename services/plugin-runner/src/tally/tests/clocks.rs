//! Clocks that jump, and the time after a boot.

use super::*;

#[test]
fn t1_a_suspend_breaks_every_run_and_begins_boot_grace_again() {
    let mut desk = Desk::new();
    for end in [100_000, 101_000, 102_000] {
        desk.quiet_second(end);
    }
    assert_eq!(desk.tally.boot_grace_left_ms(&desk.policy, at(102_000)), 0);
    let woken = Moment {
        monotonic_ms: 102_100,
        boottime_ms: 702_100,
        real_ms: 702_100,
    };
    assert!(matches!(
        desk.tally.look(woken)[..],
        [Remark::Jumped(Jump::Suspended { .. })]
    ));
    let votes = desk.tally.votes(&desk.policy, at(102_100));
    assert!(votes.iter().all(|vote| vote.idle_ms == 0), "{votes:?}");
    assert_eq!(desk.tally.boot_grace_left_ms(&desk.policy, woken), 60_000);
}

#[test]
fn t1_a_clock_that_is_set_breaks_every_run() {
    let mut desk = Desk::new();
    for end in [100_000, 101_000] {
        desk.quiet_second(end);
    }
    let set = Moment {
        real_ms: -5_000_000,
        ..at(101_500)
    };
    assert!(matches!(
        desk.tally.look(set)[..],
        [Remark::Jumped(Jump::RealTimeSet { .. })]
    ));
    assert_eq!(desk.vote("cpu", 101_500).idle_ms, 0);
}

#[test]
fn s6_boot_grace_counts_from_the_boot() {
    let tally = Tally::new(BOOT.to_owned());
    assert_eq!(tally.boot_grace_left_ms(&policy(), at(20_000)), 40_000);
    assert_eq!(tally.boot_grace_left_ms(&policy(), at(60_000)), 0);
}
