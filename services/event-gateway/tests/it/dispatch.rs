//! From the stream to the runner.

use crate::centre::{Centre, LIMIT, accept, event, host, now};
use snooze_bus::keys;
use snooze_schemas::{
    ErrorCode,
    event::{Event, OpenEvent, Scope, Severity},
};
use snooze_test_harness::{NatsServer, wait_for, wait_until};
use std::time::Duration;

#[tokio::test]
async fn e3_a_flood_below_does_not_delay_what_is_above() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let here = || Scope::Host(host("h1"));
    let flood: Vec<_> = (0..200)
        .map(|number| event(&format!("info-{number}"), here(), Severity::Info))
        .collect();
    centre.file_all(&flood).await;
    centre.file(&event("critical", here(), Severity::Critical)).await;
    let gateway = centre.gateway(|_| {}).await;
    // Nothing of the flood is ever answered: only a lane of its own lets the critical one through.
    let mut held = Vec::new();
    loop {
        let (delivery, offer) = runner.offered().await;
        if offer.event.severity == Severity::Critical {
            accept(&delivery).await;
            break;
        }
        held.push(delivery);
        assert!(held.len() <= 32, "the lane below takes no more than its window");
    }
    for delivery in held {
        accept(&delivery).await;
    }
    runner.accept_the_rest();
    gateway.end().await;
}

#[tokio::test]
async fn e3_what_is_below_keeps_a_share_while_what_is_above_waits() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let here = || Scope::Host(host("h1"));
    // More than the window of those above holds: it stays full, however many are accepted below.
    let above: Vec<_> = (0..600)
        .map(|number| event(&format!("critical-{number}"), here(), Severity::Critical))
        .collect();
    centre.file_all(&above).await;
    centre.file(&event("info", here(), Severity::Info)).await;
    let gateway = centre.gateway(|_| {}).await;
    let mut held = Vec::new();
    loop {
        let (delivery, offer) = runner.offered().await;
        if offer.event.severity == Severity::Info {
            accept(&delivery).await;
            break;
        }
        held.push(delivery);
    }
    for delivery in held {
        accept(&delivery).await;
    }
    runner.accept_the_rest();
    gateway.end().await;
}

#[tokio::test]
async fn e4_an_accepted_event_is_noted_and_its_outcome_clears_the_note() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let urgent = event("e1", Scope::Host(host("h1")), Severity::Urgent);
    centre.file(&urgent).await;
    let taken = runner.accept().await;
    assert_eq!(taken, urgent);
    let open = centre.open_events();
    let key = keys::open_key(&urgent.host, &urgent.id);
    let note = wait_for(LIMIT, "the event is noted", async || {
        open.get::<OpenEvent>(&key).await.expect("reads")
    })
    .await;
    assert_eq!(note.value.event, urgent);
    runner.report(&urgent).await;
    wait_until(LIMIT, "the note is cleared", async || {
        open.get::<OpenEvent>(&key).await.expect("reads").is_none()
    })
    .await;
    assert_eq!(centre.dead(urgent.host).await, []);
    gateway.end().await;
}

#[tokio::test]
async fn e4_an_outcome_that_comes_before_the_note_clears_it_too() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let quick = event("quick", Scope::Host(host("h1")), Severity::Urgent);
    centre.file(&quick).await;
    let (delivery, offer) = runner.offered().await;
    // No plugin cares: the runner is done before its answer has arrived.
    runner.report(&offer.event).await;
    accept(&delivery).await;
    let open = centre.open_events();
    let key = keys::open_key(&quick.host, &quick.id);
    let mut seen = false;
    wait_until(LIMIT, "the event is noted and the note cleared", async || {
        let look = open.look::<OpenEvent>(&key).await.expect("reads");
        seen |= look.entry.is_some();
        (seen || look.revision > 0) && look.entry.is_none()
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn e4_nothing_stays_unacked_while_a_handler_runs() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    centre
        .file(&event("e1", Scope::Host(host("h1")), Severity::Critical))
        .await;
    runner.accept().await;
    // No outcome is ever reported here.
    centre.all_acked(Severity::Critical).await;
    gateway.end().await;
}

#[tokio::test]
async fn a_host_that_is_busy_is_not_given_up_like_one_that_is_away() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    // It was noticed long ago, and whoever is away is not waited for at all.
    let gateway = centre.gateway(|config| config.patience = Duration::ZERO).await;
    let here = Scope::Host(host("h1"));
    centre.file(&event("e1", here.clone(), Severity::Critical)).await;
    for code in [
        ErrorCode::RateLimited,
        ErrorCode::Unavailable,
        ErrorCode::Internal,
    ] {
        runner.refuse(code, "not now").await;
    }
    assert_eq!(runner.accept().await.id.as_str(), "e1");
    assert_eq!(centre.dead(here).await, []);
    gateway.end().await;
}

#[tokio::test]
async fn a_busy_host_is_given_up_once_its_own_time_is_over() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre
        .gateway(|config| {
            config.patience = Duration::ZERO;
            config.busy_patience = Duration::ZERO;
        })
        .await;
    let here = Scope::Host(host("h1"));
    centre.file(&event("e1", here.clone(), Severity::Critical)).await;
    runner.refuse(ErrorCode::RateLimited, "too many events").await;
    let dead = centre.first_dead(here).await;
    assert!(dead.reason.contains("too many events"), "{}", dead.reason);
    gateway.end().await;
}

#[tokio::test]
async fn patience_does_not_rest_on_the_clock_of_whoever_noticed_it() {
    let centre = Centre::open().await;
    let gateway = centre.gateway(|_| {}).await;
    let mut old = event("old", Scope::Host(host("h1")), Severity::Critical);
    old.noticed_at = snooze_schemas::Timestamp::UNIX_EPOCH;
    centre.file(&old).await;
    // Parked while its host is away.
    centre.all_acked(Severity::Critical).await;
    let mut runner = centre.runner("h1").await;
    assert_eq!(runner.accept().await, old);
    assert_eq!(centre.dead(old.host).await, []);
    gateway.end().await;
}

#[tokio::test]
async fn a_gateway_waits_for_streams_that_are_not_there_yet() {
    let centre = Centre::before_set_up(NatsServer::open().await).await;
    let gateway = centre.gateway(|_| {}).await;
    // A question that the server answers after the gateway's first ones.
    let away = centre
        .administrator
        .raw_request("$JS.API.INFO", &[], b"", LIMIT)
        .await;
    away.expect("JetStream is there");
    centre.set_up().await;
    let mut runner = centre.runner("h1").await;
    centre
        .file(&event("e1", Scope::Host(host("h1")), Severity::Critical))
        .await;
    assert_eq!(runner.accept().await.id.as_str(), "e1");
    gateway.end().await;
}

#[tokio::test]
async fn e3_what_is_below_makes_room_while_what_is_above_is_in_hand() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let here = || Scope::Host(host("h1"));
    let gateway = centre.gateway(|_| {}).await;
    centre.file(&event("critical", here(), Severity::Critical)).await;
    let mut held = vec![runner.offered().await];
    let flood: Vec<_> = (0..40)
        .map(|number| event(&format!("info-{number}"), here(), Severity::Info))
        .collect();
    centre.file_all(&flood).await;
    held.extend([runner.offered().await, runner.offered().await]);
    // A whole window of those below would have come before this one.
    centre.file(&event("urgent", here(), Severity::Urgent)).await;
    let urgent = runner.offered().await;
    assert_eq!(urgent.1.event.severity, Severity::Urgent);
    held.push(urgent);
    for (delivery, _) in held {
        accept(&delivery).await;
    }
    runner.accept_the_rest();
    centre.all_acked(Severity::Info).await;
    gateway.end().await;
}

#[tokio::test]
async fn what_waits_for_a_place_goes_by_its_deadline() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let here = || Scope::Host(host("h1"));
    let gateway = centre.gateway(|_| {}).await;
    // While one above is in hand, there are two places below.
    centre.file(&event("critical", here(), Severity::Critical)).await;
    let mut held = vec![runner.offered().await];
    for id in ["a", "b"] {
        centre.file(&event(id, here(), Severity::Info)).await;
        held.push(runner.offered().await);
    }
    let due_in = |id: &str, seconds| Event {
        deadline: Some(now() + Duration::from_secs(seconds)),
        ..event(id, here(), Severity::Info)
    };
    for waiting in [
        due_in("late", 200),
        event("never", here(), Severity::Info),
        due_in("soon", 60),
        due_in("later", 100),
    ] {
        centre.file(&waiting).await;
    }
    wait_until(LIMIT, "all are in hand", async || {
        centre.backlog(Severity::Info).await.0 == 0
    })
    .await;
    let (one, _) = held.pop().expect("three are held");
    accept(&one).await;
    let mut order = Vec::new();
    while order.len() < 4 {
        let (delivery, offer) = runner.offered().await;
        accept(&delivery).await;
        let id = offer.event.id.to_string();
        // One that was not answered at once is offered again.
        if id.len() > 1 && id != "critical" && !order.contains(&id) {
            order.push(id);
        }
    }
    assert_eq!(order, ["soon", "later", "late", "never"]);
    for (delivery, _) in held {
        accept(&delivery).await;
    }
    runner.accept_the_rest();
    gateway.end().await;
}
