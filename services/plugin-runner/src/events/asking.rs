//! One handler and one event: asked at most once, inside its share of the time.

use super::{Desk, Known, handlers::Handler, millis, sharing::Share};
use crate::plugin::{AskError, Work};
use snooze_schemas::{
    PluginName,
    event::{Event, HandlerOutcome, HandlerResult, Severity},
};
use snooze_service_runtime::exit::one_line;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long a handler may take for which nothing else was configured, where the deadline is further away:
/// all of a spot interruption's notice. While it is at work its plugin cannot vote.
const HANDLER_LIMIT: Duration = Duration::from_secs(120);

/// The same where nothing is critical and there is no deadline: what is more urgent waits until it is done.
const ROUTINE_LIMIT: Duration = Duration::from_secs(30);

/// How long a handler may take for which nothing was configured. The work before a stop has its own limit in
/// the policy.
fn default_limit(event: &Event, work: Work) -> Duration {
    let is_routine = event.severity != Severity::Critical && event.deadline.is_none();
    match work {
        Work::Event if is_routine => ROUTINE_LIMIT,
        Work::Event | Work::Preparation => HANDLER_LIMIT,
    }
}

impl Desk {
    /// What earlier runners' handlers came to: ended ones as they ended, and those that were started
    /// and did not end as interrupted, unless they may be asked again.
    pub(super) async fn earlier(&self, known: &Known, again: &BTreeSet<PluginName>) -> Vec<HandlerOutcome> {
        let mut outcomes = Vec::new();
        for (plugin, ended) in &known.handlers {
            match ended {
                Some(outcome) => outcomes.push(outcome.clone()),
                None if again.contains(plugin) => {}
                None => {
                    let outcome = failed(
                        plugin,
                        "interrupted: it was started before a restart and did not end",
                        0,
                    );
                    self.note_end(&known.event, outcome.clone()).await;
                    outcomes.push(outcome);
                }
            }
        }
        outcomes
    }

    pub(super) async fn ask(
        &self,
        event: &Event,
        work: Work,
        handler: Handler,
        time: Share,
    ) -> HandlerOutcome {
        let name = handler.plugin.name();
        let limit = handler.time_out.unwrap_or_else(|| default_limit(event, work));
        let within = time.within(limit);
        if within.is_zero() {
            return failed(&name, "no time was left for it before the deadline", 0);
        }
        let begun = Instant::now();
        let Ok(_turn) = timeout_at(begun + within, handler.plugin.turn(event.severity)).await else {
            return failed(&name, "it was busy with other events", millis(begun.elapsed()));
        };
        // One that crashed not long ago may be back in time.
        let left = within.saturating_sub(begun.elapsed());
        handler.plugin.ready(left / 2).await;
        let left = within.saturating_sub(begun.elapsed());
        // Only when it is its turn: what waits and is not asked yet is asked after a restart (E6).
        let (mut started_at, mut left_ms) = (None, None);
        let begins = async {
            let (id, plugin) = (event.id.clone(), name.clone());
            let noted = self
                .journal
                .write(event.severity, move |journal| journal.start(&id, plugin));
            noted.await.map_err(|error| one_line(&error))?;
            started_at = Some(self.clocks.wall());
            left_ms = Some(millis(time.left.saturating_sub(begun.elapsed())));
            Ok(())
        };
        let said = handler.plugin.handle_event(event, work, left, begins).await;
        let took_ms = millis(begun.elapsed());
        let result = match said {
            Ok(result) => result,
            // Not to know the method is a way to say that it is none of its business.
            Err(AskError::UnknownMethod) => HandlerResult {
                handled: false,
                succeeded: true,
                message: "it does not handle events".to_owned(),
                details: serde_json::Map::new(),
            },
            // It did not begin: it is asked after a restart, if there is one before the event has ended.
            Err(error @ AskError::NotBegun(_)) => return failed(&name, &error.to_string(), took_ms),
            Err(error) => failure(&error.to_string()),
        };
        let outcome = HandlerOutcome {
            plugin: name,
            result,
            took_ms,
            started_at,
            left_ms,
        };
        self.note_end(event, outcome.clone()).await;
        outcome
    }

    async fn note_end(&self, event: &Event, outcome: HandlerOutcome) {
        let id = event.id.clone();
        let noted = self
            .journal
            .write(event.severity, move |journal| journal.end(&id, outcome));
        if let Err(error) = noted.await {
            tracing::error!(
                error = one_line(&error),
                "a handler's outcome cannot be journalled"
            );
        }
    }
}

/// One that was not asked, or of which it is not known how it ended.
fn failed(plugin: &PluginName, message: &str, took_ms: u64) -> HandlerOutcome {
    HandlerOutcome {
        plugin: plugin.clone(),
        result: failure(message),
        took_ms,
        started_at: None,
        left_ms: None,
    }
}

fn failure(message: &str) -> HandlerResult {
    HandlerResult {
        handled: false,
        succeeded: false,
        message: message.to_owned(),
        details: serde_json::Map::new(),
    }
}
