//! One watched machine: its instance in the cloud, its runner, its tags, and who uses it.

use snooze_decision::claim::{InstanceState, Tags};
use snooze_decision::{Combine, Verdict, Vote, VoteState};

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
    /// Whether the database on it is in use, and since when that is so.
    pub(super) database_busy: bool,
    database_since: u64,
    /// Until when its processor cannot be read.
    pub(super) blind_until: u64,
    /// Until when a clone of its image speaks under its name.
    pub(super) cloned_until: u64,
    clone_seq: u64,
    /// What the cloud says that forbids a stop.
    pub(super) protection: Protection,
    pub(super) up_since: u64,
    /// The highest claim that was prepared, in this boot.
    pub(super) prepared: Option<Preparation>,
    pub(super) highest_claim: u64,
    pub(super) tag: Option<Tags>,
    /// When a person last stopped it by hand.
    pub(super) hand_stopped_at: Option<u64>,
    /// When it last began to go down, however that came.
    pub(super) down_at: Option<u64>,
    /// Stop requests that the cloud accepted and has not applied yet, by claim.
    pub(super) accepted: Vec<u64>,
}

/// What protects an instance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    None,
    StopProtected,
    OptedOut,
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
            database_busy: false,
            database_since: 0,
            blind_until: 0,
            cloned_until: 0,
            clone_seq: 0,
            protection: Protection::None,
            up_since: 0,
            prepared: None,
            highest_claim: 0,
            tag: None,
            hand_stopped_at: None,
            down_at: None,
            accepted: Vec::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == InstanceState::Running
    }

    /// Whether it will never run again.
    pub(super) fn is_gone(&self) -> bool {
        matches!(
            self.state,
            InstanceState::ShuttingDown | InstanceState::Terminated | InstanceState::Missing
        )
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

    pub(super) fn use_database(&mut self, busy: bool, now: u64) {
        if self.database_busy != busy {
            self.database_busy = busy;
            self.database_since = now;
        }
    }

    pub(super) fn comes_up(&mut self, now: u64) {
        self.database_since = now;
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

    /// Whether by the policy's own mode it was idle from `from` to `now`, and for `long` before that.
    pub(super) fn truly_idle(&self, mode: Combine, from: u64, now: u64, long: u64) -> bool {
        let nobody = !self.busy && self.since <= from && now - self.since >= long;
        let processor = nobody && now >= self.blind_until + if self.blind_until > 0 { long } else { 0 };
        let since = self.database_since;
        let database = !self.database_busy && since <= from && now - since >= long;
        nobody
            && if wants_both(mode) {
                processor && database
            } else {
                processor || database
            }
    }

    /// What the runner says after measuring from `from` to `now`. Smoothed, a burst of use shows late.
    pub(super) fn verdict(
        &mut self,
        from: u64,
        now: u64,
        sample_age_ms: u64,
        policy_revision: &str,
    ) -> Verdict {
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
        let mut processor = vote("cpu");
        if now < self.blind_until {
            (processor.state, processor.raw) = (VoteState::Unknown, VoteState::Unknown);
            processor.idle_ms = 0;
        } else {
            processor.idle_ms = processor.idle_ms.min(now - self.blind_until);
        }
        let database_busy = self.database_busy || self.database_since > from;
        let database = Vote {
            state: said(database_busy),
            raw: said(database_busy),
            idle_ms: if database_busy {
                0
            } else {
                now - self.database_since
            },
            ..vote("database")
        };
        Verdict {
            boot_id: self.boot_id(),
            agent: format!("agent{}", self.agent),
            seq: self.seq,
            policy_revision: policy_revision.to_owned(),
            sample_age_ms,
            uptime_ms: now - self.up_since,
            boot_grace_left_ms: 0,
            votes: vec![processor, vote("people"), database],
        }
    }

    /// What an idle clone of the machine says under its name.
    pub(super) fn clone_verdict(&mut self, policy_revision: &str) -> Verdict {
        self.clone_seq += 1;
        let idle = |voter: &str| Vote {
            voter: voter.to_owned(),
            state: VoteState::Idle,
            raw: VoteState::Idle,
            reason: String::new(),
            idle_ms: 3_600_000,
        };
        Verdict {
            boot_id: "boot of a clone".to_owned(),
            agent: "agent of a clone".to_owned(),
            seq: self.clone_seq,
            policy_revision: policy_revision.to_owned(),
            sample_age_ms: 0,
            uptime_ms: 3_600_000,
            boot_grace_left_ms: 0,
            votes: vec![idle("cpu"), idle("people"), idle("database")],
        }
    }
}

/// Whether processor and database must both be idle; people must be in every mode.
fn wants_both(mode: Combine) -> bool {
    match mode {
        Combine::All => true,
        Combine::Any => false,
        Combine::Quorum(needed) => needed > 1,
        Combine::Weighted(threshold) => threshold > 1.0,
    }
}
