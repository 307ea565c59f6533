//! One watched machine: its instance in the cloud, its runner, its tags, and who uses it.

use snooze_decision::claim::{InstanceState, Tags};
use snooze_decision::{Verdict, Vote, VoteState};

/// A burst of use shorter than this does not show in a smoothed vote.
const SMOOTHED_MS: u64 = 3_000;

pub(super) struct Machine {
    pub(super) state: InstanceState,
    /// Counts boots.
    pub(super) boot: u64,
    pub(super) agent: u64,
    pub(super) seq: u64,
    /// Whether somebody uses it, and since when that is so.
    pub(super) busy: bool,
    pub(super) since: u64,
    /// When the last run of idleness began.
    idle_from: u64,
    pub(super) up_since: u64,
    /// The highest claim that was prepared, in this boot.
    pub(super) prepared: Option<Preparation>,
    pub(super) highest_claim: u64,
    pub(super) tag: Option<Tags>,
    /// Whether it was last stopped by a person's own hand.
    pub(super) stopped_by_hand: bool,
    /// Stop requests that the cloud accepted and has not applied yet, by claim.
    pub(super) accepted: Vec<u64>,
}

pub(super) struct Preparation {
    pub(super) claim: u64,
    pub(super) done_at: u64,
    pub(super) until: u64,
}

impl Machine {
    pub(super) fn new(busy: bool) -> Machine {
        Machine {
            state: InstanceState::Running,
            boot: 1,
            agent: 1,
            seq: 0,
            busy,
            since: 0,
            idle_from: 0,
            up_since: 0,
            prepared: None,
            highest_claim: 0,
            tag: None,
            stopped_by_hand: false,
            accepted: Vec::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == InstanceState::Running
    }

    pub(super) fn boot_id(&self) -> String {
        format!("boot{}", self.boot)
    }

    pub(super) fn set_busy(&mut self, busy: bool, now: u64) {
        if self.busy != busy {
            self.busy = busy;
            self.since = now;
            if !busy {
                self.idle_from = now;
            }
        }
    }

    pub(super) fn comes_up(&mut self, now: u64) {
        self.state = InstanceState::Running;
        self.boot += 1;
        self.agent += 1;
        self.seq = 0;
        self.up_since = now;
        self.since = now;
        self.idle_from = now;
        self.prepared = None;
        self.highest_claim = 0;
    }

    /// Whether nobody used it from `from` to `now`, nor for `long` before that.
    pub(super) fn truly_idle(&self, from: u64, now: u64, long: u64) -> bool {
        !self.busy && self.since <= from && now - self.since >= long
    }

    /// What the runner says after measuring from `from` to `now`. Smoothed, a burst of use shows late.
    pub(super) fn verdict(&mut self, from: u64, now: u64, policy_revision: &str) -> Verdict {
        self.seq += 1;
        let raw_busy = self.busy || self.since > from;
        let smoothed_busy = raw_busy && !(self.busy && now - self.since < SMOOTHED_MS);
        let said = |busy: bool| if busy { VoteState::Busy } else { VoteState::Idle };
        let vote = |voter: &str| Vote {
            voter: voter.to_owned(),
            state: said(smoothed_busy),
            raw: said(raw_busy),
            reason: String::new(),
            idle_ms: if smoothed_busy { 0 } else { now - self.idle_from },
        };
        Verdict {
            boot_id: self.boot_id(),
            agent: format!("agent{}", self.agent),
            seq: self.seq,
            policy_revision: policy_revision.to_owned(),
            sample_age_ms: 0,
            uptime_ms: now - self.up_since,
            boot_grace_left_ms: 0,
            votes: vec![vote("cpu"), vote("people")],
        }
    }
}
