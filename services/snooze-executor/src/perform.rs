//! Carries out one planned action of a claim and says what came of it. A plan leaves no choice, and
//! nothing here makes one: it does not repeat, skip or reorder.

mod cloud;

use crate::{
    convert,
    provider::Clouds,
    store::{Store, StoreError},
};
use snooze_bus::{Bus, Expect, RequestError, RunnerVerb, Subject};
use snooze_decision::{
    Boot, Now,
    claim::{Action, Answer, AuditEntry, CallOutcome, Planned, PrepareState, Ticket},
};
use snooze_schemas::{
    HostId,
    audit::AuditRecord,
    event::Scope,
    host::{Cancel, Prepare, Prepared, Verified, Verify},
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
    /// The record that the claim was made on; another one at the look before the stop forbids it.
    /// None where the host has left the roster since; then no cloud is asked anything.
    pub(crate) record: Option<Arc<RosterRecord>>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) learnt: Mutex<Learnt>,
}

/// What earlier actions of the claim brought to light for later ones.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// The verification's votes: what the tags' readings are taken from.
    verdict: Option<Verdict>,
    /// Whether the instance was started with hibernation configured.
    can_hibernate: bool,
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
            Action::Audit(entry) => answered(self.file(entry, within).await, |()| Answer::Filed),
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
                self.prepare(&prepare, within).await
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

    async fn file(&self, entry: AuditEntry, within: Duration) -> Result<(), String> {
        let record = AuditRecord {
            at: self.clocks.wall(),
            host: Scope::Host(self.host.clone()),
            kind: convert::audit_kind(entry.kind),
            actor: self.actor.clone(),
            claim: Some(entry.claim.0),
            message: entry.message,
            details: serde_json::Map::new(),
        };
        file(&self.bus, &record, within).await
    }

    async fn ask<M, R>(&self, verb: RunnerVerb, message: &M, within: Duration) -> Result<R, String>
    where
        M: snooze_schemas::Message,
        R: serde::de::DeserializeOwned,
    {
        let subject = Subject::Runner {
            host: self.host.clone(),
            verb,
        };
        let answer = self.bus.request::<M, R>(&subject, message, within).await;
        answer.map_err(|error| chain(&error))
    }

    async fn prepare(&self, prepare: &Prepare, within: Duration) -> Answer {
        let subject = Subject::Runner {
            host: self.host.clone(),
            verb: RunnerVerb::Prepare,
        };
        let answer = self.bus.request::<_, Prepared>(&subject, prepare, within).await;
        match answer {
            Ok(prepared) if prepared.claim == prepare.claim => Answer::Prepared {
                state: convert::prepare_state(prepared.state),
                message: prepared.message,
            },
            Ok(prepared) => Answer::Failed {
                reason: format!("the host answered about claim {}", prepared.claim),
            },
            // The host heard it and will not do it: that is an answer, and no reason to ask again.
            Err(RequestError::Refused { source, .. }) => Answer::Prepared {
                state: PrepareState::Failed,
                message: source.message,
            },
            Err(error) => Answer::Failed {
                reason: chain(&error),
            },
        }
    }

    async fn verify(&self, verify: &Verify, within: Duration) -> Answer {
        let answer = self.ask::<_, Verified>(RunnerVerb::Verify, verify, within).await;
        // The body names a host as well: one that names another is not this host's answer (I1, I3).
        let answer = answer.and_then(|verified| {
            if verified.verdict.host == self.host {
                Ok(verified)
            } else {
                Err(format!("the answer is the verdict of {}", verified.verdict.host))
            }
        });
        answered(answer, |verified| {
            self.learn(|learnt| learnt.verdict = Some(verified.verdict.clone()));
            Answer::Verified(convert::verified(verified))
        })
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

/// Files an entry and waits for the stream's acknowledgement.
pub(crate) async fn file(bus: &Bus, record: &AuditRecord, within: Duration) -> Result<(), String> {
    let subject = Subject::Audit {
        scope: record.host.clone(),
        kind: record.kind,
    };
    match bus.file(&subject, record, Expect::Anything, within).await {
        Ok(_) => Ok(()),
        Err(error) => Err(chain(&error)),
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
