//! Hosts that are on the bus and do not take what they are offered: they hold up nobody else (rules E3 and E5).

use crate::centre::{Centre, LIMIT, accept, event, host};
use snooze_schemas::{
    ErrorCode, Refusal,
    event::{Accepted, Event, Scope, Severity},
};
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};

/// Far less than the ten seconds that a gateway waits for a host which does not answer.
const NO_DELAY: Duration = Duration::from_secs(5);

/// Everything that is asked of every runner arrives here and is never answered, as on hosts that hang.
async fn silence(centre: &Centre) -> JoinHandle<()> {
    let asked = "snooze.v1.host.*.runner.handle_event";
    let mut asked = centre
        .administrator
        .raw_subscribe(asked)
        .await
        .expect("subscribes");
    tokio::spawn(async move { while asked.next().await.is_some() {} })
}

fn to(name: &str, id: &str, severity: Severity) -> Event {
    event(id, Scope::Host(host(name)), severity)
}

fn to_a_thousand() -> Vec<Event> {
    (0..1_000)
        .map(|number| {
            to(
                &format!("silent-{number}"),
                &format!("e{number}"),
                Severity::Critical,
            )
        })
        .collect()
}

#[tokio::test]
async fn e3_a_thousand_hosts_that_do_not_answer_do_not_delay_one_that_is_there() {
    let centre = Centre::open().await;
    let silence = silence(&centre).await;
    let mut runner = centre.runner("here").await;
    centre.file_all(&to_a_thousand()).await;
    centre.file(&to("here", "mine", Severity::Critical)).await;
    let gateway = centre.gateway(|_| {}).await;
    let taken = timeout(NO_DELAY, runner.accept()).await;
    assert_eq!(taken.expect("at once").id.as_str(), "mine");
    // None of them waits in the consumer, where they would fill its window.
    centre.all_acked(Severity::Critical).await;
    gateway.end().await;
    silence.abort();
}

#[tokio::test]
async fn e5_a_host_that_is_back_waits_for_none_of_a_thousand_that_do_not_answer() {
    let centre = Centre::open().await;
    let silence = silence(&centre).await;
    let gateway = centre.gateway(|config| config.away_retry = Duration::ZERO).await;
    centre.file_all(&to_a_thousand()).await;
    centre.file(&to("back", "mine", Severity::Critical)).await;
    centre.all_acked(Severity::Critical).await;
    let mut runner = centre.runner("back").await;
    let taken = timeout(NO_DELAY, runner.accept()).await;
    assert_eq!(taken.expect("at once").id.as_str(), "mine");
    gateway.end().await;
    silence.abort();
}

#[tokio::test]
async fn e3_a_host_that_takes_no_more_holds_up_no_other() {
    let centre = Centre::open().await;
    let mut full = centre.runner("full").await;
    let refusing = tokio::spawn(async move {
        loop {
            let (delivery, _) = full.offered().await;
            let refusal = Err::<Accepted, _>(Refusal::new(ErrorCode::RateLimited, "enough for now"));
            delivery.answer(refusal).await.expect("answers");
        }
    });
    let mut runner = centre.runner("here").await;
    // More than the server lets be under way of this severity, for all gateways together.
    let flood: Vec<_> = (0..300)
        .map(|number| to("full", &format!("e{number}"), Severity::Info))
        .collect();
    centre.file_all(&flood).await;
    centre.file(&to("here", "mine", Severity::Info)).await;
    let gateway = centre.gateway(|_| {}).await;
    let taken = timeout(NO_DELAY, runner.accept()).await;
    assert_eq!(taken.expect("at once").id.as_str(), "mine");
    gateway.end().await;
    refusing.abort();
}

#[tokio::test]
async fn e5_a_host_that_answers_late_is_given_what_it_was_too_slow_for() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|config| config.away_retry = LIMIT * 100).await;
    centre.file(&to("h1", "e1", Severity::Critical)).await;
    // Its answer to the first offer comes when nobody waits for it any more.
    let (first, _) = runner.offered().await;
    let (second, offer) = runner.offered().await;
    assert_eq!(offer.event.id.as_str(), "e1");
    for delivery in [first, second] {
        accept(&delivery).await;
    }
    // Nobody takes it for silent any more: the next one comes by itself.
    centre.file(&to("h1", "e2", Severity::Critical)).await;
    assert_eq!(runner.accept().await.id.as_str(), "e2");
    assert_eq!(centre.dead(Scope::Host(host("h1"))).await, []);
    gateway.end().await;
}
