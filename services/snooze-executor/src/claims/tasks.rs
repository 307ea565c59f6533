//! The tasks of the claims that this process holds: each drives one machine to its end, and gives its
//! place back however it ends.

use crate::{context::Context, driver, perform::Performer};
use snooze_decision::{
    claim::{End, Outcome, Planned},
    plan_check::Guarded,
};
use snooze_schemas::HostId;
use snooze_service_runtime::CancellationToken;
use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinSet,
};
use tracing::{Instrument, Span};

/// The other end of [`Claims`](super::Claims): runs the tasks.
#[derive(Debug)]
pub(crate) struct ClaimTasks {
    pub(super) context: Context,
    pub(super) held: Held,
    pub(super) queue: mpsc::Receiver<Start>,
}

/// A machine that is to be driven.
pub(super) struct Start {
    pub(super) host: HostId,
    pub(super) machine: Guarded,
    pub(super) plans: Vec<Planned>,
    pub(super) performer: Arc<Performer>,
    pub(super) policy_revision: String,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) span: Span,
}

/// The hosts whose claims this process holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<HashSet<HostId>>>);

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

impl Held {
    pub(super) fn take(&self, host: &HostId) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(host.clone())
    }

    pub(super) fn give_back(&self, host: &HostId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    pub(super) fn has(&self, host: &HostId) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(host)
    }
}
