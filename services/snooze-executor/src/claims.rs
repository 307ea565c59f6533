//! The claims that this process holds: one task each, so many at once and no more.
//!
//! It starts what it is told to start. Whether a claim is made was decided before, and what it does is
//! its machine's business.

use crate::{context::Context, driver, mirror::View, perform::Performer, provider::Target};
use snooze_decision::{
    Verdict,
    claim::{Drawn, End, Entry, HostRecord, Opening, Outcome, Planned, Terms, pick_slot},
    plan_check::{Guarded, Violation},
};
use snooze_schemas::HostId;
use snooze_service_runtime::CancellationToken;
use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};
use tracing::{Instrument, Span};

/// Claims that may wait for their task; one is picked up within microseconds.
const QUEUE: usize = 64;

/// The intake of claims; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    context: Context,
    held: Held,
    permits: Arc<Semaphore>,
    queue: mpsc::Sender<Start>,
}

/// The hosts whose claims this process holds.
#[derive(Debug, Clone, Default)]
struct Held(Arc<Mutex<HashSet<HostId>>>);

/// A machine that is to be driven.
struct Start {
    host: HostId,
    machine: Guarded,
    plans: Vec<Planned>,
    performer: Arc<Performer>,
    policy_revision: String,
    permit: OwnedSemaphorePermit,
    span: Span,
}

/// The other end of [`Claims`]: runs the tasks.
#[derive(Debug)]
pub(crate) struct ClaimTasks {
    context: Context,
    held: Held,
    queue: mpsc::Receiver<Start>,
}

/// For `limit` claims at once, takeovers included.
pub(crate) fn claims(context: &Context, limit: usize) -> (Claims, ClaimTasks) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let held = Held::default();
    let claims = Claims {
        context: context.clone(),
        held: held.clone(),
        permits: Arc::new(Semaphore::new(limit)),
        queue: sender,
    };
    let tasks = ClaimTasks {
        context: context.clone(),
        held,
        queue: receiver,
    };
    (claims, tasks)
}

impl Held {
    fn take(&self, host: &HostId) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(host.clone())
    }

    fn give_back(&self, host: &HostId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    fn has(&self, host: &HostId) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(host)
    }
}

impl Claims {
    /// Whether this process holds a claim on the host.
    pub(crate) fn hold(&self, host: &HostId) -> bool {
        self.held.has(host)
    }

    /// Makes a claim on what was decided, in the trace of `span`. Does nothing where this process already
    /// has one on that host, or as many as it may: the next verdict asks again.
    pub(crate) fn open(&self, host: &HostId, view: &View, verdict: &Verdict, reason: String, span: Span) {
        let (Ok(policy), Ok(key), Ok(gate), Some(record)) =
            (&view.policy, &view.key, &view.gate, &view.record)
        else {
            return;
        };
        let slots = self.context.mirror.slots(&record.group);
        let Some(slot) = pick_slot(&slots, policy.pure.max_concurrent_stops, rand::random()) else {
            return;
        };
        self.start(
            host,
            view,
            span,
            |terms, drawn, now| {
                let opening = Opening {
                    key: key.as_ref().clone(),
                    gate: gate.as_ref().clone(),
                    slot,
                    verdict,
                    reason,
                };
                Guarded::claim(terms, drawn, opening, now)
            },
            record.group.as_str().to_owned(),
        );
    }

    /// Takes over an abandoned claim at the revision at which it was seen.
    pub(crate) fn take_over(&self, host: &HostId, view: &View, abandoned: &Entry<HostRecord>) {
        let Some(claim) = &abandoned.value.claim else {
            return;
        };
        let span = tracing::info_span!("takeover", host = %host, claim = claim.number.0);
        self.start(
            host,
            view,
            span,
            |terms, drawn, now| Guarded::take_over(terms, drawn, abandoned, now),
            claim.group.clone(),
        );
    }

    fn start(
        &self,
        host: &HostId,
        view: &View,
        span: Span,
        make: impl FnOnce(Terms, Drawn, snooze_decision::Now) -> Result<(Guarded, Vec<Planned>), Violation>,
        group: String,
    ) {
        let Ok(policy) = &view.policy else { return };
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            tracing::debug!(host = %host, "as many claims as may be are held already");
            return;
        };
        let Ok(place) = self.queue.try_reserve() else {
            return;
        };
        if !self.held.take(host) {
            return;
        }
        let terms = Terms {
            host: host.as_str().to_owned(),
            group,
            policy: policy.pure.clone(),
            policy_revision: policy.revision.clone(),
            target: view.record.as_deref().map(crate::convert::target),
            self_boot: self.context.boot_of(host),
        };
        // Drawn anew for each claim and each takeover (P6).
        let drawn = Drawn {
            holder: format!("{:032x}", rand::random::<u128>()),
            nonce: format!("{:032x}", rand::random::<u128>()),
        };
        let (machine, plans) = match make(terms, drawn, self.context.now()) {
            Ok(made) => made,
            Err(violation) => {
                tracing::error!(host = %host, %violation, "a plan broke a rule and was not carried out");
                self.held.give_back(host);
                return;
            }
        };
        let performer = Arc::new(Performer {
            bus: self.context.bus.clone(),
            store: self.context.store.clone(),
            clouds: self.context.clouds.clone(),
            clocks: self.context.clocks.clone(),
            actor: self.context.actor.clone(),
            host: host.clone(),
            target: view
                .record
                .as_deref()
                .map(|record| Target::from_roster(host, record)),
            record: view.record.clone(),
            policy: Arc::clone(&policy.wire),
            learnt: Mutex::default(),
        });
        place.send(Start {
            host: host.clone(),
            machine,
            plans,
            performer,
            policy_revision: policy.revision.clone(),
            permit,
            span,
        });
    }
}

impl ClaimTasks {
    /// Runs claims until shutdown; then lets those end that can still be given up.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let mut running: JoinSet<()> = JoinSet::new();
        loop {
            // Cancelling any branch loses nothing: starts stay queued and ended tasks stay in the set.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = running.join_next() => note(ended),
                Some(start) = self.queue.recv() => {
                    let claim = one(self.context.clone(), self.held.clone(), start, shutdown.clone());
                    running.spawn(claim);
                }
            }
        }
        while let Some(ended) = running.join_next().await {
            note(ended);
        }
        Ok(())
    }
}

/// One claim from its first plan to its end.
async fn one(context: Context, held: Held, start: Start, shutdown: CancellationToken) {
    let Start {
        host,
        machine,
        plans,
        performer,
        policy_revision,
        permit,
        span,
    } = start;
    // Given back however this ends, a panic included.
    let _given_back = GiveBack {
        held,
        host: host.clone(),
        _permit: permit,
    };
    let watch = context.mirror.watch(&host, &policy_revision);
    let end = driver::drive(machine, plans, performer, watch, shutdown)
        .instrument(span)
        .await;
    match end {
        Some(End::Freed {
            outcome: Outcome::Stopped,
        }) => tracing::info!(host = %host, "the host was stopped"),
        Some(End::Freed {
            outcome: Outcome::Cancelled { reason },
        }) => {
            tracing::info!(host = %host, reason, "the claim was given up");
        }
        Some(End::NotClaimed) => tracing::debug!(host = %host, "somebody else was first"),
        Some(End::TakenOver) => tracing::warn!(host = %host, "the claim was taken over by another executor"),
        None => tracing::info!(host = %host, "the claim is left to another executor"),
    }
}

struct GiveBack {
    held: Held,
    host: HostId,
    _permit: OwnedSemaphorePermit,
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        self.held.give_back(&self.host);
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the task of a claim died; another executor takes the claim over");
    }
}
