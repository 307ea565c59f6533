//! Verdicts on their way out.

use super::{Engine, State};
use crate::{moment::Moment, publishing::Draft, tally::ms};
use snooze_bus::Subject;
use snooze_schemas::verdict::{Verdict, Vote};
use tracing::Instrument;

impl Engine {
    pub(super) fn verdict(&self, state: &mut State, mut votes: Vec<Vote>, now: Moment) -> Verdict {
        super::budget::keep_within(&mut votes);
        let policy = &state.policy;
        state.seq += 1;
        Verdict {
            host: self.host.clone(),
            boot_id: self.boot_id.clone(),
            agent: self.agent.clone(),
            seq: state.seq,
            policy_revision: policy.revision.clone(),
            sample_age_ms: state.tally.sample_age_ms(now),
            uptime_ms: now.boottime_ms,
            boot_grace_left_ms: state.tally.boot_grace_left_ms(&policy.policy, now),
            votes,
        }
    }

    pub(super) async fn publish_if_due(&self, state: &mut State) {
        // While the bus is away a verdict would wait in the client and be old when it arrives.
        if !state.connected {
            return;
        }
        let now = self.now();
        let in_force = state.policy.clone();
        let policy = &in_force.policy;
        let votes = state.tally.votes(policy, now);
        let draft = Draft {
            votes: &votes,
            policy_revision: &in_force.revision,
            boot_grace_left_ms: state.tally.boot_grace_left_ms(policy, now),
            naptime_ms: ms(policy.naptime_minutes * 60.0),
            heartbeat_ms: ms(policy.heartbeat_seconds),
        };
        let Some(cause) = state.publishing.due(&draft, now) else {
            return;
        };
        state.publishing.sent(&draft, now);
        let verdict = self.verdict(state, votes, now);
        let span = tracing::info_span!("verdict", ?cause, seq = verdict.seq);
        if let Some(parent) = &state.traceparent {
            snooze_bus::trace::set_parent(&span, parent);
        }
        let sent = self
            .bus
            .publish(&Subject::Verdict(self.host.clone()), &verdict)
            .instrument(span)
            .await;
        if let Err(error) = sent {
            tracing::warn!(
                error = snooze_service_runtime::exit::one_line(&error),
                "a verdict was not sent"
            );
            state.publishing.failed(now);
        }
    }
}
