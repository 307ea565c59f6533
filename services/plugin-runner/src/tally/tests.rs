//! A host's votes over time, told by hand.

mod clocks;
mod fresh;
mod terms;

use super::*;
use snooze_schemas::{
    Timestamp,
    sample::{Reading, Unit, name},
    verdict::{Role, Vote, VoteState},
};

const BOOT: &str = "boot";

fn policy() -> Policy {
    serde_json::from_value(serde_json::json!({
        "check_interval_seconds": 1.0,
        "plugin_timeout_seconds": 0.5,
        "boot_grace_minutes": 1.0,
        "input_idle_threshold_secs": 0,
        "voters": {
            "memory": {"role": "advisory"},
            "network": {"role": "advisory"},
            "disk_io": {"role": "advisory"},
            "people": {"role": "advisory"},
        },
    }))
    .expect("a policy")
}

fn at(ms: u64) -> Moment {
    Moment {
        monotonic_ms: ms,
        boottime_ms: ms,
        real_ms: i64::try_from(ms).expect("small"),
    }
}

fn sample(seq: u64, end: u64, cpu: f64) -> Sample {
    let reading = Reading::Known {
        value: cpu,
        unit: Unit::Percent,
        took_ms: 0,
    };
    Sample {
        host: "h1".parse().expect("a host id"),
        boot_id: BOOT.to_owned(),
        agent: "collector".to_owned(),
        seq,
        taken_at: Timestamp::from_millisecond(i64::try_from(end).expect("small")).expect("in range"),
        covers_ms: 1_000,
        ends_monotonic_ms: end,
        ends_boottime_ms: end,
        readings: [(name::CPU_PERCENT.to_owned(), reading)].into(),
        gpus: Vec::new(),
    }
}

fn plugin(terms: &str) -> BTreeMap<VoterName, AskedVoter> {
    [(
        voter("redis"),
        AskedVoter {
            terms: terms.to_owned(),
            barred: None,
        },
    )]
    .into()
}

/// What the plugin votes at this time.
fn redis(tally: &Tally, now: u64) -> Vote {
    let votes = tally.votes(&policy(), at(now));
    votes
        .into_iter()
        .find(|vote| vote.voter == voter("redis"))
        .expect("it votes")
}

fn voter(name: &str) -> VoterName {
    name.parse().expect("a voter name")
}

fn idle() -> Opinion {
    Opinion::new(VoteState::Idle, "idle")
}

struct Desk {
    tally: Tally,
    policy: Policy,
    seq: u64,
}

impl Desk {
    fn new() -> Desk {
        let mut tally = Tally::new(BOOT.to_owned());
        tally.ask_these(plugin("a"), &policy());
        Desk {
            tally,
            policy: policy(),
            seq: 0,
        }
    }

    /// A sample that arrives when its interval ends, and an idle answer of the plugin.
    fn quiet_second(&mut self, end: u64) {
        self.late(end, end, 1.0);
        self.tally
            .answer(&voter("redis"), "a", at(end), idle(), &self.policy);
    }

    fn late(&mut self, end: u64, now: u64, cpu: f64) {
        self.seq += 1;
        let (taken, _) = self
            .tally
            .sample(&sample(self.seq, end, cpu), &self.policy, at(now));
        assert!(taken, "sample {} was refused", self.seq);
    }

    fn vote(&self, who: &str, now: u64) -> Vote {
        let votes = self.tally.votes(&self.policy, at(now));
        votes
            .into_iter()
            .find(|vote| vote.voter.as_str() == who)
            .expect("it votes")
    }
}

#[test]
fn s13_a_voter_that_is_at_work_before_the_stop_is_held_however_long_it_takes() {
    let mut tally = Tally::new(BOOT.to_owned());
    tally.ask_these(plugin("a"), &policy());
    tally.sample(&sample(1, 1_000, 1.0), &policy(), at(1_000));
    let idle = Opinion {
        state: VoteState::Idle,
        ..Opinion::unknown("no clients")
    };
    for second in 1..=5 {
        tally.answer(&voter("redis"), "a", at(second * 1_000), idle.clone(), &policy());
    }
    let before = redis(&tally, 5_000);
    assert_eq!((before.state, before.idle_ms), (VoteState::Idle, 4_000));
    // Far longer than the gap between two answers may be.
    for second in 6..=60 {
        tally.hold(&voter("redis"), "a", at(second * 1_000), &policy());
    }
    let held = redis(&tally, 60_000);
    assert_eq!((held.state, held.idle_ms), (VoteState::Idle, 4_000));
    tally.answer(&voter("redis"), "a", at(61_000), idle.clone(), &policy());
    assert_eq!(
        redis(&tally, 61_000).idle_ms,
        4_000,
        "the time at work does not count"
    );
    tally.answer(&voter("redis"), "a", at(62_000), idle.clone(), &policy());
    assert_eq!(redis(&tally, 62_000).idle_ms, 5_000);
    // A hole stays one, and who was busy is not held.
    tally.hold(&voter("redis"), "a", at(70_000), &policy());
    assert_eq!(redis(&tally, 70_000).state, VoteState::Unknown);
    tally.answer(&voter("redis"), "a", at(71_000), idle, &policy());
    assert_eq!(redis(&tally, 71_000).idle_ms, 0);
}

#[test]
fn a_quiet_host_collects_idle_time() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000, 4_000] {
        desk.quiet_second(end);
    }
    assert_eq!(desk.vote("cpu", 4_000).idle_ms, 3_000);
    assert_eq!(
        desk.vote("redis", 4_000).idle_ms,
        2_000,
        "nothing is known of the time before the first answer"
    );
}

#[test]
fn s2_before_anything_was_heard_every_voter_is_unknown() {
    let tally = Desk::new().tally;
    let votes = tally.votes(&policy(), at(1_000));
    assert!(votes.len() >= 6);
    for vote in votes {
        assert_eq!((vote.state, vote.idle_ms), (VoteState::Unknown, 0), "{vote:?}");
    }
}

#[test]
fn s3_a_sample_or_answer_that_is_too_old_is_unknown() {
    let mut desk = Desk::new();
    desk.quiet_second(2_000);
    assert_eq!(desk.vote("cpu", 4_500).state, VoteState::Idle);
    assert_eq!(desk.vote("cpu", 4_501).state, VoteState::Unknown);
    assert_eq!(desk.vote("redis", 5_000).state, VoteState::Idle);
    assert_eq!(desk.vote("redis", 5_001).state, VoteState::Unknown);
    assert_eq!(desk.vote("redis", 5_001).idle_ms, 0);
}

#[test]
fn t2_a_broker_that_was_away_costs_nobody_their_naptime() {
    let mut desk = Desk::new();
    desk.quiet_second(2_000);
    // For ten seconds no sample arrives; the plugin is asked all the same.
    for now in (3_500..12_000).step_by(1_500) {
        desk.tally
            .answer(&voter("redis"), "a", at(now), idle(), &desk.policy);
    }
    assert_eq!(
        desk.vote("cpu", 12_000).state,
        VoteState::Unknown,
        "as long as it lasts nothing is idle"
    );
    for end in (3_000..=12_000).step_by(1_000) {
        desk.late(end, 12_100, 1.0);
    }
    assert_eq!(desk.vote("cpu", 12_100).idle_ms, 11_000);
    assert_eq!(desk.vote("redis", 12_100).idle_ms, 9_000);
    assert_eq!(desk.tally.sample_age_ms(at(12_100)), 100);
}

#[test]
fn t2_a_late_busy_sample_is_not_overlooked() {
    let mut desk = Desk::new();
    desk.quiet_second(2_000);
    desk.late(3_000, 9_000, 1.0);
    desk.late(4_000, 9_000, 90.0);
    desk.late(5_000, 9_000, 1.0);
    assert_eq!(desk.tally.votes(&desk.policy, at(5_000))[0].idle_ms, 1_000);
}

#[test]
fn i2_a_repeated_sample_makes_nobody_idle_and_says_so() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    let (taken, remarks) = desk.tally.sample(&sample(2, 4_000, 1.0), &desk.policy, at(4_000));
    assert!(!taken);
    assert!(
        matches!(&remarks[..], [Remark::Objected(why)] if why.contains("repeated")),
        "{remarks:?}"
    );
    let cpu = desk.vote("cpu", 4_000);
    assert_eq!((cpu.state, cpu.idle_ms), (VoteState::Unknown, 0));
    assert!(cpu.reason.contains("repeated"), "{}", cpu.reason);
    assert_eq!(desk.vote("redis", 4_000).idle_ms, 0);
}

#[test]
fn s3_a_sample_that_covers_a_long_time_is_old_as_soon_as_any_other() {
    let mut desk = Desk::new();
    desk.seq += 1;
    let mut long = sample(desk.seq, 900_000, 1.0);
    long.covers_ms = 600_000;
    let (taken, _) = desk.tally.sample(&long, &desk.policy, at(900_000));
    assert!(taken);
    assert_eq!(desk.vote("cpu", 902_501).state, VoteState::Unknown);
}
