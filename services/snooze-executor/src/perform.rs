//! Carries out one planned action of a claim and says what came of it. A plan leaves no choice, and
//! nothing here makes one: it does not repeat, skip or reorder.

mod audit;
mod cloud;
mod host;

pub(crate) use audit::file;

use crate::{
    convert,
    provider::{Clouds, Target},
    store::{Store, StoreError},
};
use snooze_bus::{Bus, RunnerVerb};
use snooze_decision::{
    Boot, Now,
    claim::{Action, Answer, AuditEntry, CallOutcome, Planned, Ticket},
};
use snooze_schemas::{
    HostId,
    host::{self as wire, Cancel, Prepare, Verify},
    policy::Policy,
    reply::Empty,
    roster::RosterRecord,
    verdict::Verdict,
};
use snooze_service_runtime::Clocks;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tracing::Instrument;

/// Everything that the actions of one claim need; shared by those that run at the same time.
pub(crate) struct Performer {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) clouds: Clouds,
    pub(crate) clocks: Clocks,
    pub(crate) actor: String,
    pub(crate) host: HostId,
    /// The instance that the claim is on; another one in the roster at the look before the stop forbids it.
    /// None where a claim is taken over of a host that has left the roster since.
    pub(crate) target: Option<Target>,
    /// The record that the claim was made on: what tags say of the instance.
    pub(crate) record: Option<Arc<RosterRecord>>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) learnt: Mutex<Learnt>,
}

/// What earlier actions of the claim brought to light for later ones.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// The verification's votes: what the tags' readings are taken from.
    verdict: Option<Verdict>,
    /// Whether the instance was started with hibernation configured, once it was looked at.
    can_hibernate: Option<bool>,
    /// What the host was told that would be done, and later what was done.
    action: Option<wire::Action>,
    /// An entry of the audit trail that may have been filed or not.
    unsure: Option<AuditEntry>,
}

impl Performer {
    /// Carries out an action within its time. What is not answered by then is answered here, so that the
    /// machine hears of every action exactly once.
    pub(crate) async fn perform(self: Arc<Self>, planned: Planned) -> (Ticket, Answer) {
        let Planned {
            ticket,
            within_ms,
            action,
        } = planned;
        let within = Duration::from_millis(within_ms);
        let silence = unanswered(&action);
        let name = name(&action);
        let span = tracing::info_span!("step", step = name, host = %self.host);
        let performed = async {
            // Cancelled at its time, a request's answer is dropped and a call's connection aborted.
            match tokio::time::timeout(within, self.carry_out(action, within)).await {
                Ok(answer) => answer,
                Err(_) => silence(within_ms),
            }
        };
        let answer = performed.instrument(span).await;
        tracing::debug!(step = name, ?answer, "a step was carried out");
        (ticket, answer)
    }

    async fn carry_out(&self, action: Action, within: Duration) -> Answer {
        match action {
            Action::Write(batch) => match self.store.write(&self.host, batch, within).await {
                Ok(revision) => Answer::Written { revision },
                Err(StoreError::Moved) => Answer::Conflict,
                Err(StoreError::Ambiguous) => Answer::Ambiguous,
                // Certainly nothing was written.
                Err(error) => self.refused_write(&error),
            },
            Action::ReadState { group, slots } => {
                answered(self.store.read(&self.host, &group, &slots).await, |state| {
                    Answer::State(Box::new(state))
                })
            }
            Action::Audit(entry) => answered(self.file(&entry, within).await, |()| Answer::Filed),
            Action::Prepare {
                claim,
                duration_ms,
                notice_ms,
                action,
                reason,
            } => {
                let prepare = Prepare {
                    claim: claim.0,
                    duration_ms,
                    notice_ms,
                    action: convert::wire_action(action),
                    reason,
                };
                self.prepare(prepare, within).await
            }
            Action::ReadProtections => answered(self.protections().await, Answer::Protections),
            Action::Verify {
                claim,
                nonce,
                prolong_ms,
            } => {
                let verify = Verify {
                    claim: claim.0,
                    nonce,
                    prolong_ms,
                };
                self.verify(&verify, within).await
            }
            Action::Call(permit) => Answer::Called(self.call(permit).await),
            Action::ReadInstance => answered(self.instance().await, Answer::Instance),
            Action::WriteTags(tags) => answered(self.write_tags(tags).await, |()| Answer::Done),
            Action::Cancel { claim, reason } => {
                let cancel = Cancel {
                    claim: claim.0,
                    reason,
                };
                let sent = self.ask::<_, Empty>(RunnerVerb::Cancel, &cancel, within).await;
                answered(sent, |_| Answer::Done)
            }
            // Nobody waits for it; the driver ends the machine when it plans this.
            Action::Finished(_) => Answer::Done,
        }
    }

    /// The server refused the batch: certainly nothing was written.
    fn refused_write(&self, error: &StoreError) -> Answer {
        tracing::error!(host = %self.host, error = %chain(error), "a write to the state was refused");
        Answer::Conflict
    }

    /// The time on both clocks.
    pub(crate) fn now(&self) -> Now {
        now(&self.clocks)
    }

    fn learn<T>(&self, change: impl FnOnce(&mut Learnt) -> T) -> T {
        // Plain values: a panic in between leaves nothing half-written.
        change(&mut self.learnt.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn answered<T, E: Into<String>>(outcome: Result<T, E>, answer: impl FnOnce(T) -> Answer) -> Answer {
    match outcome {
        Ok(value) => answer(value),
        Err(reason) => Answer::Failed {
            reason: reason.into(),
        },
    }
}

/// What it means when an action is not answered in time: for a write and the call, that nobody knows.
pub(crate) fn unanswered(action: &Action) -> fn(u64) -> Answer {
    match action {
        Action::Write(_) => |_| Answer::Ambiguous,
        Action::Call(_) => |ms| {
            Answer::Called(CallOutcome::Unknown {
                reason: format!("no outcome within {ms} ms"),
            })
        },
        _ => |ms| Answer::Failed {
            reason: format!("no answer within {ms} ms"),
        },
    }
}

pub(crate) fn name(action: &Action) -> &'static str {
    match action {
        Action::Write(_) => "write",
        Action::ReadState { .. } => "read state",
        Action::Audit(_) => "audit",
        Action::Prepare { .. } => "prepare",
        Action::ReadProtections => "read protections",
        Action::Verify { .. } => "verify",
        Action::Call(_) => "call",
        Action::ReadInstance => "read instance",
        Action::WriteTags(_) => "write tags",
        Action::Cancel { .. } => "cancel",
        Action::Finished(_) => "finished",
    }
}

/// The time on both clocks, as deciding takes it.
pub(crate) fn now(clocks: &Clocks) -> Now {
    Now {
        boot: Boot(clocks.boottime_ms()),
        wall: convert::wall(clocks.wall()),
    }
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    snooze_service_runtime::exit::one_line(error)
}
