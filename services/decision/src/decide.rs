//! What is to become of a host: a pure function of its verdict, its policy, its key and the kill switch.
//!
//! Nothing here acts. A published verdict only *opens* a claim; what a stop rests on is the verification
//! that the claim asks for later. Every obstacle is found, not only the first, so that people can be told
//! everything that keeps a host up.

mod tags;

use crate::claim::{Entry, Gate, HostRecord, Phase};
use crate::combine::{Blocking, Combined, Idleness, combine};
use crate::obstacle::Obstacle;
use crate::policy::{Mode, Policy};
use crate::time::{Boot, Now, Wall};
use crate::verdict::Verdict;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
pub use tags::tag_obstacles;

/// Everything that a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The policy that holds for the host.
    pub policy: &'a Policy,
    /// Its revision, as this executor read it.
    pub policy_revision: &'a str,
    /// The last verdict, and when it was received; none where none was heard.
    pub verdict: Option<Heard<'a>>,
    /// What is known of who sends the host's verdicts (I2).
    pub identity: Identity,
    /// The host's key.
    pub key: &'a Entry<HostRecord>,
    /// The kill switch.
    pub gate: &'a Gate,
    /// What the roster says; none where the host is not in it (I1).
    pub roster: Option<Enrolled<'a>>,
    /// The slots of its group.
    pub slots: Slots,
    /// On the executor's own clocks.
    pub now: Now,
}

/// A verdict and when it came.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// The verdict.
    pub verdict: &'a Verdict,
    /// When it was received.
    pub at: Boot,
}

/// What the roster says of a host, as far as deciding needs it.
#[derive(Debug, Clone, Copy)]
pub struct Enrolled<'a> {
    /// Whether broker and executor run on it (P10, S25).
    pub carries_executor: bool,
    /// The instance's tags as last read; read again before a stop.
    pub tags: &'a BTreeMap<String, String>,
}

/// Who sends a host's verdicts (I2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// One agent instance, counting up.
    #[default]
    One,
    /// Two agent instances are alive under this id.
    TwoAgents,
    /// A sequence number came again or went back.
    Repeated,
}

/// The slots of a host's group (L1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Slots {
    /// Nobody looked.
    #[default]
    Unread,
    /// One is free.
    Free,
    /// All of them are taken.
    AllTaken {
        /// How many there are.
        limit: u32,
    },
}

/// What is to become of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It stays up; nothing is known that would change that by itself.
    Stay,
    /// It stays up, and in so many milliseconds nothing known will be in the way any more.
    Wait {
        /// How long.
        ms: u64,
    },
    /// It would be stopped, but the policy only observes (S1).
    ObserveOnly,
    /// A claim is to be made.
    Claim,
    /// A claim is on it, and whoever holds that carries the stop on.
    Claimed,
}

/// A decision with all that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What is to become of the host.
    pub decision: Decision,
    /// For how long it has been idle.
    pub idleness: Idleness,
    /// For how long it must have been.
    pub naptime_ms: u64,
    /// Everything that keeps it up.
    pub obstacles: Vec<Obstacle>,
    /// The voters that keep it from being idle.
    pub blocking: Vec<Blocking>,
}

/// Decides what is to become of a host.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Explained {
    let mut obstacles = Vec::new();
    let combined = match facts.verdict {
        Some(heard) => {
            host_side(facts, heard, &mut obstacles);
            combine(facts.policy, heard.verdict)
        }
        None => {
            obstacles.push(Obstacle::NoVerdict);
            Combined {
                idleness: Idleness::Unknown,
                blocking: Vec::new(),
                shortfall: None,
            }
        }
    };
    idle_long_enough(facts, &combined, &mut obstacles);
    roster_side(facts, &mut obstacles);
    key_side(facts, &mut obstacles);
    let decision = match latest_end(&obstacles) {
        _ if is_under_way(&facts.key.value) => Decision::Claimed,
        Some(0) if facts.policy.mode == Mode::Observe => Decision::ObserveOnly,
        Some(0) => Decision::Claim,
        Some(ms) => Decision::Wait { ms },
        None => Decision::Stay,
    };
    Explained {
        decision,
        idleness: trusted(facts, combined.idleness),
        naptime_ms: facts.policy.naptime_ms,
        obstacles,
        blocking: combined.blocking,
    }
}

/// Whether a claim is on the host that is not being undone.
fn is_under_way(record: &HostRecord) -> bool {
    let claim = record.claim.as_ref();
    claim.is_some_and(|claim| claim.phase != Phase::Cancelled)
}

/// I2: votes of which nobody knows whose they are, or that were made under another policy, never say idle.
/// So they take an open claim back as well.
fn trusted(facts: &Facts<'_>, idleness: Idleness) -> Idleness {
    let ours = |heard: Heard<'_>| heard.verdict.policy_revision == facts.policy_revision;
    match idleness {
        Idleness::For(_) if facts.identity != Identity::One || !facts.verdict.is_some_and(ours) => {
            Idleness::Unknown
        }
        idleness => idleness,
    }
}

/// When the last obstacle is gone: 0 where there is none, nothing where one does not end by itself.
fn latest_end(obstacles: &[Obstacle]) -> Option<u64> {
    obstacles
        .iter()
        .map(Obstacle::ends_in)
        .try_fold(0, |latest, ends| ends.map(|ms| latest.max(ms)))
}

/// S3, S6 and I2: what the verdict itself says of how far it can be trusted.
fn host_side(facts: &Facts<'_>, heard: Heard<'_>, obstacles: &mut Vec<Obstacle>) {
    let verdict = heard.verdict;
    let age_ms = verdict
        .sample_age_ms
        .saturating_add(facts.now.boot.since(heard.at));
    let limit_ms = facts.policy.oldest_sample_ms();
    if verdict.sample_age_ms >= verdict.uptime_ms {
        // A host without a sample counts its age from the boot.
        obstacles.push(Obstacle::NoSample);
    } else if age_ms > limit_ms {
        obstacles.push(Obstacle::Stale { age_ms, limit_ms });
    }
    if verdict.policy_revision != facts.policy_revision {
        obstacles.push(Obstacle::OtherPolicy {
            theirs: verdict.policy_revision.clone(),
            ours: String::from(facts.policy_revision),
        });
    }
    match facts.identity {
        Identity::One => {}
        Identity::TwoAgents => obstacles.push(Obstacle::TwoAgents),
        Identity::Repeated => obstacles.push(Obstacle::RepeatedVerdict),
    }
    let left_ms = boot_grace_left(facts.policy, verdict);
    if left_ms > 0 {
        obstacles.push(Obstacle::BootGrace { left_ms });
    }
}

/// What is left of the boot grace: the host counts it anew after a suspend, the executor checks the rest.
pub(crate) fn boot_grace_left(policy: &Policy, verdict: &Verdict) -> u64 {
    let by_uptime = policy.boot_grace_ms.saturating_sub(verdict.uptime_ms);
    verdict.boot_grace_left_ms.max(by_uptime)
}

/// S2 and S4.
fn idle_long_enough(facts: &Facts<'_>, combined: &Combined, obstacles: &mut Vec<Obstacle>) {
    match combined.idleness {
        Idleness::For(ms) if ms >= facts.policy.naptime_ms => {}
        Idleness::For(ms) => obstacles.push(Obstacle::Naptime {
            left_ms: facts.policy.naptime_ms - ms,
        }),
        Idleness::Busy | Idleness::Unknown => {
            obstacles.extend(combined.blocking.iter().cloned().map(Obstacle::Voter));
            obstacles.extend(combined.shortfall.clone());
        }
    }
}

/// I1, S8, S25.
fn roster_side(facts: &Facts<'_>, obstacles: &mut Vec<Obstacle>) {
    let Some(roster) = facts.roster else {
        obstacles.push(Obstacle::NotEnrolled);
        return;
    };
    if roster.carries_executor && !facts.policy.self_stop {
        obstacles.push(Obstacle::CarriesExecutor);
    }
    obstacles.extend(tag_obstacles(facts.policy, roster.tags));
}

/// S9, S12, S22, P2, L1, cool-down: what competes in the host's key, the kill switch, the slots.
fn key_side(facts: &Facts<'_>, obstacles: &mut Vec<Obstacle>) {
    let record = &facts.key.value;
    let now = facts.now.wall;
    if let Some(frozen) = &facts.gate.frozen {
        obstacles.push(Obstacle::Frozen {
            reason: frozen.reason.clone(),
            by: frozen.by.clone(),
        });
    }
    if let Some(claim) = &record.claim {
        obstacles.push(if claim.phase == Phase::Cancelled {
            Obstacle::Undoing {
                reason: claim.cancelled_because.clone(),
            }
        } else {
            Obstacle::Claimed {
                phase: claim.phase.name(),
                reason: claim.reason.clone(),
            }
        });
    }
    for lease in &record.leases {
        let left_ms = lease.until.left_at(now);
        if left_ms > 0 {
            obstacles.push(Obstacle::Lease {
                reason: lease.reason.clone(),
                holder: lease.holder.clone(),
                left_ms,
            });
        }
    }
    if let Some(postponement) = &record.postponement {
        let left_ms = postponement.until.left_at(now);
        if left_ms > 0 {
            obstacles.push(Obstacle::Postponed {
                reason: postponement.reason.clone(),
                left_ms,
            });
        }
    }
    if let Some(wake) = &record.wake {
        obstacles.push(Obstacle::WakeWanted { by: wake.by.clone() });
    }
    let cool_down = record.not_before.map_or(0, |end: Wall| end.left_at(now));
    if cool_down > 0 {
        obstacles.push(Obstacle::CoolDown { left_ms: cool_down });
    }
    if let Slots::AllTaken { limit } = facts.slots {
        obstacles.push(Obstacle::NoSlot { limit });
    }
}
