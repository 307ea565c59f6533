//! Events on this host: journalled, accepted, handed to plugins in order of priority, reported.
//!
//! **Invariant:** an event is accepted only once it is in the journal on the disk (E4), and handled
//! once per id, also across a restart (E6). **Invariant:** no time that a handler is given is negative
//! or ends after the event's deadline.

mod asking;
mod handlers;
mod journal;
mod report;

pub(crate) use handlers::{Tier, tiers_of};
pub use journal::JournalError;
pub(crate) use journal::Known;

use crate::{plugins::Plugins, policy::PolicyInForce};
use futures_util::future::join_all;
use journal::Journal;
use snooze_bus::Bus;
use snooze_schemas::{
    ErrorCode, EventId, HostId, Refusal,
    event::{Accepted, Event, EventOutcome, Scope},
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long handlers have for an event without a deadline. The dispatcher gives such an event up
/// after 300 s, and the report must be there before.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(240);

/// How long an event waits for plugins that are being started, where it has that much time.
const INTRODUCTIONS: Duration = Duration::from_secs(10);

/// So many events are handled at once; a dispatcher that sends more is asked to wait.
const AT_ONCE: usize = 256;

/// So many reports may wait for the bus. Each is in the journal too, so that none is lost.
pub(crate) const REPORTS: usize = 1024;

/// Where events are handled.
#[derive(Debug)]
pub(crate) struct Desk {
    host: HostId,
    boot_id: String,
    clocks: Clocks,
    plugins: Arc<Plugins>,
    policy: watch::Receiver<Arc<PolicyInForce>>,
    journal: Arc<Mutex<Journal>>,
    reports: mpsc::Sender<EventOutcome>,
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
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// The journal's file.
    pub journal: PathBuf,
    /// What tells running work that the service ends.
    pub shutdown: CancellationToken,
}

impl Desk {
    /// Opens the journal. The reports have to be taken from the receiver, by [`report`].
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub(crate) fn open(parts: Parts) -> Result<(Arc<Desk>, mpsc::Receiver<EventOutcome>), JournalError> {
        let (reports, taken) = mpsc::channel(REPORTS);
        let desk = Desk {
            host: parts.host,
            boot_id: parts.boot_id,
            clocks: parts.clocks,
            plugins: parts.plugins,
            policy: parts.policy,
            journal: Arc::new(Mutex::new(Journal::open(parts.journal)?)),
            reports,
            running: TaskTracker::new(),
            shutdown: parts.shutdown,
        };
        Ok((Arc::new(desk), taken))
    }

    /// Accepts an event: once this returns, it is in the journal and will be handled (E4).
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
            return Err(Refusal::new(
                ErrorCode::TooLate,
                "the event's deadline has passed",
            ));
        }
        let id = event.id.clone();
        let deadline_boottime_ms = self.boottime_ms().saturating_add(millis(left));
        let known = Known {
            event,
            boot_id: self.boot_id.clone(),
            deadline_boottime_ms,
            handlers: BTreeMap::new(),
        };
        match self.write(move |journal| journal.accept(known, AT_ONCE)).await {
            Ok(journal::Acceptance::New) => {}
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
        let desk = self.clone();
        self.running.spawn(async move {
            tokio::select! {
                // What is under way stays in the journal as started and not ended (E6).
                () = desk.shutdown.cancelled() => {}
                () = async { drop(desk.handle(&id).await) } => {}
            }
        });
        Ok(Accepted {
            accepted: true,
            duplicate: false,
        })
    }

    /// Handles an event of our own and waits for the outcome.
    ///
    /// # Errors
    /// When it cannot be journalled, or was handled before.
    pub(crate) async fn handle_own(&self, event: Event, left: Duration) -> Result<EventOutcome, String> {
        let id = event.id.clone();
        let known = Known {
            event,
            boot_id: self.boot_id.clone(),
            deadline_boottime_ms: self.boottime_ms().saturating_add(millis(left)),
            handlers: BTreeMap::new(),
        };
        match self.write(move |journal| journal.accept(known, usize::MAX)).await {
            Ok(journal::Acceptance::New) => {}
            Ok(_) => return Err(format!("the event {id} was handled before")),
            Err(error) => return Err(one_line(&error)),
        }
        self.handle(&id).await
    }

    /// Goes on with what an earlier runner accepted and did not finish (E6), and reports again what it
    /// had not reported.
    pub(crate) async fn resume(self: &Arc<Self>) {
        let (unfinished, unreported) = {
            let journal = lock(&self.journal);
            (journal.unfinished(), journal.unreported())
        };
        for outcome in unreported {
            drop(self.reports.send(outcome).await);
        }
        for known in unfinished {
            let id = known.event.id.clone();
            tracing::info!(event = %id, "an event that was not finished before the restart goes on");
            let desk = self.clone();
            self.running.spawn(async move {
                tokio::select! {
                    () = desk.shutdown.cancelled() => {}
                    () = async { drop(desk.handle(&id).await) } => {}
                }
            });
        }
    }

    /// Asks the handlers, tier by tier, and reports what became of it.
    async fn handle(&self, id: &EventId) -> Result<EventOutcome, String> {
        let Some(known) = lock(&self.journal).known(id) else {
            return Err(format!("the event {id} is not in the journal"));
        };
        let event = &known.event;
        let policy = self.policy.borrow().clone();
        // Right after a start plugins have not told their names yet, nor what they handle.
        let patience = INTRODUCTIONS.min(self.left(&known) / 4);
        let all = self.plugins.all();
        join_all(all.iter().map(|plugin| plugin.introduced(patience))).await;
        let mut tiers = tiers_of(&self.plugins, &policy, &event.event_type).await;
        let interrupted = known.boot_id != self.boot_id || !known.handlers.is_empty();
        if interrupted && event.event_type.as_str() == crate::prepare::PENDING {
            // The stop that it prepared for is off: nothing that has not begun is begun.
            tiers.clear();
        }
        let mut outcomes = self.earlier(&known, &tiers).await;
        let count = tiers.len();
        for (at, tier) in tiers.into_iter().enumerate() {
            let left = self.left(&known);
            // Tiers that are still to come have an equal share each, so that the first cannot starve them.
            let share = left / u32::try_from(count - at).unwrap_or(u32::MAX);
            let due = tier.into_iter().filter(|handler| handler.is_due(&known));
            outcomes.extend(join_all(due.map(|handler| self.ask(event, handler, share))).await);
        }
        let outcome = EventOutcome {
            id: event.id.clone(),
            event_type: event.event_type.clone(),
            handlers: outcomes,
        };
        let (done, id) = (outcome.clone(), id.clone());
        if let Err(error) = self.write(move |journal| journal.finish(&id, done)).await {
            tracing::error!(
                error = one_line(&error),
                "an event's outcome cannot be journalled"
            );
        }
        if self.reports.try_send(outcome.clone()).is_err() {
            tracing::warn!(event = %outcome.id, "too many reports wait; this one is sent after the next start");
        }
        Ok(outcome)
    }

    /// Writes to the journal off the loop, because it waits for the disk.
    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let journal = self.journal.clone();
        let written = tokio::task::spawn_blocking(move || change(&mut lock(&journal))).await;
        written.unwrap_or(Err(JournalError::Interrupted))
    }

    fn boottime_ms(&self) -> u64 {
        self.clocks.boottime_ms()
    }

    /// What is left on this host's boot-time clock; across a reboot on the wall's, which is all there is.
    fn left(&self, known: &Known) -> Duration {
        if known.boot_id == self.boot_id {
            Duration::from_millis(known.deadline_boottime_ms.saturating_sub(self.boottime_ms()))
        } else {
            self.left_by_the_wall(&known.event)
        }
    }

    /// A source's deadline is compared with real time once, and counted on boot time from then on.
    fn left_by_the_wall(&self, event: &Event) -> Duration {
        match event.deadline {
            None => WITHOUT_DEADLINE,
            Some(deadline) => {
                let left_ms = deadline.as_millisecond() - self.clocks.wall().as_millisecond();
                Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
            }
        }
    }
}

/// Files the outcomes in the audit trail, for ever until shutdown; each stays in the journal until it
/// is filed.
pub(crate) async fn report(
    desk: Arc<Desk>,
    bus: Bus,
    agent: String,
    outcomes: mpsc::Receiver<EventOutcome>,
    shutdown: CancellationToken,
) {
    report::run(&desk, &bus, &agent, outcomes, shutdown).await;
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock(journal: &Mutex<Journal>) -> std::sync::MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}
