//! What people and hosts ask of the executors: leases, postponements, the kill switch, wakes, questions.
//!
//! Every request is answered, failures included. A change is one write at the revision that was read;
//! where the key has moved it is read and asked again, within the time that an answer has. The kill switch,
//! changes and questions each have places of their own, so that no flood of one keeps another waiting.

mod gate;
mod hold;
mod query;
pub(crate) mod wake;

use crate::{context::Context, perform::chain, store::StoreError};
use serde::Serialize;
use snooze_bus::{Delivery, EXECUTOR_QUEUE, OpsVerb, Subject, SubjectFilter, Subscription};
use snooze_decision::claim::{Entry, HostRecord, RequestRefused};
use snooze_schemas::{ErrorCode, HostId, Refusal};
use snooze_service_runtime::CancellationToken;
use std::{convert::Infallible, time::Duration};

/// How often a key that keeps moving is read again. Beats come every two seconds and a read and a write
/// take milliseconds, so a second attempt is rare and an eighth is a fault.
pub(crate) const ATTEMPTS: u32 = 8;
/// Freezes and thaws handled at once: people and their scripts send few.
const SWITCHES_AT_ONCE: usize = 64;
/// Changes of one kind handled at once; more are turned away with an answer that says so.
const CHANGES_AT_ONCE: usize = 128;
/// Questions handled at once. One about the whole fleet takes megabytes while it is answered.
const QUESTIONS_AT_ONCE: usize = 16;
/// Between two attempts to subscribe.
const PAUSE: Duration = Duration::from_secs(1);
/// For how long requests under way may go on after shutdown.
const GRACE: Duration = Duration::from_secs(5);
/// How long an answer may take: the bus promises 15 s to whoever asks.
const ANSWER_WITHIN: Duration = Duration::from_secs(12);

/// The subscriptions to what is asked, each with how many are handled at once.
#[derive(Debug)]
pub(crate) struct Requests(Vec<(Subscription, usize)>);

impl Requests {
    /// Subscribes as a member of the executors' queue group. Questions are not among it: see
    /// [`Requests::serve`].
    pub(crate) async fn subscribe(context: &Context) -> Result<Self, snooze_bus::BusError> {
        let ops = |verb| SubjectFilter::Exactly(Subject::Ops(verb));
        let mut subscriptions = Vec::new();
        for (filter, at_once) in [
            (ops(OpsVerb::Freeze), SWITCHES_AT_ONCE),
            (ops(OpsVerb::Thaw), SWITCHES_AT_ONCE),
            (ops(OpsVerb::Lease), CHANGES_AT_ONCE),
            (ops(OpsVerb::Postpone), CHANGES_AT_ONCE),
            (ops(OpsVerb::Wake), CHANGES_AT_ONCE),
            (SubjectFilter::AllLease, CHANGES_AT_ONCE),
        ] {
            let subscription = context.bus.subscribe(&filter, Some(EXECUTOR_QUEUE)).await?;
            subscriptions.push((subscription, at_once));
        }
        Ok(Self(subscriptions))
    }

    /// Answers until shutdown. Questions are answered only while this executor has its copy of the
    /// buckets: else they go to executors that have theirs.
    pub(crate) async fn serve(self, context: Context, shutdown: CancellationToken) -> Result<(), Infallible> {
        let handler = |delivery: Delivery| {
            let context = context.clone();
            async move { handle(&context, &delivery).await }
        };
        let changes = self.0.into_iter().map(|(subscription, at_once)| {
            let stop = shutdown.clone().cancelled_owned();
            snooze_bus::serve(subscription, at_once, GRACE, stop, handler)
        });
        tokio::join!(
            futures_util::future::join_all(changes),
            serve_questions(&context, &shutdown),
        );
        Ok(())
    }
}

async fn serve_questions(context: &Context, shutdown: &CancellationToken) {
    let filter = SubjectFilter::Exactly(Subject::Ops(OpsVerb::Query));
    let handler = |delivery: Delivery| {
        let context = context.clone();
        async move { handle(&context, &delivery).await }
    };
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = context.mirror.ready() => {}
        }
        match context.bus.subscribe(&filter, Some(EXECUTOR_QUEUE)).await {
            Ok(subscription) => {
                let stop = async {
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = context.mirror.unready() => {}
                    }
                };
                snooze_bus::serve(subscription, QUESTIONS_AT_ONCE, GRACE, stop, handler).await;
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "questions cannot be heard yet");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
}

async fn handle(context: &Context, delivery: &Delivery) {
    match delivery.subject() {
        Subject::HostLease(_) | Subject::Ops(OpsVerb::Lease) => {
            answer(delivery, hold::lease(context, delivery)).await;
        }
        Subject::Ops(OpsVerb::Postpone) => answer(delivery, hold::postpone(context, delivery)).await,
        Subject::Ops(OpsVerb::Freeze) => answer(delivery, gate::freeze(context, delivery)).await,
        Subject::Ops(OpsVerb::Thaw) => answer(delivery, gate::thaw(context, delivery)).await,
        Subject::Ops(OpsVerb::Wake) => answer(delivery, wake::wake(context, delivery)).await,
        Subject::Ops(OpsVerb::Query) => answer(delivery, query::query(context, delivery)).await,
        other => tracing::debug!(
            template = other.template(),
            "nothing here is asked on this subject"
        ),
    }
}

async fn answer<R: Serialize>(delivery: &Delivery, work: impl Future<Output = Result<R, Refusal>>) {
    // Dropped at its time, a write that is under way may still land; the answer says that it is not known.
    let result = tokio::time::timeout(ANSWER_WITHIN, work)
        .await
        .unwrap_or_else(|_| {
            Err(Refusal::new(
                ErrorCode::Timeout,
                "no answer from the bus in time; it may have been done or not",
            ))
        });
    if let Err(error) = delivery.answer(result).await {
        tracing::debug!(error = %chain(&error), "a request could not be answered");
    }
}

/// Changes a host's record: reads it, has it changed, and writes it at the revision that was read. What
/// became of a write that nobody knows of is seen by reading again (L7); `change` is then asked anew, so
/// it must be one that can be made twice.
async fn change(
    context: &Context,
    host: &HostId,
    change: impl Fn(&Entry<HostRecord>) -> Result<HostRecord, Refusal>,
) -> Result<Entry<HostRecord>, Refusal> {
    enrolled(context, host).await?;
    for _ in 0..ATTEMPTS {
        let entry = context
            .store
            .host(host)
            .await
            .map_err(|error| unavailable(&error))?;
        let record = change(&entry)?;
        match context.store.update(host, record.clone(), entry.revision).await {
            Ok(revision) => {
                return Ok(Entry {
                    revision,
                    value: record,
                });
            }
            Err(StoreError::Moved | StoreError::Ambiguous) => {}
            Err(error) => return Err(unavailable(&error)),
        }
    }
    Err(Refusal::new(
        ErrorCode::Unavailable,
        format!("the key of {host} kept changing; ask again"),
    ))
}

/// Only hosts of the roster have a key: any name could be asked about otherwise.
async fn enrolled(context: &Context, host: &HostId) -> Result<(), Refusal> {
    if context.mirror.is_enrolled(host) {
        return Ok(());
    }
    match context.store.roster(host).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Refusal::new(
            ErrorCode::NotFound,
            format!("{host} is not enrolled"),
        )),
        Err(error) => Err(unavailable(&error)),
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Refusal {
    Refusal::new(ErrorCode::Unavailable, chain(error))
}

fn refused(refused: &RequestRefused) -> Refusal {
    match refused {
        RequestRefused::TooLate { since } => Refusal::new(
            ErrorCode::TooLate,
            format!("{refused} (committed at {})", crate::convert::timestamp(*since)),
        ),
        RequestRefused::BadDuration { .. } => Refusal::new(ErrorCode::BadRequest, refused.to_string()),
        _ => Refusal::new(ErrorCode::Conflict, refused.to_string()),
    }
}
