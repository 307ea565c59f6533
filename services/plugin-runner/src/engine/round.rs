//! Plugins are asked, all at once, and their answers taken in.

use super::{Answer, Engine, State, words::opinion_of};
use crate::{plugin::AskError, tally::ms, votes::Opinion};
use futures_util::{future::BoxFuture, stream::FuturesUnordered};
use snooze_schemas::VoterName;
use std::{sync::Arc, time::Duration};

impl Engine {
    /// Asks every plugin that is not busy with an earlier question.
    pub(super) fn ask_all(
        &self,
        state: &mut State,
        asking: &mut FuturesUnordered<BoxFuture<'static, Answer>>,
    ) {
        // What a plugin depends on may have turned out not to run.
        self.apply_policy(state);
        let asked_at = self.now();
        state.round_at_ms = asked_at.monotonic_ms;
        let within = Duration::from_millis(ms(state.policy.policy.plugin_timeout_seconds));
        let metrics = Arc::new(state.tally.metrics());
        let voters = state.voters.iter().filter_map(|(name, voter)| {
            let plugin = voter.plugin.clone()?;
            Some((name.clone(), plugin, voter.asked.terms.clone()))
        });
        // Who was started anew may vote by now; its first answer only says so.
        let reborn = self.plugins.reborn(&state.policy).into_iter();
        let reborn = reborn.map(|plugin| (VoterName::from(&plugin.name()), plugin, String::new()));
        for (name, plugin, terms) in voters.chain(reborn) {
            if !state.in_flight.insert(name.clone()) {
                continue;
            }
            let (metrics, host) = (metrics.clone(), self.host.clone());
            asking.push(Box::pin(async move {
                let said = plugin.check_idle(&metrics, &host, within).await;
                (name, terms, asked_at, said.map(opinion_of))
            }));
        }
    }

    /// Takes an answer in, and returns whether a vote or a run may be another for it, but for longer idleness.
    pub(super) fn hear(&self, state: &mut State, (voter, terms, asked_at, said): Answer) -> bool {
        state.in_flight.remove(&voter);
        let opinion = match said {
            Ok(opinion) => opinion,
            // It works for us, and what it said before stands until it is done.
            Err(AskError::Preparing) => {
                state.tally.hold(&voter, &terms, self.now(), &state.policy.policy);
                return true;
            }
            // Nothing was heard, and nothing was said: the run lives or dies by the time between answers (T2).
            Err(error) if error.is_unheard() => return true,
            Err(AskError::Absent) if state.has_just_reconnected(asked_at) => return true,
            Err(AskError::UnknownMethod) => {
                self.count_voters(state);
                Opinion::unknown(AskError::UnknownMethod.to_string())
            }
            Err(error) => {
                let asked = state.voters.get(&voter);
                let plugin = asked.and_then(|asked| asked.plugin.as_ref());
                Opinion::unknown(plugin.map_or_else(|| error.to_string(), |plugin| plugin.unknown(&error)))
            }
        };
        let (policy, now) = (&state.policy.policy, self.now());
        let standing = |state: &State| (state.tally.state_of(&voter, policy, now), state.tally.breaks());
        let before = standing(state);
        state.tally.answer(&voter, &terms, asked_at, opinion, policy);
        standing(state) != before
    }
}
