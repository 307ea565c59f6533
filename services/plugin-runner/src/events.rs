//! Events on this host: journalled, accepted, handed to plugins in order of priority, reported.
//!
//! **Invariant:** an event is accepted only once it is in the journal on the disk (E4), and handled
//! once per id, also across a restart (E6). **Invariant:** no time that a handler is given is negative
//! or ends after the event's deadline.

mod asking;
mod chain;
mod first_handler;
mod handlers;
mod handling;
mod journal;
mod leaving;
mod left;
mod report;
mod sharing;
mod unheard_of;
mod writing;

pub(crate) use first_handler::FirstHandlers;
pub(crate) use handlers::covers;
pub use journal::JournalError;
pub(crate) use leaving::Leaving;
pub(crate) use unheard_of::unheard_of;

use crate::{plugin::Work, plugins::Plugins, policy::PolicyInForce};
use journal::Known;
use left::millis;
use snooze_bus::{Bus, trace};
use snooze_schemas::{
    ErrorCode, HostId, Refusal,
    event::{Accepted, Event, EventOutcome, EventProgress, ReadProgress, Scope},
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span};
use writing::Writer;

/// When the handling of an event began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// With its acceptance.
    Now(Work),
    /// In an earlier run of the runner, which did not finish it.
    Earlier,
}

impl Begun {
    /// The work before a stop is never gone on with.
    fn work(self) -> Work {
        match self {
            Self::Now(work) => work,
            Self::Earlier => Work::Event,
        }
    }
}

/// Where events are handled.
#[derive(Debug)]
pub(crate) struct Desk {
    host: HostId,
    boot_id: String,
    clocks: Clocks,
    plugins: Arc<Plugins>,
    leaving: Arc<Leaving>,
    policy: watch::Receiver<Arc<PolicyInForce>>,
    journal: Arc<Writer>,
    /// Told when there is something to be reported.
    unreported: Notify,
    first_handlers: Arc<FirstHandlers>,
    running: TaskTracker,
    shutdown: CancellationToken,
}

/// What the desk works with.
pub(crate) struct Parts {
    /// The host that it is on.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The clocks.
    pub clocks: Clocks,
    /// Who handles.
    pub plugins: Arc<Plugins>,
    /// What is told where an event says that the instance goes away.
    pub leaving: Arc<Leaving>,
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// The journal's file.
    pub journal: PathBuf,
    /// What tells running work that the service ends.
    pub shutdown: CancellationToken,
}

impl Desk {
    /// Opens the journal. What becomes of events has to be reported, by [`report`].
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub(crate) fn open(parts: Parts) -> Result<Arc<Desk>, JournalError> {
        let desk = Desk {
            host: parts.host,
            boot_id: parts.boot_id,
            clocks: parts.clocks,
            plugins: parts.plugins,
            leaving: parts.leaving,
            policy: parts.policy,
            journal: Writer::open(parts.journal)?,
            unreported: Notify::new(),
            first_handlers: Arc::default(),
            running: TaskTracker::new(),
            shutdown: parts.shutdown,
        };
        Ok(Arc::new(desk))
    }

    /// How soon events come to their first handler.
    pub(crate) fn first_handlers(&self) -> Arc<FirstHandlers> {
        self.first_handlers.clone()
    }

    /// Accepts an event: once this returns, it is in the journal and will be handled (E4). Cancelling it may
    /// leave one in the journal that is handled only after the next start.
    ///
    /// # Errors
    /// When it concerns another host, comes after its deadline, or cannot be journalled.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        event: Event,
        left: Option<Duration>,
    ) -> Result<Accepted, Refusal> {
        if let Scope::Host(named) = &event.host
            && *named != self.host
        {
            return Err(Refusal::new(
                ErrorCode::Forbidden,
                format!("the event concerns the host {named}, this is {}", self.host),
            ));
        }
        let left = left.unwrap_or_else(|| self.left_by_the_wall(&event));
        if left.is_zero() {
            // What was accepted in time and is delivered again is not late.
            let asked = event.id.clone();
            if let Ok(true) = self.journal.look(move |journal| journal.knows(&asked)).await {
                return Ok(Accepted {
                    accepted: true,
                    duplicate: true,
                });
            }
            return Err(Refusal::new(
                ErrorCode::TooLate,
                "the event's deadline has passed",
            ));
        }
        let deadline_boottime_ms = self.boottime_ms().saturating_add(millis(left));
        let known = Known {
            event,
            boot_id: self.boot_id.clone(),
            accepted_at: Some(self.clocks.wall()),
            deadline_boottime_ms,
            traceparent: trace::traceparent_of(&Span::current()),
            handlers: BTreeMap::new(),
            begun: BTreeMap::new(),
        };
        let (severity, new) = (known.event.severity, known.clone());
        let written = self.journal.write(severity, |journal| journal.accept(new));
        match written.await {
            Ok(journal::Acceptance::New) => self.leaving.take(&known.event, deadline_boottime_ms),
            Ok(journal::Acceptance::Duplicate) => {
                return Ok(Accepted {
                    accepted: true,
                    duplicate: true,
                });
            }
            Ok(journal::Acceptance::Full) => {
                return Err(Refusal::new(
                    ErrorCode::RateLimited,
                    "too many events are being handled",
                ));
            }
            Err(error) => {
                tracing::error!(error = one_line(&error), "an event cannot be journalled");
                return Err(Refusal::new(
                    ErrorCode::Internal,
                    "the event cannot be journalled",
                ));
            }
        }
        let span = tracing::info_span!("event", event = %known.event.id);
        self.begin(known, Begun::Now(Work::Event), span);
        Ok(Accepted {
            accepted: true,
            duplicate: false,
        })
    }

    /// How far an event is.
    ///
    /// # Errors
    /// It was not accepted here, or is over.
    pub(crate) async fn progress(self: Arc<Self>, asked: ReadProgress) -> Result<EventProgress, Refusal> {
        let id = asked.id.clone();
        match self.journal.look(move |journal| journal.progress(&id)).await {
            Ok(Some(progress)) => Ok(progress),
            Ok(None) => Err(Refusal::new(
                ErrorCode::NotFound,
                format!("the event {} is not being handled on {}", asked.id, self.host),
            )),
            Err(error) => Err(Refusal::new(ErrorCode::Internal, one_line(&error))),
        }
    }

    /// Handles an event that is in the journal, in a task of its own and in this trace.
    fn begin(self: &Arc<Self>, known: Known, begun: Begun, trace: Span) {
        let desk = self.clone();
        let handled = async move {
            let never = CancellationToken::new();
            tokio::select! {
                // What is under way stays in the journal as started and not ended (E6).
                () = desk.shutdown.cancelled() => {}
                () = async { drop(desk.handle(&known, begun, &never).await) } => {}
            }
        };
        self.running.spawn(handled.instrument(trace));
    }

    /// Handles an event of our own and waits for the outcome. Once it is off no other handler begins; those
    /// that are at work come to their end.
    ///
    /// # Errors
    /// When it cannot be journalled, or was handled before.
    pub(crate) async fn handle_own(
        self: &Arc<Self>,
        event: Event,
        left: Duration,
        off: &CancellationToken,
    ) -> Result<EventOutcome, String> {
        let known = Known {
            event,
            boot_id: self.boot_id.clone(),
            accepted_at: Some(self.clocks.wall()),
            deadline_boottime_ms: self.boottime_ms().saturating_add(millis(left)),
            traceparent: trace::traceparent_of(&Span::current()),
            handlers: BTreeMap::new(),
            begun: BTreeMap::new(),
        };
        let (severity, new) = (known.event.severity, known.clone());
        let written = self.journal.write(severity, |journal| journal.accept_own(new));
        match written.await {
            Ok(journal::Acceptance::New) => {}
            Ok(_) => return Err(format!("the event {} was handled before", known.event.id)),
            Err(error) => return Err(one_line(&error)),
        }
        Ok(self.handle(&known, Begun::Now(Work::Preparation), off).await)
    }

    /// Goes on with what an earlier runner accepted and did not finish (E6).
    ///
    /// # Errors
    /// When the service ends meanwhile.
    pub(crate) async fn resume(self: &Arc<Self>) -> Result<(), JournalError> {
        let unfinished = self.journal.look(|journal| journal.unfinished()).await?;
        for known in unfinished {
            tracing::info!(event = %known.event.id, "an event that was not finished before the restart goes on");
            // It may have ended between the journal and this.
            if known.boot_id == self.boot_id {
                self.leaving.take(&known.event, known.deadline_boottime_ms);
            }
            let span = known.span();
            self.begin(known, Begun::Earlier, span);
        }
        Ok(())
    }
}

/// Files the outcomes in the audit trail, the most severe first, for ever until shutdown; each stays in the journal until
/// it is filed.
pub(crate) async fn report(desk: Arc<Desk>, bus: Bus, agent: String, shutdown: CancellationToken) {
    report::run(&desk, &bus, &agent, shutdown).await;
}

#[cfg(test)]
mod tests;
