//! What other tasks ask of the loop, and what it answers them.

use super::{Engine, State, words::log};
use crate::{policy::PolicyInForce, tally::Anew};
use snooze_schemas::{
    VoterName,
    metrics::Metrics,
    verdict::{Verdict, Vote, VoteState},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::oneshot;

/// What other tasks ask of the loop.
#[derive(Debug)]
pub(crate) enum Request {
    /// The verdict of a fresh look (P3).
    Fresh {
        /// What came of it.
        look: Look,
        /// Where the verdict goes.
        reply: oneshot::Sender<Verdict>,
    },
    /// A verdict in which nobody is idle, with the reason.
    Nobody {
        /// Why nothing may count as idle.
        reason: String,
        /// Where the verdict goes.
        reply: oneshot::Sender<Verdict>,
    },
    /// The votes as they stand.
    Standing {
        /// Where they go.
        reply: oneshot::Sender<Vec<Vote>>,
    },
    /// The readings that plugins are told.
    Metrics {
        /// Where they go.
        reply: oneshot::Sender<Metrics>,
    },
}

/// What every voter said to a question of its own.
#[derive(Debug)]
pub(crate) struct Look {
    /// The policy under which it was asked.
    pub policy: Arc<PolicyInForce>,
    /// By voter; who is missing was not asked.
    pub said: BTreeMap<VoterName, Anew>,
    /// When the sample for it began, on the boot-time clock; nothing where none came.
    pub sample_begun_ms: Option<u64>,
}

impl Engine {
    pub(super) fn attend(&self, state: &mut State, request: Request) {
        let now = self.now();
        log(state.tally.look(now));
        match request {
            Request::Standing { reply } => {
                // Whoever asked may have given up; then nobody misses the answer.
                drop(reply.send(state.tally.votes(&state.policy.policy, now)));
            }
            Request::Metrics { reply } => drop(reply.send(state.tally.metrics())),
            Request::Fresh { look, reply } if look.policy != state.policy => {
                // The votes of one policy under the revision of another would be a lie (I2).
                drop(reply.send(self.nobody(state, "another policy came into force during the look")));
            }
            Request::Fresh { look, reply } => {
                // Who came, went or was changed during the look may not have been noticed here yet (T3).
                self.count_voters(state);
                let votes = state.tally.fresh_votes(&look.said, &state.policy.policy, now);
                let mut verdict = self.verdict(state, votes, now);
                if let Some(begun_ms) = look.sample_begun_ms {
                    // Both ends are rounded to milliseconds; rounded down, what began after the question is
                    // never older than it.
                    verdict.sample_age_ms = now.boottime_ms.saturating_sub(begun_ms).saturating_sub(1);
                }
                drop(reply.send(verdict));
            }
            Request::Nobody { reason, reply } => {
                drop(reply.send(self.nobody(state, &reason)));
            }
        }
    }

    /// A verdict in which nobody is idle.
    fn nobody(&self, state: &mut State, reason: &str) -> Verdict {
        let now = self.now();
        let mut votes = state.tally.votes(&state.policy.policy, now);
        for vote in &mut votes {
            (vote.state, vote.raw, vote.idle_ms) = (VoteState::Unknown, VoteState::Unknown, 0);
            reason.clone_into(&mut vote.reason);
        }
        self.verdict(state, votes, now)
    }
}
