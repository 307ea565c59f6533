//! What ends in DEAD and why, and what does not end there though it looks as if.

use crate::centre::{Centre, LIMIT, accept, event, event_type, host, id, now, subject_of};
use snooze_bus::{BucketHandle, BusErrorKind, Role, User, keys};
use snooze_event_gateway::centre::Config;
use snooze_schemas::{
    ErrorCode,
    event::{Event, OpenEvent, OpenState, Scope, Severity},
};
use snooze_service_runtime::CancellationToken;
use snooze_test_harness::wait_until;
use std::time::Duration;

fn here() -> Scope {
    Scope::Host(host("h1"))
}

/// An event whose time is up.
fn late(name: &str) -> Event {
    Event {
        deadline: Some(now()),
        ..event(name, here(), Severity::Critical)
    }
}

/// Notes an event as a gateway does that dies before its ack.
async fn note(open: &BucketHandle, event: &Event) {
    let note = OpenEvent {
        event: event.clone(),
        host: host("h1"),
        state: OpenState::Accepted,
        sweep_after_ms: 3_600_000,
        is_ending: false,
    };
    open.create(&keys::open_key(&here(), &event.id), &note)
        .await
        .expect("notes");
}

#[tokio::test]
async fn what_no_host_takes_in_time_ends_in_dead_with_the_reason() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|config| config.patience = Duration::ZERO).await;
    let gone = event("e1", Scope::Host(host("gone")), Severity::Urgent);
    centre.file(&gone).await;
    let dead = centre.first_dead(gone.host.clone()).await;
    assert_eq!(dead.event, gone);
    assert_eq!(dead.reason, "its host is not on the bus");
    gateway.end().await;
}

#[tokio::test]
async fn an_event_whose_deadline_passed_ends_in_dead_with_that_reason() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let away = Event {
        host: Scope::Host(host("away")),
        ..late("away")
    };
    centre.file(&away).await;
    let dead = centre.first_dead(away.host).await;
    assert!(dead.reason.contains("deadline"), "{}", dead.reason);
    centre.file(&late("late")).await;
    let (delivery, offer) = runner.offered().await;
    assert_eq!(offer.left_ms, Some(0), "never more than there is");
    let refusal = snooze_schemas::Refusal::new(ErrorCode::TooLate, "too late");
    delivery
        .answer::<snooze_schemas::event::Accepted>(Err(refusal))
        .await
        .expect("answers");
    let dead = centre.first_dead(here()).await;
    assert!(dead.reason.contains("deadline"), "{}", dead.reason);
    gateway.end().await;
}

#[tokio::test]
async fn e4_a_gateway_that_dies_at_any_step_leaves_no_false_end() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let open = centre.open_events();
    // Accepted, and the gateway died before its note; the deadline passed since.
    let accepted = late("accepted");
    // Noted, and it died before its ack.
    let noted = late("noted");
    note(&open, &noted).await;
    // Handled and reported, the note cleared, and the ack was lost.
    let reported = late("reported");
    runner.report(&reported).await;
    centre.file_all(&[accepted.clone(), noted, reported]).await;

    let gateway = centre.gateway(|_| {}).await;
    for _ in 0..3 {
        let (delivery, offer) = runner.offered().await;
        let answer = if offer.event == accepted {
            Ok(snooze_schemas::event::Accepted {
                accepted: true,
                duplicate: true,
            })
        } else {
            // The journal has forgotten it by now.
            Err(snooze_schemas::Refusal::new(ErrorCode::TooLate, "too late"))
        };
        delivery.answer(answer).await.expect("answers");
    }
    centre.all_acked(Severity::Critical).await;
    assert_eq!(centre.dead(here()).await, []);
    let is_noted = |entry: &snooze_bus::Entry<OpenEvent>| entry.value.event == accepted;
    let key = keys::open_key(&here(), &accepted.id);
    let entry = open.get::<OpenEvent>(&key).await.expect("reads");
    assert!(entry.as_ref().is_some_and(is_noted), "{entry:?}");
    gateway.end().await;
}

#[tokio::test]
async fn e4_an_event_that_a_killed_gateway_had_in_hand_is_given_to_another() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let first = centre.gateway(|_| {}).await;
    centre.file(&event("e1", here(), Severity::Critical)).await;
    let (unanswered, _) = runner.offered().await;
    first.kill().await;
    assert_eq!(
        centre.backlog(Severity::Critical).await,
        (0, 1),
        "nothing is lost"
    );
    let second = centre.gateway(|_| {}).await;
    // What it had in hand comes back when the server's wait for its ack is over, which is long for a test.
    centre
        .wait_for_acks(Severity::Critical, Duration::from_secs(1))
        .await;
    let (delivery, offer) = runner.offered().await;
    assert_eq!(offer.event.id, id("e1"));
    accept(&delivery).await;
    // On a slow machine the wait may be over before its ack comes, and it is offered once more.
    runner.accept_the_rest();
    centre.all_acked(Severity::Critical).await;
    assert_eq!(centre.dead(here()).await, []);
    drop(unanswered);
    second.end().await;
}

#[tokio::test]
async fn a_gateway_whose_credentials_do_not_suffice_says_that_it_was_denied() {
    let centre = Centre::start().await;
    let operator = User::named(Role::Operator, "ann").expect("a name");
    let bus = centre.server.bus(&operator).await;
    let config = Config::new("gateway under test".to_owned());
    let run = snooze_event_gateway::centre::run(config, bus, CancellationToken::new());
    let ended = tokio::time::timeout(LIMIT, run).await.expect("in time");
    let error = ended.expect_err("it may not listen");
    assert_eq!(error.kind(), BusErrorKind::Denied, "{error:?}");
}

#[tokio::test]
async fn another_event_with_the_same_id_ends_in_dead_instead_of_vanishing() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let first = event("same", here(), Severity::Critical);
    let other = Event {
        event_type: event_type("custom.other"),
        ..first.clone()
    };
    centre.file(&first).await;
    assert_eq!(runner.accept().await, first);
    centre.all_acked(Severity::Critical).await;
    centre.file(&other).await;
    assert_eq!(runner.accept().await, other);
    let dead = centre.first_dead(here()).await;
    assert_eq!(dead.event, other);
    assert!(dead.reason.contains("same"), "{}", dead.reason);
    gateway.end().await;
}

#[tokio::test]
async fn e1_an_event_that_contradicts_the_table_is_not_dispatched() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let false_alarm = Event {
        event_type: event_type("system.cpu.high"),
        ..event("e1", here(), Severity::Critical)
    };
    centre.file(&false_alarm).await;
    let dead = centre.first_dead(here()).await;
    assert_eq!(dead.event, false_alarm);
    assert!(dead.reason.contains("severity 1"), "{}", dead.reason);
    centre.file(&event("next", here(), Severity::Critical)).await;
    assert_eq!(runner.accept().await.id, id("next"));
    gateway.end().await;
}

#[tokio::test]
async fn what_cannot_be_read_ends_in_dead_with_the_reason() {
    let centre = Centre::open().await;
    let gateway = centre.gateway(|_| {}).await;
    let bare = subject_of(&event("bare", here(), Severity::Critical)).to_string();
    for subject in [bare.as_str(), "snooze.v1.event.h1.3.x.Not-A-Type"] {
        let filed = centre
            .administrator
            .raw_request(subject, &[], br#"{"x":1}"#, LIMIT)
            .await;
        filed.expect("is stored");
    }
    let dead = centre.first_dead(here()).await;
    assert_eq!(
        (dead.event.id, dead.event.severity),
        (id("bare"), Severity::Critical)
    );
    assert!(dead.reason.contains("Snooze-Kind"), "{}", dead.reason);
    assert_eq!(dead.event.data["body"], r#"{"x":1}"#);
    let dead = centre.first_dead(Scope::Fleet).await;
    assert_eq!(
        dead.event.data["filed_under"],
        "snooze.v1.event.h1.3.x.Not-A-Type"
    );
    centre.all_acked(Severity::Critical).await;
    gateway.end().await;
}

#[tokio::test]
async fn what_a_later_version_filed_is_left_to_one_that_reads_it() {
    let centre = Centre::open().await;
    let gateway = centre.gateway(|_| {}).await;
    let subject = subject_of(&event("later", here(), Severity::Critical)).to_string();
    let later = [("Snooze-Kind", "event"), ("Snooze-Version", "2")];
    let filed = centre
        .administrator
        .raw_request(&subject, &later, b"{}", LIMIT)
        .await;
    filed.expect("is stored");
    wait_until(LIMIT, "it was taken", async || {
        centre.backlog(Severity::Critical).await == (0, 1)
    })
    .await;
    gateway.end().await;
    assert_eq!(centre.backlog(Severity::Critical).await, (0, 1), "it comes again");
    assert_eq!(centre.dead(here()).await, []);
}

#[tokio::test]
async fn two_gateways_that_end_the_same_event_file_it_once() {
    let centre = Centre::open().await;
    for name in ["h1", "h2"] {
        centre.enrol(name).await;
    }
    // Each of them tries the event by itself, as when the first one's ack is lost.
    let impatient = |config: &mut snooze_event_gateway::centre::Config| config.patience = Duration::ZERO;
    for round in 0..2 {
        let gateways = [centre.gateway(impatient).await, centre.gateway(impatient).await];
        if round == 0 {
            centre.file(&event("all", Scope::Fleet, Severity::Critical)).await;
        } else {
            // Filed once more, so that it is dispatched again.
            let again = subject_of(&event("all", Scope::Fleet, Severity::Critical));
            let event = event("all", Scope::Fleet, Severity::Critical);
            let filed = centre
                .administrator
                .file(&again, &event, snooze_bus::Expect::Anything, LIMIT)
                .await;
            filed.expect("files");
        }
        centre.all_acked(Severity::Critical).await;
        for gateway in gateways {
            gateway.end().await;
        }
    }
    for name in ["h1", "h2"] {
        assert_eq!(centre.dead(Scope::Host(host(name))).await.len(), 1, "{name}");
    }
}
