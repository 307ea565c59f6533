//! When a verdict is worth sending: a vote changed, a run reached the naptime, or it is time again (T6).
//!
//! Pure: it looks at votes and the clock and says yes or no.

use crate::moment::Moment;
use snooze_schemas::{
    VoterName,
    verdict::{Role, Vote, VoteState},
};

/// What of a vote makes a difference to those who hear of it. Reasons and figures change all the time.
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

/// Why a verdict is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is the first, or the first after the bus was away.
    First,
    /// A vote, a role or the policy changed, or boot grace ended.
    Changed,
    /// A run reached the naptime.
    Reached,
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
        (age_ms >= draft.heartbeat_ms).then_some(Cause::Heartbeat)
    }

    /// Notes that this was sent.
    pub(crate) fn sent(&mut self, draft: &Draft<'_>, now: Moment) {
        self.sent = Some(Sent {
            gist: gist(draft),
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

#[cfg(test)]
mod tests {
    use super::*;

    const NAPTIME: u64 = 10_000;

    fn vote(voter: &str, state: VoteState, idle_ms: u64) -> Vote {
        Vote {
            voter: voter.parse().expect("a voter name"),
            role: Role::Required,
            state,
            raw: state,
            reason: format!("for {idle_ms}"),
            evidence: std::collections::BTreeMap::new(),
            idle_ms,
        }
    }

    fn draft<'a>(votes: &'a [Vote], revision: &'a str) -> Draft<'a> {
        Draft {
            votes,
            policy_revision: revision,
            boot_grace_left_ms: 0,
            naptime_ms: NAPTIME,
            heartbeat_ms: 60_000,
        }
    }

    fn at(ms: u64) -> Moment {
        Moment {
            monotonic_ms: ms,
            boottime_ms: ms,
            real_ms: 0,
        }
    }

    #[test]
    fn t6_a_verdict_is_sent_when_a_vote_changes_when_a_run_reaches_naptime_and_as_heartbeat() {
        let mut publishing = Publishing::default();
        let votes = |state, idle_ms| [vote("cpu", VoteState::Idle, idle_ms), vote("redis", state, 0)];
        let steps = [
            (1_000, votes(VoteState::Busy, 1_000), Some(Cause::First)),
            (2_000, votes(VoteState::Busy, 2_000), None),
            (3_000, votes(VoteState::Unknown, 3_000), Some(Cause::Changed)),
            (4_000, votes(VoteState::Unknown, 4_000), None),
            (11_000, votes(VoteState::Unknown, NAPTIME), Some(Cause::Reached)),
            (12_000, votes(VoteState::Unknown, 11_000), None),
            (70_999, votes(VoteState::Unknown, 70_000), None),
            (71_000, votes(VoteState::Unknown, 70_000), Some(Cause::Heartbeat)),
        ];
        for (ms, votes, expected) in steps {
            let draft = draft(&votes, "1/0/0");
            assert_eq!(publishing.due(&draft, at(ms)), expected, "at {ms}");
            if expected.is_some() {
                publishing.sent(&draft, at(ms));
            }
        }
    }

    #[test]
    fn t6_a_new_policy_revision_a_new_voter_and_the_end_of_grace_are_changes() {
        let mut publishing = Publishing::default();
        let votes = [vote("cpu", VoteState::Idle, 1)];
        publishing.sent(&draft(&votes, "1/0/0"), at(0));
        assert_eq!(
            publishing.due(&draft(&votes, "2/0/0"), at(1)),
            Some(Cause::Changed)
        );
        let more = [vote("cpu", VoteState::Idle, 1), vote("gpu", VoteState::Idle, 1)];
        assert_eq!(
            publishing.due(&draft(&more, "1/0/0"), at(1)),
            Some(Cause::Changed)
        );
        let in_grace = Draft {
            boot_grace_left_ms: 5,
            ..draft(&votes, "1/0/0")
        };
        assert_eq!(publishing.due(&in_grace, at(1)), Some(Cause::Changed));
    }

    #[test]
    fn t6_after_a_failed_attempt_the_next_one_waits_a_moment() {
        let mut publishing = Publishing::default();
        let votes = [vote("cpu", VoteState::Idle, 1)];
        publishing.failed(at(10_000));
        assert_eq!(publishing.heartbeat_in_ms(60_000, at(10_000)), PAUSE_MS);
        assert_eq!(publishing.due(&draft(&votes, "1/0/0"), at(10_999)), None);
        assert_eq!(
            publishing.due(&draft(&votes, "1/0/0"), at(11_000)),
            Some(Cause::First)
        );
    }

    #[test]
    fn t6_after_the_bus_was_away_the_verdict_is_sent_anew() {
        let mut publishing = Publishing::default();
        let votes = [vote("cpu", VoteState::Idle, 1)];
        publishing.sent(&draft(&votes, "1/0/0"), at(0));
        publishing.forget();
        assert_eq!(publishing.due(&draft(&votes, "1/0/0"), at(1)), Some(Cause::First));
    }
}
