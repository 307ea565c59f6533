//! Which slot a claim takes, and whose slots it reads: L1.

use crate::bench::{Bench, Step};
use snooze_decision::claim::{Action, Answer, Claim, HostRecord, Occupied, Revision, SlotOffer, pick_slot};

fn taken(numbers: &[u32]) -> Vec<(u32, Revision, Occupied)> {
    let one = |n: &u32| (*n, Revision(u64::from(*n) + 1), Occupied::Yes);
    numbers.iter().map(one).collect()
}

fn offers(numbers: &[u32], limit: u32) -> Vec<u32> {
    let mut offered: Vec<u32> = (0..1_000)
        .filter_map(|draw| pick_slot(&taken(numbers), limit, draw))
        .map(|offer| offer.n)
        .collect();
    offered.sort_unstable();
    offered.dedup();
    offered
}

#[test]
fn l1_every_free_slot_below_the_limit_is_offered_now_and_then() {
    assert_eq!(offers(&[], 3), [0, 1, 2]);
    assert_eq!(offers(&[1], 4), [0, 2, 3]);
    assert_eq!(offers(&[0, 1, 2], 3), []);
}

#[test]
fn l1_a_limit_that_was_lowered_counts_the_slots_above_it() {
    // Four were on their way when the limit became 1.
    assert_eq!(offers(&[1, 2, 3, 4], 1), []);
    // With room for one more, all executors are offered the same one.
    assert_eq!(offers(&[1, 4], 3), [0]);
    assert_eq!(offers(&[4], 3), [0, 1]);
}

#[test]
fn l1_a_free_slot_is_offered_at_the_revision_that_it_was_freed_at() {
    let read = [(0, Revision(7), Occupied::No), (1, Revision(9), Occupied::Yes)];
    let first = SlotOffer {
        n: 0,
        revision: Revision(7),
    };
    assert_eq!(pick_slot(&read, 2, 0), Some(first));
    let never_written = SlotOffer {
        n: 2,
        revision: Revision(0),
    };
    assert_eq!(pick_slot(&read, 3, 1), Some(never_written));
}

#[test]
fn l1_a_limit_without_bounds_costs_no_memory_and_no_time() {
    let offer = pick_slot(&taken(&[0, 1, u32::MAX]), u32::MAX, u64::MAX);
    assert!(offer.is_some_and(|offer| offer.n > 1 && offer.n < u32::MAX));
    assert_eq!(pick_slot(&[], 0, 5), None);
}

#[test]
fn l1_slots_are_read_in_the_group_that_the_claim_took_them_in() {
    // The host was moved to another group since its claim.
    let mut bench = Bench::at(Step::Watch);
    bench.change(|key| HostRecord {
        claim: key.value.claim.clone().map(|claim| Claim {
            group: "before".to_owned(),
            ..claim
        }),
        ..key.value.clone()
    });
    bench.lose_holder();
    bench.take_over();
    bench.answer_next(Answer::Ambiguous);
    let read = bench.next().expect("a read");
    assert!(
        matches!(&read.action, Action::ReadState { group, .. } if group == "before"),
        "{read:?}"
    );
}
