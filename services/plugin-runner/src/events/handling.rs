//! One event from its first handler to its report.

use super::{Begun, Desk, JournalError, Known, chain::Chain, handlers::Handlers, sharing::Share};
use crate::{plugin::Work, policy::PolicyInForce};
use futures_util::future::join_all;
use snooze_bus::trace;
use snooze_schemas::event::{EventOutcome, HandlerOutcome, Severity};
use snooze_service_runtime::exit::one_line;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

/// Before an outcome is written once more that could not be: a disk that is full is so for a while.
const AGAIN: Duration = Duration::from_secs(1);

/// How long an event waits for plugins that are being started, where it has that much time.
const INTRODUCTIONS: Duration = Duration::from_secs(10);

impl Known {
    /// What goes on with it after a restart, in the trace that it came in.
    pub(super) fn span(&self) -> Span {
        let span = tracing::info_span!("event after a restart", event = %self.event.id);
        if let Some(parent) = &self.traceparent {
            trace::set_parent(&span, parent);
        }
        span
    }
}

impl Desk {
    /// Asks the handlers, tier by tier, and reports what became of it.
    pub(super) async fn handle(
        self: &Arc<Self>,
        known: &Known,
        begun: Begun,
        off: &CancellationToken,
    ) -> EventOutcome {
        let event = &known.event;
        let policy = self.policy.borrow().clone();
        let patience = INTRODUCTIONS.min(self.left(known) / 4);
        let chain = Chain::of(
            self.plugins.configs().handling(&event.event_type),
            &event.event_type,
        );
        let ended = known.handlers.values().flatten();
        let is_over = chain.off.is_some() || chain.ended_by(ended).is_some();
        let (mut handlers, mut outcomes) = match begun {
            Begun::Now(_) if chain.off.is_none() => (self.handlers(known, &policy, patience), Vec::new()),
            // The stop that it prepared for is off: nothing that has not begun is begun.
            Begun::Earlier if event.event_type.as_str() == crate::prepare::PENDING => {
                let outcomes = self.earlier(known, &BTreeSet::new()).await;
                (Handlers::nobody(), outcomes)
            }
            Begun::Earlier if chain.off.is_none() => {
                let mut handlers = self.handlers(known, &policy, patience);
                let again = match is_over {
                    true => BTreeSet::new(),
                    false => handlers.idempotent(&known.open()).await,
                };
                (handlers, self.earlier(known, &again).await)
            }
            Begun::Now(_) | Begun::Earlier => {
                (Handlers::nobody(), self.earlier(known, &BTreeSet::new()).await)
            }
        };
        let withheld = handlers.say_what_is_withheld();
        let shutdown = self.shutdown.clone();
        self.running
            .spawn(async move { shutdown.run_until_cancelled(withheld).await });
        let mut not_asked = chain.off.clone();
        while !off.is_cancelled() {
            if let Some(by) = chain.ended_by(outcomes.iter()) {
                let mut others = handlers.left();
                others.retain(|other| outcomes.iter().all(|outcome| outcome.plugin != *other));
                not_asked = Chain::passed_over(by, &others);
                break;
            }
            let Some((tier, parts)) = handlers.next().await else {
                break;
            };
            if off.is_cancelled() {
                break;
            }
            // Those that are still to come have an equal share each, so that the first cannot starve them.
            let share = Share::of(self.left(known), parts);
            let due = tier.into_iter().filter(|handler| handler.is_due(known));
            let asked = due.map(|handler| {
                let span = tracing::info_span!("handler", plugin = %handler.plugin.name());
                self.ask(event, begun.work(), handler, share).instrument(span)
            });
            outcomes.extend(join_all(asked).await);
        }
        let mut absent: Vec<HandlerOutcome> = handlers.absent().collect();
        absent.retain(|one| outcomes.iter().all(|outcome| outcome.plugin != one.plugin));
        outcomes.extend(absent);
        if begun == Begun::Now(Work::Event) {
            self.first_handlers.add(event, &outcomes);
        }
        let outcome = EventOutcome {
            id: event.id.clone(),
            event_type: event.event_type.clone(),
            accepted_at: known.accepted_at,
            handlers: outcomes,
            not_asked,
        };
        self.conclude(event.severity, outcome.clone()).await;
        outcome
    }

    /// Journals what became of an event, and reports it then. What cannot be journalled, as on a full disk, is tried
    /// again beside everything else: until then the event has not ended, and keeps its place.
    pub(super) async fn conclude(self: &Arc<Self>, severity: Severity, outcome: EventOutcome) {
        let Err(error) = self.finish(severity, &outcome).await else {
            return;
        };
        tracing::error!(
            event = %outcome.id, error = one_line(&error),
            "an event's outcome cannot be journalled; it is tried again until it can"
        );
        let desk = self.clone();
        self.running.spawn(async move {
            let tries = async {
                loop {
                    tokio::time::sleep(AGAIN).await;
                    if desk.finish(severity, &outcome).await.is_ok() {
                        tracing::info!(event = %outcome.id, "an event's outcome is journalled at last");
                        return;
                    }
                }
            };
            tokio::select! {
                // In the journal it goes on then, with what is known there of its handlers.
                () = desk.shutdown.cancelled() => {}
                () = tries => {}
            }
        });
    }

    async fn finish(&self, severity: Severity, outcome: &EventOutcome) -> Result<(), JournalError> {
        let done = outcome.clone();
        self.journal
            .write(severity, |journal| journal.finish(done))
            .await?;
        self.unreported.notify_one();
        Ok(())
    }

    fn handlers(&self, known: &Known, policy: &Arc<PolicyInForce>, patience: Duration) -> Handlers {
        Handlers::of(&self.plugins, policy, &known.event, self.left(known), patience)
    }
}
