//! Azure's Scheduled Events, against a service that answers as they are documented.

use super::{LIMIT, Running};
use snooze_event_gateway::{
    happening::{Happening, State},
    source::azure::{Settings, watch},
};
use snooze_service_runtime::Clocks;
use snooze_test_harness::{AzureMetadata, MetadataFault, MetadataQuestion, azure_event, wait_until};
use std::{fs, path::Path, time::Duration};

const TIME: &str = "Tue, 01 Jan 2030 00:15:00 GMT";
const EVENTS: &str = "/metadata/scheduledevents";

fn settings(service: &AzureMetadata) -> Settings {
    Settings {
        endpoint: service.url(),
        poll_interval: Duration::from_millis(20),
        first_answer_within: LIMIT,
        answer_within: LIMIT,
        approve_after: None,
        kept: None,
    }
}

/// The same, but no answer except the first is waited for longer than a test can wait.
fn hasty(service: &AzureMetadata) -> Settings {
    Settings {
        answer_within: Duration::from_millis(200),
        ..settings(service)
    }
}

fn start(settings: Settings) -> Running {
    start_with(settings, Clocks::manual().clocks())
}

fn start_with(settings: Settings, clocks: Clocks) -> Running {
    Running::start(|notices, shutdown| watch(settings, clocks, notices, shutdown))
}

fn of(service: &AzureMetadata, method: &str, path: &str) -> Vec<MetadataQuestion> {
    let mut questions = service.questions();
    questions.retain(|question| question.method == method && question.path == path);
    questions
}

/// Waits until what was answered before has been taken: it asked again, and again.
async fn asks_on(service: &AzureMetadata) {
    let wanted = service.questions().len() + 3;
    wait_until(LIMIT, "the source asks on", async || {
        service.questions().len() >= wanted
    })
    .await;
}

/// Waits until it was tried to connect, again and again.
async fn is_looked_for(service: &AzureMetadata) {
    let wanted = service.connections() + 3;
    wait_until(LIMIT, "the source looks for the service", async || {
        service.connections() >= wanted
    })
    .await;
}

/// Waits until it stands in the file, and that the desk has what was told.
async fn is_kept(path: &Path, words: &str) {
    wait_until(LIMIT, "it is kept", async || {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.contains(words) && text.contains(r#""untold":[]"#)
    })
    .await;
}

fn names(told: &Happening) -> (&str, &str, State) {
    (told.event_type.as_str(), told.occurrence.as_str(), told.state)
}

#[tokio::test]
async fn a_preemption_is_told_once_with_its_time_over_one_connection() {
    let service = AzureMetadata::start("web_0").await;
    let mut running = start(settings(&service));
    service.schedule(azure_event("A1", "Preempt", &["web_1", "web_0"], TIME));
    let told = running.next().await;
    assert_eq!(names(&told), ("cloud.spot.interrupt", "a1", State::Raised));
    assert_eq!(
        told.deadline,
        Some("2030-01-01T00:15:00Z".parse().expect("a time"))
    );
    asks_on(&service).await;
    service.begin("A1");
    asks_on(&service).await;
    assert!(running.has_told_nothing(), "the same event at every poll");
    assert_eq!(service.connections(), 1);
    assert_eq!(of(&service, "GET", "/metadata/instance/compute").len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn another_machines_events_are_not_told_and_ends_are() {
    let service = AzureMetadata::start("web_0").await;
    let mut running = start(settings(&service));
    service.schedule(azure_event("B", "Preempt", &["web_1"], TIME));
    service.schedule(azure_event("C", "Freeze", &["web_0"], TIME));
    assert_eq!(
        names(&running.next().await),
        ("cloud.instance.maintenance", "c", State::Raised)
    );
    service.begin("C");
    asks_on(&service).await;
    service.remove("C");
    assert_eq!(
        names(&running.next().await),
        ("cloud.instance.maintenance", "c", State::Cleared)
    );
    service.schedule(azure_event("D", "Terminate", &["web_0"], TIME));
    assert_eq!(
        names(&running.next().await),
        ("cloud.instance.termination", "d", State::Raised)
    );
    service.remove("D");
    assert_eq!(
        names(&running.next().await),
        ("cloud.instance.termination", "d", State::Cancelled)
    );
    service.remove("B");
    asks_on(&service).await;
    assert!(running.has_told_nothing());
    running.stop().await;
}

#[tokio::test]
async fn the_first_answer_may_take_long_and_no_other_one() {
    let service = AzureMetadata::start("web_0").await;
    service.schedule(azure_event("A", "Preempt", &["web_0"], TIME));
    // Three times what any other answer may take.
    service.next_answer_takes(Duration::from_millis(600));
    let mut running = start(hasty(&service));
    running.next().await;
    assert_eq!(
        of(&service, "GET", EVENTS).len(),
        1,
        "it was waited for and not asked again"
    );
    service.next_answer_takes(Duration::from_secs(3_600));
    asks_on(&service).await;
    service.schedule(azure_event("B", "Preempt", &["web_0"], TIME));
    running.next().await;
    assert!(service.connections() > 1, "the one that hung was given up");
    running.stop().await;
}

#[tokio::test]
async fn whatever_is_wrong_with_the_service_tells_nothing_and_takes_nothing_away() {
    let service = AzureMetadata::start("web_0").await;
    let mut running = start(hasty(&service));
    service.schedule(azure_event("A", "Reboot", &["web_0"], TIME));
    running.next().await;
    let wrong = [
        MetadataFault::Status(500),
        MetadataFault::Status(503),
        MetadataFault::Status(404),
        MetadataFault::Status(429),
        MetadataFault::Truncated,
        MetadataFault::Silent,
        MetadataFault::Body(b"{}".to_vec()),
        MetadataFault::Body(b"{\"Events\":{}}".to_vec()),
        MetadataFault::Body(b"<html>".to_vec()),
        MetadataFault::Body(vec![b' '; 2 * 1024 * 1024]),
    ];
    for (turn, fault) in wrong.into_iter().enumerate() {
        service.spoil(fault.clone());
        asks_on(&service).await;
        assert!(running.has_told_nothing(), "{fault:?}");
        service.mend();
        let id = format!("after-{turn}");
        service.schedule(azure_event(&id, "Preempt", &["web_0"], TIME));
        assert_eq!(
            names(&running.next().await),
            ("cloud.spot.interrupt", id.as_str(), State::Raised)
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn a_service_that_vanishes_is_found_again() {
    let service = AzureMetadata::start("web_0").await;
    service.spoil(MetadataFault::Gone);
    let mut running = start(settings(&service));
    is_looked_for(&service).await;
    service.schedule(azure_event("A", "Preempt", &["web_0"], TIME));
    service.mend();
    assert_eq!(
        running.next().await.occurrence,
        "a",
        "it was not there at the start"
    );
    service.spoil(MetadataFault::Gone);
    is_looked_for(&service).await;
    service.schedule(azure_event("B", "Preempt", &["web_0"], TIME));
    service.mend();
    assert_eq!(running.next().await.occurrence, "b");
    assert!(running.has_told_nothing());
    running.stop().await;
}

#[tokio::test]
async fn e1_a_source_that_starts_again_tells_the_same_happening() {
    let service = AzureMetadata::start("web_0").await;
    service.schedule(azure_event("A", "Redeploy", &["web_0"], TIME));
    let mut running = start(settings(&service));
    let first = running.next().await;
    running.stop().await;
    service.begin("A");
    let mut running = start(settings(&service));
    let second = running.next().await;
    assert_eq!(names(&first), names(&second));
    running.stop().await;
}

#[tokio::test]
async fn e1_what_ends_while_the_source_does_not_run_is_told_to_have_ended_after_its_start() {
    let service = AzureMetadata::start("web_0").await;
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("azure.json");
    let settings = || Settings {
        kept: Some(kept.clone()),
        ..settings(&service)
    };
    for (event_type, begins, state) in [
        ("Freeze", true, State::Cleared),
        ("Preempt", false, State::Cancelled),
    ] {
        let mut running = start(settings());
        service.schedule(azure_event(event_type, event_type, &["web_0"], TIME));
        let raised = running.next().await;
        if begins {
            service.begin(event_type);
        }
        is_kept(&kept, &format!(r#""is_started":{begins}"#)).await;
        running.stop().await;
        let mut running = start(settings());
        asks_on(&service).await;
        assert!(running.has_told_nothing(), "it stands, and the desk has it");
        running.stop().await;
        service.remove(event_type);
        let mut running = start(settings());
        let over = running.next().await;
        assert_eq!((over.state, &over.occurrence), (state, &raised.occurrence));
        is_kept(&kept, r#""known":[]"#).await;
        running.stop().await;
        let mut running = start(settings());
        asks_on(&service).await;
        assert!(running.has_told_nothing(), "an end is told once");
        running.stop().await;
    }
}

#[tokio::test]
async fn e1_what_another_machine_was_told_is_no_word_about_this_one() {
    let service = AzureMetadata::start("web_0").await;
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("azure.json");
    let settings = |service| Settings {
        kept: Some(kept.clone()),
        ..settings(service)
    };
    let mut running = start(settings(&service));
    service.schedule(azure_event("A", "Freeze", &["web_0"], TIME));
    running.next().await;
    is_kept(&kept, "Freeze").await;
    running.stop().await;
    // From an image of that machine's disk.
    let other = AzureMetadata::start("web_1").await;
    let mut running = start(settings(&other));
    asks_on(&other).await;
    assert!(running.has_told_nothing());
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_approved_unless_it_is_asked_for() {
    let service = AzureMetadata::start("web_0").await;
    let mut running = start(settings(&service));
    service.schedule(azure_event("A", "Reboot", &["web_0"], TIME));
    running.next().await;
    asks_on(&service).await;
    assert_eq!(of(&service, "POST", EVENTS), []);
    running.stop().await;
}

#[tokio::test]
async fn an_event_is_approved_once_when_it_was_asked_for_and_only_after_its_time() {
    let service = AzureMetadata::start("web_0").await;
    let hand = Clocks::manual();
    let mut settings = settings(&service);
    settings.approve_after = Some(Duration::from_secs(60));
    let mut running = start_with(settings, hand.clocks());
    service.schedule(azure_event("A1", "Reboot", &["web_0", "web_1"], TIME));
    service.schedule(azure_event("B1", "Reboot", &["web_1"], TIME));
    running.next().await;
    hand.advance(Duration::from_secs(59));
    asks_on(&service).await;
    assert_eq!(of(&service, "POST", EVENTS), [], "handlers have a minute");
    hand.advance(Duration::from_secs(1));
    wait_until(LIMIT, "the event is approved", async || {
        !of(&service, "POST", EVENTS).is_empty()
    })
    .await;
    asks_on(&service).await;
    let approvals = of(&service, "POST", EVENTS);
    assert_eq!(approvals.len(), 1);
    assert_eq!(approvals[0].body, r#"{"StartRequests":[{"EventId":"A1"}]}"#);
    service.begin("A1");
    asks_on(&service).await;
    assert!(running.has_told_nothing(), "that it begins is no news");
    running.stop().await;
}
