//! When a verdict is worth sending: a vote changed, a run reached the naptime, or it is time again (T6).
//!
//! A reason is a part of its vote, and another one is told without waiting for the heartbeat; but numbers in it are none,
//! as they change with every sample, and whatever else a plugin writes there, no more than four verdicts a heartbeat
//! come of it.
//!
//! Pure: it looks at votes and the clock and says yes or no.

use crate::moment::Moment;
use snooze_schemas::{
    VoterName,
    verdict::{Role, Vote, VoteState},
};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What of a vote makes a difference to whoever decides by it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gist {
    voter: VoterName,
    role: Role,
    state: VoteState,
    reached: bool,
}

/// What was sent last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    gist: Vec<Gist>,
    /// The reasons of all votes together, without their numbers.
    reasons: u64,
    policy_revision: String,
    in_grace: bool,
    at_boottime_ms: u64,
}

/// What a verdict would say now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    /// The votes.
    pub votes: &'a [Vote],
    /// The policy that they were made under.
    pub policy_revision: &'a str,
    /// What is left of boot grace.
    pub boot_grace_left_ms: u64,
    /// How long idleness has to last.
    pub naptime_ms: u64,
    /// How often an unchanged verdict is sent again.
    pub heartbeat_ms: u64,
}

/// Remembers what was sent.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    sent: Option<Sent>,
    /// Until when nothing is tried, on the boot-time clock, because the last attempt failed.
    paused_until_ms: u64,
}

/// Between two attempts where the first failed: whatever stands against it lasts longer than a moment.
const PAUSE_MS: u64 = 1_000;

/// So many verdicts a heartbeat may come of reasons alone: of a plugin that tells the name of whatever it looked at last,
/// and of a fleet of them, the bus is to have a small multiple of what it has anyway.
const REWORDED_A_HEARTBEAT: u64 = 4;

/// Why a verdict is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is the first, or the first after the bus was away.
    First,
    /// A vote, a role or the policy changed, or boot grace ended.
    Changed,
    /// A run reached the naptime.
    Reached,
    /// A vote is the same for another reason.
    Reworded,
    /// Nothing changed for so long.
    Heartbeat,
}

impl Publishing {
    /// Whether this is to be sent, and why.
    #[must_use]
    pub(crate) fn due(&self, draft: &Draft<'_>, now: Moment) -> Option<Cause> {
        if now.boottime_ms < self.paused_until_ms {
            return None;
        }
        let Some(sent) = &self.sent else {
            return Some(Cause::First);
        };
        let gist = gist(draft);
        if gist != sent.gist {
            let same_but_for_reaching = gist.len() == sent.gist.len()
                && gist.iter().zip(&sent.gist).all(|(new, old)| {
                    Gist {
                        reached: old.reached,
                        ..new.clone()
                    } == *old
                });
            return Some(if same_but_for_reaching {
                Cause::Reached
            } else {
                Cause::Changed
            });
        }
        if sent.policy_revision != draft.policy_revision || sent.in_grace != (draft.boot_grace_left_ms > 0) {
            return Some(Cause::Changed);
        }
        let age_ms = now.boottime_ms.saturating_sub(sent.at_boottime_ms);
        if age_ms >= draft.heartbeat_ms {
            return Some(Cause::Heartbeat);
        }
        let is_due = age_ms >= draft.heartbeat_ms / REWORDED_A_HEARTBEAT;
        (is_due && reasons(draft) != sent.reasons).then_some(Cause::Reworded)
    }

    /// Notes that this was sent.
    pub(crate) fn sent(&mut self, draft: &Draft<'_>, now: Moment) {
        self.sent = Some(Sent {
            gist: gist(draft),
            reasons: reasons(draft),
            policy_revision: draft.policy_revision.to_owned(),
            in_grace: draft.boot_grace_left_ms > 0,
            at_boottime_ms: now.boottime_ms,
        });
    }

    /// Forgets what was sent, because it may not have arrived.
    pub(crate) fn forget(&mut self) {
        *self = Publishing::default();
    }

    /// Notes that it could not be sent: it is tried again after a pause.
    pub(crate) fn failed(&mut self, now: Moment) {
        self.sent = None;
        self.paused_until_ms = now.boottime_ms.saturating_add(PAUSE_MS);
    }

    /// In how long the heartbeat, or the next attempt, is due.
    #[must_use]
    pub(crate) fn heartbeat_in_ms(&self, heartbeat_ms: u64, now: Moment) -> u64 {
        let due_at = self
            .sent
            .as_ref()
            .map_or(0, |sent| sent.at_boottime_ms.saturating_add(heartbeat_ms));
        due_at.max(self.paused_until_ms).saturating_sub(now.boottime_ms)
    }
}

fn gist(draft: &Draft<'_>) -> Vec<Gist> {
    draft
        .votes
        .iter()
        .map(|vote| Gist {
            voter: vote.voter.clone(),
            role: vote.role,
            state: vote.state,
            reached: vote.state == VoteState::Idle && vote.idle_ms >= draft.naptime_ms,
        })
        .collect()
}

/// The reasons, by what they say beside their numbers: those of one thing that grows are one reason.
fn reasons(draft: &Draft<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for vote in draft.votes {
        let bytes = vote.reason.bytes();
        let words = bytes.filter(|byte| !byte.is_ascii_digit() && !b".,+-".contains(byte));
        words.for_each(|byte| byte.hash(&mut hasher));
        // No text has it, so that nothing moves from one reason to the next unseen.
        u8::MAX.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
