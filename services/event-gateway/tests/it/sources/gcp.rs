//! Compute Engine's metadata server, against one that answers as it is documented.

use super::{LIMIT, Running};
use snooze_event_gateway::{
    happening::{Happening, State},
    source::gcp::{InThisBoot, Settings, watch},
};
use snooze_service_runtime::Clocks;
use snooze_test_harness::{GcpMetadata, MetadataFault, MetadataQuestion, wait_until};
use std::{fs, time::Duration};

/// Short, for servers that do not answer.
const HASTE: Duration = Duration::from_millis(200);
const PREEMPTED: &str = "/computeMetadata/v1/instance/preempted";
const MAINTENANCE: &str = "/computeMetadata/v1/instance/maintenance-event";

fn start(server: &GcpMetadata) -> Running {
    start_with(server, LIMIT)
}

fn start_with(server: &GcpMetadata, grace: Duration) -> Running {
    start_keeping(server, grace, None)
}

fn start_keeping(server: &GcpMetadata, grace: Duration, kept: Option<InThisBoot>) -> Running {
    let settings = Settings {
        endpoint: server.url(),
        wait: Duration::from_secs(1),
        grace,
        pace: Duration::from_millis(20),
        kept,
    };
    let clocks = Clocks::manual().clocks();
    Running::start(|notices, shutdown| watch(settings, clocks, notices, shutdown))
}

fn about(server: &GcpMetadata, path: &str) -> Vec<MetadataQuestion> {
    let mut questions = server.questions();
    questions.retain(|question| question.path == path);
    questions
}

/// Waits until what was answered before has been taken: each value is asked for again, and again.
async fn asks_on(server: &GcpMetadata) {
    for path in [PREEMPTED, MAINTENANCE] {
        let wanted = about(server, path).len() + 2;
        wait_until(LIMIT, "the source asks on", async || {
            about(server, path).len() >= wanted
        })
        .await;
    }
}

/// Waits until each value is waited for at the server, by a question that knows the last answer.
async fn waits(server: &GcpMetadata) {
    for path in [PREEMPTED, MAINTENANCE] {
        wait_until(LIMIT, "the source waits for a change", async || {
            let questions = about(server, path);
            questions.last().and_then(|last| last.parameter("last_etag")) > Some("0")
        })
        .await;
    }
}

fn names(told: &Happening) -> (&str, State) {
    (told.event_type.as_str(), told.state)
}

#[tokio::test]
async fn a_preemption_is_told_once_and_the_source_waits_at_the_server_for_it() {
    let server = GcpMetadata::start().await;
    let mut running = start(&server);
    waits(&server).await;
    let before = server.questions().len();
    server.set_preempted("TRUE");
    let told = running.next().await;
    assert_eq!(names(&told), ("cloud.spot.interrupt", State::Raised));
    assert_eq!(told.occurrence, "", "there is one in a launch");
    // Thirty seconds after it was noticed, at the start of 2030.
    assert_eq!(
        told.deadline,
        Some("2030-01-01T00:00:30Z".parse().expect("a time"))
    );
    asks_on(&server).await;
    assert!(running.has_told_nothing());
    let questions = server.questions();
    // 20 ms apart they would be a hundred.
    assert!(questions.len() < before + 12, "{}", questions.len());
    for question in &questions {
        assert_eq!(question.header("metadata-flavor"), Some("Google"));
        assert_eq!(question.parameter("wait_for_change"), Some("true"));
        assert_eq!(question.parameter("timeout_sec"), Some("1"));
    }
    assert_eq!(server.connections(), 2, "one for each value");
    running.stop().await;
}

#[tokio::test]
async fn maintenance_begins_and_ends_and_each_migration_is_one_happening() {
    let server = GcpMetadata::start().await;
    let mut running = start(&server);
    let mut seen = Vec::new();
    for _ in 0..2 {
        server.set_maintenance("MIGRATE_ON_HOST_MAINTENANCE");
        let begins = running.next().await;
        assert_eq!(names(&begins), ("cloud.instance.maintenance", State::Raised));
        assert_eq!(
            begins.deadline,
            Some("2030-01-01T00:01:00Z".parse().expect("a time"))
        );
        server.set_maintenance("NONE");
        let ends = running.next().await;
        assert_eq!(names(&ends), ("cloud.instance.maintenance", State::Cleared));
        assert_eq!(ends.occurrence, begins.occurrence);
        seen.push(begins.occurrence);
    }
    assert_ne!(seen[0], seen[1]);
    server.set_maintenance("TERMINATE_ON_HOST_MAINTENANCE");
    assert_eq!(
        names(&running.next().await),
        ("cloud.instance.termination", State::Raised)
    );
    server.set_maintenance("NONE");
    assert_eq!(
        names(&running.next().await),
        ("cloud.instance.termination", State::Cancelled)
    );
    running.stop().await;
}

#[tokio::test]
async fn whatever_is_wrong_with_the_server_tells_nothing_and_takes_nothing_away() {
    let server = GcpMetadata::start().await;
    let mut running = start_with(&server, HASTE);
    server.set_maintenance("MIGRATE_ON_HOST_MAINTENANCE");
    running.next().await;
    let wrong = [
        MetadataFault::Status(503),
        MetadataFault::Status(500),
        MetadataFault::Status(404),
        MetadataFault::Truncated,
        MetadataFault::Silent,
        MetadataFault::Body(b"MAYBE".to_vec()),
        MetadataFault::Body(Vec::new()),
        MetadataFault::Body(vec![b'T'; 2 * 1024 * 1024]),
    ];
    for fault in wrong {
        waits(&server).await;
        // What is waited for now goes wrong as well.
        server.spoil(fault.clone());
        asks_on(&server).await;
        assert!(running.has_told_nothing(), "{fault:?}");
        server.mend();
        server.set_preempted("TRUE");
        assert_eq!(
            names(&running.next().await),
            ("cloud.spot.interrupt", State::Raised),
            "{fault:?}"
        );
        server.set_preempted("FALSE");
        assert_eq!(
            names(&running.next().await),
            ("cloud.spot.interrupt", State::Cancelled)
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_soon_after_its_time_and_asked_over_a_new_connection() {
    let server = GcpMetadata::start().await;
    let mut running = start_with(&server, HASTE);
    waits(&server).await;
    let wanted = server.connections() + 2;
    server.spoil(MetadataFault::Silent);
    wait_until(
        LIMIT,
        "each value is asked for over a new connection",
        async || server.connections() >= wanted,
    )
    .await;
    server.mend();
    server.set_preempted("TRUE");
    assert_eq!(
        names(&running.next().await),
        ("cloud.spot.interrupt", State::Raised)
    );
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_vanishes_is_found_again_and_what_changed_meanwhile_is_told() {
    let server = GcpMetadata::start().await;
    let mut running = start(&server);
    waits(&server).await;
    server.spoil(MetadataFault::Gone);
    let wanted = server.connections() + 4;
    wait_until(LIMIT, "the source looks for the server", async || {
        server.connections() >= wanted
    })
    .await;
    server.set_preempted("TRUE");
    server.mend();
    assert_eq!(
        names(&running.next().await),
        ("cloud.spot.interrupt", State::Raised)
    );
    running.stop().await;
}

#[tokio::test]
async fn an_answer_of_another_flavor_is_not_believed() {
    let server = GcpMetadata::start().await;
    server.set_flavor("Yandex");
    server.set_preempted("TRUE");
    let mut running = start(&server);
    asks_on(&server).await;
    assert!(running.has_told_nothing());
    server.set_flavor("Google");
    assert_eq!(
        names(&running.next().await),
        ("cloud.spot.interrupt", State::Raised)
    );
    running.stop().await;
}

#[tokio::test]
async fn e1_a_source_that_starts_again_tells_the_same_happening() {
    let server = GcpMetadata::start().await;
    for (preempted, maintenance) in [("TRUE", "NONE"), ("FALSE", "TERMINATE_ON_HOST_MAINTENANCE")] {
        server.set_preempted(preempted);
        server.set_maintenance(maintenance);
        let mut first = start(&server);
        let told = first.next().await;
        first.stop().await;
        let mut second = start(&server);
        let again = second.next().await;
        second.stop().await;
        assert_eq!(
            (names(&told), &told.occurrence),
            (names(&again), &again.occurrence)
        );
    }
}

#[tokio::test]
async fn e1_a_migration_that_ends_while_the_source_does_not_run_is_told_to_have_ended_and_the_next_is_another()
 {
    let server = GcpMetadata::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let in_boot = |boot_id: &str| {
        let kept = InThisBoot {
            folder: folder.path().to_owned(),
            boot_id: boot_id.to_owned(),
        };
        start_keeping(&server, LIMIT, Some(kept))
    };
    let is_kept = async |words: &str| {
        wait_until(LIMIT, "it is kept, and the desk has it", async || {
            let text = fs::read_to_string(folder.path().join("gcp-maintenance.json"));
            text.is_ok_and(|text| text.contains(words) && text.contains(r#""untold":[]"#))
        })
        .await;
    };
    let mut running = in_boot("a boot");
    server.set_maintenance("MIGRATE_ON_HOST_MAINTENANCE");
    let first = running.next().await;
    is_kept("migration").await;
    running.stop().await;
    server.set_maintenance("NONE");
    let mut running = in_boot("a boot");
    let over = running.next().await;
    assert_eq!(
        (over.state, &over.occurrence),
        (State::Cleared, &first.occurrence)
    );
    is_kept(r#""current":null"#).await;
    running.stop().await;
    let mut running = in_boot("a boot");
    server.set_maintenance("MIGRATE_ON_HOST_MAINTENANCE");
    let second = running.next().await;
    assert_eq!(second.state, State::Raised);
    assert_ne!(
        second.occurrence, first.occurrence,
        "the server gives it the first one's ETag"
    );
    is_kept("migration").await;
    running.stop().await;
    // What was announced in another boot is over with it.
    server.set_maintenance("NONE");
    let mut running = in_boot("another boot");
    asks_on(&server).await;
    assert!(running.has_told_nothing());
    running.stop().await;
}
