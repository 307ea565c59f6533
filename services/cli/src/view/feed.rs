//! Listening for the view: samples, verdicts and the audit trail as they come, and what the executors say
//! every second. It publishes nothing but questions.

use super::model::{BusState, News};
use crate::unanswered;
use snooze_bus::{Bus, BusError, BusStatus, OpsVerb, Subject, SubjectFilter, Subscription};
use snooze_schemas::{
    HostId,
    audit::AuditRecord,
    event::Scope,
    ops::{Query, QueryResult},
    sample::Sample,
    verdict::Verdict,
};
use std::time::Duration;
use tokio::sync::mpsc;

/// News that wait to be shown; a view that is slower loses nothing, the bus waits.
const WAITING: usize = 256;
/// How often the executors are asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Questions at first whose failure is no news: an executor that is being started does not answer yet.
const PATIENCE: u32 = 3;
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Room for news that wait to be shown.
#[must_use]
pub fn channel() -> (mpsc::Sender<News>, mpsc::Receiver<News>) {
    mpsc::channel(WAITING)
}

/// The connection has ended for good; a view that is gone is none of this.
#[derive(Debug, thiserror::Error)]
#[error("the view hears nothing any more: the bus connection has ended")]
pub struct Deaf;

/// News of one host, and what the whole fleet is told. The future listens, and ends well with the
/// receiver, or else with the connection.
///
/// # Errors
/// When the server does not take the subscriptions.
pub async fn feed(
    bus: Bus,
    host: HostId,
    sender: mpsc::Sender<News>,
) -> Result<impl Future<Output = Result<(), Deaf>>, BusError> {
    let only = |subject: Subject| SubjectFilter::Exactly(subject);
    let metrics = bus.subscribe(&only(Subject::Metrics(host.clone())), None).await?;
    let verdicts = bus.subscribe(&only(Subject::Verdict(host.clone())), None).await?;
    let audit = bus
        .subscribe(&SubjectFilter::AuditOf(Scope::Host(host.clone())), None)
        .await?;
    let fleet = bus.subscribe(&SubjectFilter::AuditOf(Scope::Fleet), None).await?;
    Ok(async move {
        // The first of them that ends, ends all: the connection or the view is gone.
        tokio::select! {
            () = hear(metrics, &sender, |sample: Sample| News::Sample(Box::new(sample))) => {}
            () = hear(verdicts, &sender, |verdict: Verdict| News::Verdict(Box::new(verdict))) => {}
            () = hear(audit, &sender, |record: AuditRecord| News::Audit(Box::new(record))) => {}
            () = hear(fleet, &sender, |record: AuditRecord| News::Audit(Box::new(record))) => {}
            () = ask(&bus, host, &sender) => {}
            () = watch_bus(&bus, &sender) => {}
        }
        if sender.is_closed() { Ok(()) } else { Err(Deaf) }
    })
}

async fn hear<M: snooze_schemas::Message>(
    mut subscription: Subscription,
    sender: &mpsc::Sender<News>,
    news: impl Fn(M) -> News,
) {
    while let Some(delivery) = subscription.next().await {
        match delivery.read::<M>() {
            Ok(message) => {
                if sender.send(news(message)).await.is_err() {
                    return;
                }
            }
            Err(refusal) => tracing::warn!(%refusal, "a message cannot be shown"),
        }
    }
}

async fn ask(bus: &Bus, host: HostId, sender: &mpsc::Sender<News>) {
    let question = Query {
        host: Some(host),
        ..Query::default()
    };
    let mut tick = tokio::time::interval(ASK_EVERY);
    let mut patience = PATIENCE;
    loop {
        tick.tick().await;
        let subject = Subject::Ops(OpsVerb::Query);
        let news = match bus
            .request::<_, QueryResult>(&subject, &question, ANSWER_WITHIN)
            .await
        {
            Ok(result) => {
                patience = 0;
                News::Report(Box::new(result))
            }
            Err(_) if patience > 0 => {
                patience -= 1;
                continue;
            }
            Err(error) => News::NoReport(unanswered::failure(&subject, &error).line),
        };
        if sender.send(news).await.is_err() {
            return;
        }
    }
}

async fn watch_bus(bus: &Bus, sender: &mpsc::Sender<News>) {
    let mut status = bus.status();
    loop {
        let state = match &*status.borrow_and_update() {
            BusStatus::Connected => BusState::Connected,
            BusStatus::Disconnected => BusState::Away,
            BusStatus::Fatal(why) => {
                tracing::error!(why, "the bus denied what the view needs");
                return;
            }
        };
        if sender.send(News::Bus(state)).await.is_err() || status.changed().await.is_err() {
            return;
        }
    }
}
