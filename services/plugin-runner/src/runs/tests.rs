//! Runs of idleness: the rules by name, and the promise that they never say more than the truth.

use super::*;
use proptest::prelude::*;

const CRACK: u64 = 10;

fn name(text: &str) -> VoterName {
    text.parse().expect("a voter name")
}

fn terms(role: Role, text: &str) -> Terms {
    Terms {
        role,
        text: text.to_owned(),
    }
}

fn declared(voters: &[(&str, Role, &str)]) -> BTreeMap<VoterName, Terms> {
    voters
        .iter()
        .map(|(who, role, text)| (name(who), terms(*role, text)))
        .collect()
}

fn two() -> Runs {
    let mut runs = Runs::default();
    runs.declare(&declared(&[
        ("cpu", Role::Required, "10"),
        ("redis", Role::Required, "a"),
    ]));
    runs
}

fn idle(runs: &mut Runs, from_ms: u64, to_ms: u64) {
    runs.cover(&name("cpu"), Span { from_ms, to_ms }, VoteState::Idle, CRACK);
}

#[test]
fn t2_a_run_goes_on_over_samples_that_abut() {
    let mut runs = two();
    for n in 0..10 {
        idle(&mut runs, n * 1000, (n + 1) * 1000);
    }
    assert_eq!(runs.idle_ms(&name("cpu")), 10_000);
}

#[test]
fn t2_a_run_breaks_over_a_hole() {
    let mut runs = two();
    idle(&mut runs, 0, 1000);
    idle(&mut runs, 1000, 2000);
    idle(&mut runs, 3000, 4000);
    assert_eq!(runs.idle_ms(&name("cpu")), 1000);
}

#[test]
fn t2_a_crack_of_rounding_neither_breaks_nor_counts() {
    let mut runs = two();
    idle(&mut runs, 0, 1000);
    idle(&mut runs, 1001, 2000);
    assert_eq!(runs.idle_ms(&name("cpu")), 1999);
}

#[test]
fn busy_and_unknown_break_a_run() {
    for state in [VoteState::Busy, VoteState::Unknown] {
        let mut runs = two();
        idle(&mut runs, 0, 1000);
        let span = Span {
            from_ms: 1000,
            to_ms: 2000,
        };
        runs.cover(&name("cpu"), span, state, CRACK);
        assert_eq!(runs.idle_ms(&name("cpu")), 0);
        idle(&mut runs, 2000, 3000);
        assert_eq!(runs.idle_ms(&name("cpu")), 1000);
    }
}

#[test]
fn a_doubled_or_late_sample_breaks_a_run() {
    let mut runs = two();
    idle(&mut runs, 0, 1000);
    idle(&mut runs, 1000, 2000);
    idle(&mut runs, 1000, 2000);
    assert_eq!(runs.idle_ms(&name("cpu")), 0);
}

#[test]
fn an_asked_voter_is_idle_only_between_its_answers() {
    let mut runs = two();
    let redis = name("redis");
    runs.point(&redis, 1000, VoteState::Idle, 2000);
    assert_eq!(runs.idle_ms(&redis), 0);
    runs.point(&redis, 2000, VoteState::Idle, 2000);
    assert_eq!(runs.idle_ms(&redis), 1000);
    runs.point(&redis, 4001, VoteState::Idle, 2000);
    assert_eq!(runs.idle_ms(&redis), 0, "nothing was heard for more than the gap");
    runs.point(&redis, 5000, VoteState::Idle, 2000);
    runs.point(&redis, 5500, VoteState::Unknown, 2000);
    assert_eq!(runs.idle_ms(&redis), 0);
}

#[test]
fn t3_a_voter_that_comes_goes_or_changes_breaks_every_run() {
    let changes: [&[(&str, Role, &str)]; 4] = [
        &[("cpu", Role::Required, "10")],
        &[
            ("cpu", Role::Required, "10"),
            ("redis", Role::Required, "a"),
            ("new", Role::Counted, ""),
        ],
        &[("cpu", Role::Required, "10"), ("redis", Role::Required, "b")],
        &[("cpu", Role::Required, "10"), ("redis", Role::Advisory, "a")],
    ];
    for change in changes {
        let mut runs = two();
        idle(&mut runs, 0, 1000);
        assert_eq!(runs.declare(&declared(change)).len(), 1, "{change:?}");
        assert_eq!(runs.idle_ms(&name("cpu")), 0, "{change:?}");
    }
}

#[test]
fn t3_the_same_voters_again_break_nothing() {
    let mut runs = two();
    idle(&mut runs, 0, 1000);
    let same = declared(&[("cpu", Role::Required, "10"), ("redis", Role::Required, "a")]);
    assert!(runs.declare(&same).is_empty());
    assert_eq!(runs.idle_ms(&name("cpu")), 1000);
}

#[test]
fn t3_an_advisory_voter_costs_only_its_own_run() {
    let mut runs = two();
    idle(&mut runs, 0, 1000);
    let more = declared(&[
        ("cpu", Role::Required, "10"),
        ("redis", Role::Required, "a"),
        ("hint", Role::Advisory, ""),
    ]);
    assert!(runs.declare(&more).is_empty());
    assert_eq!(runs.idle_ms(&name("cpu")), 1000);
}

#[test]
fn who_was_never_declared_has_no_run() {
    let mut runs = two();
    runs.point(&name("stranger"), 0, VoteState::Idle, 100);
    runs.point(&name("stranger"), 50, VoteState::Idle, 100);
    assert_eq!(runs.idle_ms(&name("stranger")), 0);
}

/// The truth: what a voter would have said of each of these consecutive intervals.
fn timeline() -> impl Strategy<Value = Vec<(VoteState, u64)>> {
    let state = prop_oneof![
        6 => Just(VoteState::Idle),
        1 => Just(VoteState::Busy),
        1 => Just(VoteState::Unknown),
    ];
    prop::collection::vec((state, 1u64..5_000), 1..40)
}

/// What becomes of the samples on their way: which arrive, in which order, how often.
fn deliveries(len: usize) -> impl Strategy<Value = Vec<usize>> {
    let in_order_mostly = prop::collection::vec((0..len, 0..100u8), 0..80).prop_map(move |noise| {
        let mut order: Vec<usize> = (0..len).collect();
        for (at, what) in noise {
            match what {
                0..=19 => order.retain(|n| *n != at),
                20..=39 => order.push(at),
                40..=59 if at < order.len() => {
                    let moved = order.remove(at);
                    order.insert((at + 3).min(order.len()), moved);
                }
                60..=69 if at < order.len() => {
                    let doubled = order[at];
                    order.insert(at, doubled);
                }
                _ => {}
            }
        }
        order
    });
    let any = prop::collection::vec(0..len, 0..80);
    prop_oneof![3 => in_order_mostly, 1 => any]
}

proptest! {
    #[test]
    fn idle_ms_is_never_more_than_the_truth(
        (timeline, order) in timeline().prop_flat_map(|t| { let len = t.len(); (Just(t), deliveries(len)) })
    ) {
        let mut ends = Vec::new();
        let mut at = 0;
        for (_, length) in &timeline {
            ends.push((at, at + length));
            at += length;
        }
        let mut runs = two();
        let mut newest: Option<usize> = None;
        for n in order {
            let (from_ms, to_ms) = ends[n];
            runs.cover(&name("cpu"), Span { from_ms, to_ms }, timeline[n].0, 0);
            runs.point(&name("redis"), to_ms, timeline[n].0, 2_000);
            newest = Some(newest.map_or(n, |old| old.max(n)));
            let until = newest.expect("one was delivered");
            let truth: u64 = timeline[..=until]
                .iter()
                .rev()
                .take_while(|(state, _)| *state == VoteState::Idle)
                .map(|(_, length)| length)
                .sum();
            prop_assert!(runs.idle_ms(&name("cpu")) <= truth);
        }
    }

    /// What an asked voter would have said between two answers nobody knows; its run is at most the
    /// time since the oldest answer of an unbroken row of idle ones.
    #[test]
    fn an_asked_voters_run_is_within_its_row_of_idle_answers(
        answers in prop::collection::vec((0u64..60_000, prop::bool::weighted(0.85)), 1..60)
    ) {
        let mut runs = two();
        let mut heard: Vec<(u64, bool)> = Vec::new();
        for (at, idle) in answers {
            let state = if idle { VoteState::Idle } else { VoteState::Busy };
            runs.point(&name("redis"), at, state, 10_000);
            heard.push((at, idle));
            heard.sort_unstable();
            let newest = heard.last().expect("one was heard").0;
            let oldest = heard
                .iter()
                .rev()
                .take_while(|(_, idle)| *idle)
                .last()
                .map_or(newest, |(at, _)| *at);
            prop_assert!(runs.idle_ms(&name("redis")) <= newest - oldest);
        }
    }

    #[test]
    fn a_run_that_loses_nothing_is_the_whole_truth(lengths in prop::collection::vec(1u64..5_000, 1..40)) {
        let mut runs = two();
        let mut at = 0;
        for length in &lengths {
            idle(&mut runs, at, at + length);
            at += length;
        }
        prop_assert_eq!(runs.idle_ms(&name("cpu")), at);
    }
}
