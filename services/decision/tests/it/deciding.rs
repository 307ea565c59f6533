//! The rules of deciding (S, T5, I), each by its name.

use crate::bench::{HOUR, REVISION, acting, idle_verdict, idle_vote, vote};
use snooze_decision::claim::{
    Claim, ClaimNumber, Entry, Frozen, Gate, HostRecord, Lease, Phase, Postponement, Progress, Revision, Wake,
};
use snooze_decision::decide::{Enrolled, Heard, Identity, Slots};
use snooze_decision::{
    Boot, Combine, Decision, Explained, Facts, Idleness, Mode, Now, Obstacle, Policy, PolicyValues, Role,
    StopAction, Verdict, Vote, VoteState, VoterRule, Wall, decide, explain,
};
use std::collections::BTreeMap;

/// Everything about one host; every test spoils one thing.
pub(crate) struct Desk {
    pub(crate) values: PolicyValues,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) heard_ago_ms: u64,
    pub(crate) identity: Identity,
    pub(crate) key: Entry<HostRecord>,
    pub(crate) gate: Gate,
    pub(crate) enrolled: bool,
    pub(crate) carries_executor: bool,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) slots: Slots,
    pub(crate) wall: Wall,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            values: acting(),
            verdict: Some(idle_verdict()),
            heard_ago_ms: 0,
            identity: Identity::One,
            key: Entry::default(),
            gate: Gate::default(),
            enrolled: true,
            carries_executor: false,
            tags: BTreeMap::new(),
            slots: Slots::Free,
            wall: Wall(1_700_000_000_000),
        }
    }
}

impl Desk {
    pub(crate) fn decide(&self) -> Explained {
        let policy = Policy::check(self.values.clone()).expect("a sound policy");
        let now = Now {
            boot: Boot(self.heard_ago_ms + 5_000),
            wall: self.wall,
        };
        let heard = |verdict| Heard {
            verdict,
            at: Boot(5_000),
        };
        decide(&Facts {
            policy: &policy,
            policy_revision: REVISION,
            verdict: self.verdict.as_ref().map(heard),
            identity: self.identity,
            key: &self.key,
            gate: &self.gate,
            roster: self.enrolled.then_some(Enrolled {
                carries_executor: self.carries_executor,
                tags: &self.tags,
            }),
            slots: self.slots,
            now,
        })
    }

    pub(crate) fn votes(&mut self, votes: Vec<Vote>) {
        if let Some(verdict) = &mut self.verdict {
            verdict.votes = votes;
        }
    }
}

pub(crate) fn with(change: impl FnOnce(&mut Desk)) -> Explained {
    let mut desk = Desk::default();
    change(&mut desk);
    desk.decide()
}

pub(crate) fn stays(explained: &Explained, obstacle: &Obstacle) {
    assert_eq!(explained.decision, Decision::Stay, "{explained:?}");
    assert_eq!(explained.obstacles, std::slice::from_ref(obstacle));
}

fn waits(explained: &Explained, left_ms: u64) {
    assert_eq!(
        explained.decision,
        Decision::Wait { ms: left_ms },
        "{explained:?}"
    );
    assert_eq!(explained.obstacles.len(), 1);
}

#[test]
fn an_idle_host_that_nothing_keeps_up_is_claimed() {
    let explained = Desk::default().decide();
    assert_eq!(explained.decision, Decision::Claim);
    assert_eq!(explained.idleness, Idleness::For(HOUR));
    assert_eq!(explained.obstacles, []);
}

#[test]
fn s1_nothing_is_stopped_while_the_policy_only_observes() {
    let explained = with(|desk| desk.values.mode = Mode::Observe);
    assert_eq!(explained.decision, Decision::ObserveOnly);
    assert!(explain::summary(&explained).contains("only observes"));
    assert_eq!(PolicyValues::default().mode, Mode::Observe);
}

#[test]
fn s2_a_required_voter_that_is_busy_or_unknown_wins_in_every_mode() {
    for combine in [
        Combine::All,
        Combine::Any,
        Combine::Quorum(1),
        Combine::Weighted(1.0),
    ] {
        for state in [VoteState::Busy, VoteState::Unknown] {
            let explained = with(|desk| {
                desk.values.combine = combine;
                desk.votes(vec![idle_vote("cpu", HOUR), vote("people", state)]);
            });
            assert_eq!(explained.decision, Decision::Stay, "{combine:?} {state:?}");
            assert_eq!(explained.blocking.len(), 1);
            assert_eq!(explained.blocking[0].voter, "people");
        }
    }
}

#[test]
fn s2_what_is_beyond_policy_wins_in_every_mode_and_over_every_rule() {
    for (voter, combine) in ["instance", "folders-of-plugins"].into_iter().flat_map(|voter| {
        [
            Combine::All,
            Combine::Any,
            Combine::Quorum(1),
            Combine::Weighted(1.0),
        ]
        .map(|combine| (voter, combine))
    }) {
        let explained = with(|desk| {
            desk.values.combine = combine;
            let advisory = VoterRule {
                role: Some(Role::Advisory),
                ..VoterRule::default()
            };
            desk.values.voters.insert(voter.to_owned(), advisory);
            desk.votes(vec![
                idle_vote("cpu", HOUR),
                idle_vote("people", HOUR),
                vote(voter, VoteState::Unknown),
            ]);
        });
        assert_eq!(explained.decision, Decision::Stay, "{voter} {combine:?}");
        assert_eq!(explained.blocking[0].voter, voter);
    }
}

#[test]
fn s3_fresh_or_nothing() {
    let limit_ms = 80_000;
    let stale = with(|desk| desk.heard_ago_ms = limit_ms);
    stays(
        &stale,
        &Obstacle::Stale {
            age_ms: limit_ms + 100,
            limit_ms,
        },
    );
    assert_eq!(
        with(|desk| desk.heard_ago_ms = limit_ms - 100).decision,
        Decision::Claim
    );
    stays(
        &with(|desk| {
            desk.verdict = None;
        }),
        &Obstacle::NoVerdict,
    );
}

#[test]
fn i1_a_host_that_is_not_in_the_roster_is_left_alone() {
    stays(&with(|desk| desk.enrolled = false), &Obstacle::NotEnrolled);
}

#[test]
fn i2_two_agents_a_repetition_or_another_policy_is_not_idle() {
    stays(
        &with(|desk| desk.identity = Identity::TwoAgents),
        &Obstacle::TwoAgents,
    );
    stays(
        &with(|desk| desk.identity = Identity::Repeated),
        &Obstacle::RepeatedVerdict,
    );
    let other = with(|desk| {
        if let Some(verdict) = &mut desk.verdict {
            verdict.policy_revision = "2/1/0".to_owned();
        }
    });
    let (theirs, ours) = ("2/1/0".to_owned(), REVISION.to_owned());
    stays(&other, &Obstacle::OtherPolicy { theirs, ours });
}

#[test]
fn s4_idleness_must_last_for_the_naptime() {
    let explained = with(|desk| {
        desk.votes(vec![idle_vote("cpu", HOUR), idle_vote("people", 600_000)]);
    });
    waits(&explained, 1_200_000);
    assert!(explain::summary(&explained).contains("20 min"));
}

#[test]
fn s6_nothing_is_stopped_during_boot_grace_by_either_count() {
    let by_uptime = with(|desk| {
        if let Some(verdict) = &mut desk.verdict {
            verdict.uptime_ms = 540_000;
        }
    });
    waits(&by_uptime, 60_000);
    let after_resume = with(|desk| {
        if let Some(verdict) = &mut desk.verdict {
            verdict.boot_grace_left_ms = 90_000;
        }
    });
    waits(&after_resume, 90_000);
}

#[test]
fn s8_the_opt_out_tag_keeps_a_host_up_whatever_its_value() {
    for value in ["", "true", "false"] {
        let explained = with(|desk| {
            desk.tags
                .insert("cloudsnooze:disable".to_owned(), value.to_owned());
        });
        let tag = "cloudsnooze:disable".to_owned();
        stays(&explained, &Obstacle::OptedOut { tag });
    }
}

#[test]
fn s8_where_the_policy_names_an_opt_in_tag_only_hosts_that_say_yes_are_stopped() {
    let ask = |value: Option<&str>| {
        with(|desk| {
            desk.values.opt_in_tag = Some("snooze".to_owned());
            if let Some(value) = value {
                desk.tags.insert("snooze".to_owned(), value.to_owned());
            }
        })
        .decision
    };
    for no in [None, Some(""), Some("0"), Some("No"), Some(" FALSE ")] {
        assert_eq!(ask(no), Decision::Stay, "{no:?}");
    }
    for yes in ["true", "yes", "1", "on"] {
        assert_eq!(ask(Some(yes)), Decision::Claim, "{yes}");
    }
}

#[test]
fn s9_a_lease_keeps_a_host_awake_until_it_ends() {
    let explained = with(|desk| {
        desk.key.value.leases.push(Lease {
            id: "job".to_owned(),
            until: desk.wall.plus(58_000),
            reason: "a long job".to_owned(),
            holder: "ada".to_owned(),
        });
    });
    waits(&explained, 60_000);
    assert!(explain::sentences(&explained)[0].contains("ada keeps it awake"));
}

#[test]
fn s12_a_postponement_or_a_cool_down_is_waited_for() {
    let postponed = with(|desk| {
        let until = desk.wall.plus(28_000);
        let reason = "later".to_owned();
        desk.key.value.postponement = Some(Postponement { until, reason });
    });
    waits(&postponed, 30_000);
    waits(
        &with(|desk| desk.key.value.not_before = Some(desk.wall.plus(8_000))),
        10_000,
    );
    let both = with(|desk| {
        desk.key.value.not_before = Some(desk.wall.plus(8_000));
        desk.votes(vec![idle_vote("cpu", 1_799_000), idle_vote("people", HOUR)]);
    });
    assert_eq!(both.decision, Decision::Wait { ms: 10_000 }, "the last of them");
}

#[test]
fn s22_a_closed_kill_switch_stops_everything() {
    let (reason, by) = ("a drill".to_owned(), "ada".to_owned());
    let explained = with(|desk| {
        desk.gate.frozen = Some(Frozen {
            since: Wall(0),
            reason: reason.clone(),
            by: by.clone(),
        });
    });
    stays(&explained, &Obstacle::Frozen { reason, by });
}

#[test]
fn s23_every_obstacle_is_told_and_not_only_the_first() {
    let explained = with(|desk| {
        desk.votes(vec![
            vote("cpu", VoteState::Busy),
            vote("people", VoteState::Unknown),
        ]);
        desk.carries_executor = true;
        desk.slots = Slots::AllTaken { limit: 5 };
        desk.key.value.not_before = Some(desk.wall.plus(8_000));
    });
    assert_eq!(explained.obstacles.len(), 5);
    let sentences = explain::sentences(&explained);
    assert!(
        sentences.iter().all(|sentence| sentence.ends_with('.')),
        "{sentences:?}"
    );
    assert!(sentences[0].starts_with("Voter cpu is busy"), "{sentences:?}");
}

#[test]
fn s25_the_machine_that_runs_the_executor_is_left_alone_unless_it_may_stop_itself() {
    stays(
        &with(|desk| desk.carries_executor = true),
        &Obstacle::CarriesExecutor,
    );
    let explained = with(|desk| {
        desk.carries_executor = true;
        desk.values.self_stop = true;
    });
    assert_eq!(explained.decision, Decision::Claim);
}

#[test]
fn p2_a_wake_blocks_new_claims() {
    let explained = with(|desk| {
        desk.key.value.wake = Some(Wake {
            at: Wall(1),
            reason: "work".to_owned(),
            by: "ada".to_owned(),
        });
    });
    stays(&explained, &Obstacle::WakeWanted { by: "ada".to_owned() });
}

#[test]
fn s23_a_claimed_host_is_said_to_be_on_its_way_and_is_not_claimed_again() {
    let claimed = |phase| {
        with(|desk| {
            desk.key.revision = Revision(9);
            desk.key.value.claim = Some(claim(phase));
        })
    };
    let explained = claimed(Phase::Claimed(Progress::Noticing));
    assert_eq!(explained.decision, Decision::Claimed);
    assert_eq!(
        explain::summary(&explained),
        "It is being stopped (claimed): idle for 40 min."
    );
    let explained = claimed(Phase::Stopping);
    assert_eq!(
        explain::summary(&explained),
        "It is being stopped (stopping): idle for 40 min."
    );
    let explained = claimed(Phase::Cancelled);
    assert_eq!(explained.decision, Decision::Stay, "it stays up, for now");
    assert_eq!(
        explain::summary(&explained),
        "It stays up: Its stop was given up and is being undone: a lease."
    );
}

fn claim(phase: Phase) -> Claim {
    Claim {
        number: ClaimNumber(3),
        holder: "another".to_owned(),
        phase,
        beat: 1,
        freezes: 0,
        policy_revision: REVISION.to_owned(),
        reason: "idle for 40 min".to_owned(),
        action: StopAction::Stop,
        agent: String::new(),
        boot_id: String::new(),
        target: None,
        quarantine_ms: 0,
        group: String::new(),
        slots: Vec::new(),
        claimed_at: Wall(1),
        committed_at: None,
        stopped_by_others: false,
        tagged: false,
        cancelled_because: "a lease".to_owned(),
    }
}

#[test]
fn s3_a_host_that_has_taken_no_sample_yet_is_said_to_have_none() {
    // Such a host counts the age of its sample from its boot.
    let explained = with(|desk| {
        if let Some(verdict) = &mut desk.verdict {
            (verdict.sample_age_ms, verdict.uptime_ms) = (270_000, 270_000);
        }
        desk.values.boot_grace_ms = 0;
    });
    stays(&explained, &Obstacle::NoSample);
    assert!(explain::summary(&explained).contains("no sample yet"));
    let explained = with(|desk| {
        if let Some(verdict) = &mut desk.verdict {
            verdict.sample_age_ms = 270_000;
        }
    });
    assert!(
        explain::summary(&explained).contains("The newest sample that it told of is 4 min 30 s old by now")
    );
}

#[test]
fn i2_votes_of_which_nobody_knows_whose_they_are_never_say_idle() {
    for identity in [Identity::TwoAgents, Identity::Repeated] {
        let explained = with(|desk| desk.identity = identity);
        assert_eq!(explained.idleness, Idleness::Unknown, "{identity:?}");
    }
    let other = with(|desk| {
        if let Some(verdict) = &mut desk.verdict {
            verdict.policy_revision = "2/1/0".to_owned();
        }
    });
    assert_eq!(other.idleness, Idleness::Unknown);
}

#[test]
fn durations_read_as_people_say_them() {
    let said = [
        (0, "0 ms"),
        (1_500, "1.5 s"),
        (12_345, "12 s"),
        (60_000, "1 min"),
        (3_600_000, "1 h"),
    ];
    for (ms, text) in said {
        assert_eq!(explain::duration(ms), text);
    }
    assert_eq!(explain::duration(5_430_000), "1 h 30 min");
    assert_eq!(explain::duration(65_000), "1 min 5 s");
}
