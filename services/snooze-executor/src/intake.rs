//! Takes verdicts as they come, has each decided at once, and opens the claims that are decided.
//!
//! It is a member of the executors' queue group exactly while its copy of the buckets is ready: what it
//! cannot decide goes to executors that can. The loop never waits for anything but the next verdict: what
//! takes time is a task of its own, and where too many vetoes wait, the newest is dropped and the host's
//! next verdict comes instead. A published verdict only opens or vetoes a claim; no stop ever rests on
//! one (P3).

use crate::{
    claims::Claims, context::Context, convert::PolicyError, notes::Notes, own, perform::chain,
    provider::Target, store::StoreError,
};
use snooze_bus::{Delivery, EXECUTOR_QUEUE, Subject, SubjectFilter, Subscription};
use snooze_decision::{
    Decision, Explained, Facts,
    claim::{Phase, apply_veto},
    combine::Idleness,
    decide,
    decide::{Enrolled, Heard, Slots},
    explain,
    witness::Witness,
};
use snooze_schemas::{HostId, verdict::Verdict};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;

/// Vetoes under way at once; each takes milliseconds.
const VETOES: usize = 256;
/// Between two attempts to subscribe.
const PAUSE: Duration = Duration::from_secs(1);
/// Policies that are remembered as reported; beyond that many, all are reported once more.
const REPORTED: usize = 1_000;
/// For so many heartbeats after an agent was heard again that had been followed by another, both count as alive.
const HEARTBEATS_CONTESTED: u64 = 3;
/// After so many verdicts, hosts that left the roster are forgotten.
const FORGET_EVERY: u64 = 100_000;

/// Decides verdicts.
#[derive(Debug)]
pub(crate) struct Intake {
    context: Context,
    claims: Claims,
    notes: Notes,
    witnesses: HashMap<HostId, Witness>,
    /// The policies that cannot be used and were reported.
    unusable: HashSet<String>,
    vetoes: Arc<Semaphore>,
    taken: u64,
}

impl Intake {
    pub(crate) fn new(context: Context, claims: Claims, notes: Notes) -> Self {
        Self {
            context,
            claims,
            notes,
            witnesses: HashMap::new(),
            unusable: HashSet::new(),
            vetoes: Arc::new(Semaphore::new(VETOES)),
            taken: 0,
        }
    }

    /// Takes verdicts until shutdown or until the connection is closed.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), IntakeError> {
        let mirror = self.context.mirror.clone();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = mirror.ready() => {}
            }
            // S25: nobody may take a verdict of this very host before all know what runs on it.
            own::mark(&self.context, &shutdown).await;
            let joined = self
                .context
                .bus
                .subscribe(&SubjectFilter::AllVerdicts, Some(EXECUTOR_QUEUE))
                .await;
            match joined {
                Ok(subscription) => {
                    // Cancelling at a gap loses verdicts that could not have been decided; their hosts send
                    // the next ones.
                    tokio::select! {
                        biased;
                        () = shutdown.cancelled() => return Ok(()),
                        () = mirror.unready() => {}
                        closed = self.take_all(subscription) => return Err(closed),
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "verdicts cannot be heard yet");
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(()),
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    async fn take_all(&mut self, mut subscription: Subscription) -> IntakeError {
        while let Some(delivery) = subscription.next().await {
            self.take(&delivery);
        }
        IntakeError::Closed
    }

    /// Decides one verdict and says what was decided, where it could be.
    pub(crate) fn take(&mut self, delivery: &Delivery) -> Option<Decision> {
        let Subject::Verdict(host) = delivery.subject() else {
            return None;
        };
        // A refusal is counted and logged where the body is read.
        let verdict = delivery.read::<Verdict>().ok()?;
        self.taken += 1;
        if self.taken.is_multiple_of(FORGET_EVERY) {
            let mirror = &self.context.mirror;
            self.witnesses.retain(|host, _| mirror.is_enrolled(host));
            self.notes.retain(|host| mirror.is_enrolled(host));
        }
        if !self.context.mirror.is_ready() {
            return None;
        }
        let view = self.context.mirror.view(host);
        // A host that is not enrolled is not remembered either: anybody may send under any free name.
        let record = view.record.as_ref()?;
        let policy = match &view.policy {
            Ok(policy) => policy,
            Err(error) => {
                self.report_unusable(host, error.as_ref());
                return None;
            }
        };
        let (Ok(key), Ok(gate)) = (&view.key, &view.gate) else {
            return None;
        };
        let now = self.context.now();
        let verdict = crate::convert::verdict(verdict);
        let memory_ms = policy.pure.heartbeat_ms.saturating_mul(HEARTBEATS_CONTESTED);
        let identity = match self.witnesses.get_mut(host) {
            Some(witness) => witness.observe(&verdict, memory_ms, now.boot),
            None => self
                .witnesses
                .entry(host.clone())
                .or_default()
                .observe(&verdict, memory_ms, now.boot),
        };
        let explained = decide(&Facts {
            policy: &policy.pure,
            policy_revision: &policy.revision,
            verdict: Some(Heard {
                verdict: &verdict,
                at: now.boot,
            }),
            identity,
            key,
            gate: &gate.value,
            roster: Some(Enrolled {
                carries_executor: record.carries_executor || self.context.boot_of(host).is_some(),
                tags: &record.tags,
            }),
            slots: self.slots(&record.group, policy.pure.max_concurrent_stops),
            now,
        });
        if explained.decision == Decision::Claim {
            if let Err(error) = self.context.reach.check(&Target::from_roster(host, record)) {
                // Its next verdict may come to an executor that can.
                self.notes
                    .note(host, UNREACHABLE, || format!("stay: It is idle, but {error}."));
                return Some(Decision::Stay);
            }
            let reason = reason(&explained);
            self.claims.open(host, &view, &verdict, reason, delivery.span());
        } else if let (Idleness::Busy | Idleness::Unknown, Some(claim)) =
            (explained.idleness, &key.value.claim)
            && matches!(claim.phase, Phase::Claimed(_))
        {
            self.veto(host, &explained);
        }
        self.note(host, &explained);
        Some(explained.decision)
    }

    fn slots(&self, group: &snooze_schemas::GroupName, limit: u32) -> Slots {
        self.context.mirror.free_slots(group, limit)
    }

    /// S12, P5: a busy host takes its claim back through the key, whoever holds it.
    fn veto(&self, host: &HostId, explained: &Explained) {
        let Ok(permit) = Arc::clone(&self.vetoes).try_acquire_owned() else {
            return;
        };
        let why = explain::sentences_against_claim(explained).join(" ");
        let (context, host) = (self.context.clone(), host.clone());
        tokio::spawn(async move {
            let _permit = permit;
            veto(&context, &host, why).await;
        });
    }

    /// Files a decision where it is another one than before.
    fn note(&self, host: &HostId, explained: &Explained) {
        let decision = word(explained.decision);
        let message = || format!("{decision}: {}", explain::summary(explained));
        self.notes.note(host, decision, message);
    }

    /// A policy on which nothing can be decided is said once a revision, and stands in the trail of each
    /// host that it is for.
    fn report_unusable(&mut self, host: &HostId, error: &PolicyError) {
        let why = chain(error);
        self.notes
            .note(host, &why, || format!("stay: Nothing can be decided: {why}"));
        if self.unusable.contains(&why) {
            return;
        }
        if self.unusable.len() >= REPORTED {
            self.unusable.clear();
        }
        tracing::warn!(host = %host, error = why, "a policy cannot be used; its hosts stay up");
        self.unusable.insert(why);
    }
}

/// Why the intake ended.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The connection is closed for good.
    #[error("the subscription to verdicts was closed")]
    Closed,
}

/// Tells "idle, but its cloud is out of reach" from the decisions by their words.
const UNREACHABLE: &str = "out of reach";

/// A decision as one word, for reports.
pub(crate) fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Stay => "stay",
        Decision::Wait { .. } => "wait",
        Decision::ObserveOnly => "observe",
        Decision::Claim => "stop",
        Decision::Claimed => "claimed",
    }
}

/// Why a host is to be stopped, as it stands in audit trail and tags.
fn reason(explained: &Explained) -> String {
    format!(
        "idle for {} (naptime {})",
        explain::duration(explained.idleness.ms()),
        explain::duration(explained.naptime_ms)
    )
}

/// Gives a claim up in the key; a key that moves meanwhile is read again, as long as there is a claim to give up.
async fn veto(context: &Context, host: &HostId, why: String) {
    for _ in 0..crate::ops::ATTEMPTS {
        let entry = match context.store.host(host).await {
            Ok(entry) => entry,
            Err(error) => {
                tracing::warn!(host = %host, error = %chain(&error), "a veto could not be written");
                return;
            }
        };
        let is_open = matches!(&entry.value.claim, Some(claim) if matches!(claim.phase, Phase::Claimed(_)));
        let Ok(record) = apply_veto(&entry, why.clone()) else {
            return;
        };
        if !is_open {
            return;
        }
        match context.store.update(host, record, entry.revision).await {
            Ok(_) => return,
            // Either somebody else wrote, or nobody knows: the next look tells.
            Err(StoreError::Moved | StoreError::Ambiguous) => {}
            Err(error) => {
                tracing::warn!(host = %host, error = %chain(&error), "a veto could not be written");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
