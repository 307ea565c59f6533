//! The claims that this process holds: one task each, so many at once and no more.
//!
//! It starts what it is told to start. Whether a claim is made was decided before, and what it does is
//! its machine's business.

mod tasks;

pub(crate) use tasks::ClaimTasks;

use crate::{
    context::Context,
    convert,
    mirror::{HostPolicy, View},
    perform::Performer,
    provider::Target,
};
use snooze_decision::{
    Verdict,
    claim::{self, Drawn, Entry, HostRecord, Opening, Planned, Terms, pick_slot},
    plan_check::{Guarded, Violation},
};
use snooze_schemas::{HostId, policy::Policy, roster::RosterRecord};
use std::sync::{Arc, Mutex};
use tasks::{Held, Start};
use tokio::sync::{Semaphore, mpsc};
use tracing::Span;

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
        let basis = Basis {
            host,
            record: Some(Arc::clone(record)),
            kept: Some(convert::target(record)),
            policy: Arc::clone(policy),
            group: record.group.as_str().to_owned(),
            span,
        };
        let begun = self.start(basis, |terms, drawn, now| {
            let opening = Opening {
                key: key.as_ref().clone(),
                gate: gate.as_ref().clone(),
                slot,
                verdict,
                reason,
            };
            Guarded::claim(terms, drawn, opening, now)
        });
        tracing::debug!(host = %host, ?begun, "a claim was decided");
    }

    /// Takes over an abandoned claim at the revision at which it was seen; leaves it to others where this
    /// process cannot reach the host's cloud.
    ///
    /// Where the policy cannot be used the claim ends under the defaults: it must end, and nothing of it
    /// leads to a call. How long the machine is watched the claim knows itself.
    pub(crate) fn take_over(&self, host: &HostId, view: &View, abandoned: &Entry<HostRecord>) {
        let Some(claim) = &abandoned.value.claim else {
            return;
        };
        let of_roster = || view.record.as_deref().map(convert::target);
        let kept = claim.target.clone().or_else(of_roster);
        if let Some(kept) = &kept {
            // A newer version may know of a cloud that this one does not.
            let target = Target::kept_in_claim(host, kept);
            let is_reachable = target.is_some_and(|target| self.context.reach.check(&target).is_ok());
            if !is_reachable {
                return;
            }
        }
        let policy = match &view.policy {
            Ok(policy) => Arc::clone(policy),
            Err(_) => default_policy(&claim.policy_revision),
        };
        let basis = Basis {
            host,
            record: view.record.clone(),
            kept,
            policy,
            group: claim.group.clone(),
            span: tracing::info_span!("takeover", host = %host, claim = claim.number.0),
        };
        let begun = self.start(basis, |terms, drawn, now| {
            Guarded::take_over(terms, drawn, abandoned, now)
        });
        if let (Begun::Yes, Err(error)) = (begun, &view.policy) {
            tracing::warn!(host = %host, %error, "an abandoned claim is taken over under the default policy");
        }
    }

    fn start(
        &self,
        basis: Basis<'_>,
        make: impl FnOnce(Terms, Drawn, snooze_decision::Now) -> Result<(Guarded, Vec<Planned>), Violation>,
    ) -> Begun {
        let Basis {
            host,
            record,
            kept,
            policy,
            group,
            span,
        } = basis;
        // What a claim was made on is what it is carried through on, whatever the roster says by now (I1).
        let target = kept.as_ref().and_then(|kept| Target::kept_in_claim(host, kept));
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            tracing::debug!(host = %host, "as many claims as may be are held already");
            return Begun::No;
        };
        let Ok(place) = self.queue.try_reserve() else {
            return Begun::No;
        };
        if !self.held.take(host) {
            return Begun::No;
        }
        let terms = Terms {
            host: host.as_str().to_owned(),
            group,
            policy: policy.pure.clone(),
            policy_revision: policy.revision.clone(),
            target: kept,
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
                return Begun::No;
            }
        };
        let performer = Arc::new(Performer {
            bus: self.context.bus.clone(),
            store: self.context.store.clone(),
            clouds: self.context.clouds.clone(),
            clocks: self.context.clocks.clone(),
            actor: self.context.actor.clone(),
            host: host.clone(),
            target,
            record,
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
        Begun::Yes
    }
}

/// What a claim is begun with.
struct Basis<'a> {
    host: &'a HostId,
    /// None where the host has left the roster.
    record: Option<Arc<RosterRecord>>,
    /// The instance; none where neither the claim nor the roster names one.
    kept: Option<claim::Target>,
    policy: Arc<HostPolicy>,
    group: String,
    span: Span,
}

/// Whether a claim's task has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Yes,
    /// There is one already, or as many as there may be.
    No,
}

fn default_policy(revision: &str) -> Arc<HostPolicy> {
    // What the tags are called, and whether any are wanted, is not known: none are written.
    let wire = Policy {
        enable_instance_tags: false,
        ..Policy::default()
    };
    let pure = convert::policy(&wire, revision).expect("a test shows that the shipped defaults fit");
    Arc::new(HostPolicy {
        wire: Arc::new(wire),
        pure,
        revision: revision.to_owned(),
    })
}
