//! A story as it is told.

use super::*;
use serde_json::json;

fn story(endings: &serde_json::Value) -> Story {
    let event = json!({
        "id": "cloud-spot-interrupt-1", "type": "cloud.spot.interrupt", "severity": 3,
        "source": "aws.ec2.metadata-service", "host": "h1", "noticed_at": "2030-01-01T00:00:00Z",
        "deadline": "2030-01-01T00:02:00Z", "data": {"action": "terminate"},
    });
    let outcome: EventOutcome = serde_json::from_value(json!({
        "id": "cloud-spot-interrupt-1", "type": "cloud.spot.interrupt",
        "accepted_at": "2030-01-01T00:00:00.100Z", "handlers": endings,
    }))
    .expect("an outcome");
    Story {
        event: serde_json::from_value(event).expect("an event"),
        stream: "EVENTS_URGENT".to_owned(),
        sequence: 7,
        filed_at: "2030-01-01T00:00:00.050Z".parse().expect("a time"),
        waits: None,
        progress: None,
        endings: vec![Ending {
            host: Scope::Host("h1".parse().expect("a host")),
            at: "2030-01-01T00:00:03Z".parse().expect("a time"),
            how: How::Reported(outcome),
        }],
    }
}

#[test]
fn the_story_has_every_step_in_order_and_what_time_was_left() {
    let story = story(&json!([
        {"plugin": "save", "handled": true, "succeeded": true, "message": "saved", "took_ms": 400,
         "started_at": "2030-01-01T00:00:00.200Z", "left_ms": 119_800, "within_ms": 59_900},
        {"plugin": "tell", "handled": false, "succeeded": false, "message": "it did not answer",
         "took_ms": 1000, "started_at": "2030-01-01T00:00:00.300Z", "left_ms": 119_700},
    ]));
    let lines = told(&story);
    let steps: Vec<&str> = lines
        .iter()
        .skip_while(|line| !line.is_empty())
        .skip(1)
        .map(|line| &line[11..])
        .collect();
    assert_eq!(
        steps,
        [
            "00:00:00.000  noticed",
            "00:00:00.050  filed: EVENTS_URGENT 7",
            "00:00:00.100  h1: accepted, it is in the host's journal",
            "00:00:00.200  h1: save was asked, it had 59 s of the 1 m 59 s that were left",
            "00:00:00.300  h1: tell was asked, 1 m 59 s were left",
            "00:00:00.600  h1: save handled it in 400 ms: saved",
            "00:00:01.300  h1: tell failed in 1000 ms: it did not answer",
            "00:00:03.000  h1: reported, handled by 1 of 2 plugins, failed: tell",
        ]
    );
}

#[test]
fn one_that_was_interrupted_is_not_said_to_have_failed_or_not_to_have_been_asked() {
    let story = story(&json!([
        {"plugin": "gave-way", "handled": false, "succeeded": false, "interrupted": true, "took_ms": 400,
         "message": "interrupted: it was ended while it was at work, because the critical event e2 waited for it",
         "started_at": "2030-01-01T00:00:00.200Z", "asked_again": 2},
        {"plugin": "restarted", "handled": false, "succeeded": false, "interrupted": true, "took_ms": 0,
         "message": "interrupted: it was started before a restart and did not end"},
        {"plugin": "changed", "handled": false, "succeeded": false, "took_ms": 0,
         "message": "it is not run: its files are others than were approved"},
    ]));
    let told = told(&story);
    for line in [
        "h1: gave-way was asked; its process ended over it, and it was asked 2 times more",
        "h1: gave-way was interrupted after 400 ms: it was ended while it was at work, because the critical event e2 \
         waited for it",
        "h1: restarted was interrupted: it was started before a restart and did not end",
        "h1: changed was not asked: it is not run: its files are others than were approved",
    ] {
        assert!(
            told.iter().any(|told| told.ends_with(line)),
            "{line:?} in {told:#?}"
        );
    }
}

#[test]
fn what_was_filed_after_it_was_handled_is_told_in_that_order_and_with_its_own_time() {
    let mut story = story(&json!([
        {"plugin": "save", "handled": true, "succeeded": true, "message": "saved", "took_ms": 400,
         "started_at": "2030-01-01T00:00:00.200Z", "left_ms": 800, "within_ms": 400},
    ]));
    story.filed_at = "2030-01-01T00:00:09Z".parse().expect("a time");
    story.event.happened_at = Some("2029-12-31T23:59:00Z".parse().expect("a time"));
    let told = told(&story);
    let at = |part: &str| {
        let found = told.iter().position(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("{part:?} in {told:#?}"))
    };
    let order = [
        "happened, by",
        ".000  noticed",
        "it had 400 ms of the 800 ms",
        "reported",
        "filed",
    ]
    .map(at);
    assert!(order.is_sorted(), "{told:#?}");
}

#[test]
fn what_is_not_over_says_what_it_waits_for() {
    let mut story = story(&json!([]));
    assert_eq!(outcome(&story), "no plugin handles it");
    story.endings.clear();
    story.waits = Some(Waits::Host);
    assert_eq!(
        outcome(&story),
        "waits for its host, which is away or takes no more just now"
    );
    assert!(told(&story).last().is_some_and(|line| line.contains("away")));
}

#[test]
fn what_is_being_handled_says_who_was_asked_who_has_answered_and_who_is_at_work() {
    let mut story = story(&json!([]));
    story.endings.clear();
    story.waits = Some(Waits::Outcome);
    let progress = serde_json::from_value(json!({
        "accepted_at": "2030-01-01T00:00:00.100Z",
        "at_work": [
            {"plugin": "drain",
             "begun": {"started_at": "2030-01-01T00:00:01.300Z", "left_ms": 118_000, "within_ms": 59_000}},
            {"plugin": "of-before"},
        ],
        "ended": [
            {"plugin": "save", "handled": true, "succeeded": true, "message": "saved", "took_ms": 400,
             "started_at": "2030-01-01T00:00:00.200Z", "left_ms": 119_800, "within_ms": 59_900},
        ],
    }))
    .expect("a progress");
    let host: HostId = "h1".parse().expect("a host");
    let said = Said::Progress(progress);
    let host_says = |said| {
        Some(Progress {
            host: host.clone(),
            said,
        })
    };
    story.progress = host_says(said);
    let lines = told(&story);
    let steps: Vec<&str> = lines[lines.len() - 6..].iter().map(|line| &line[11..]).collect();
    assert_eq!(
        steps,
        [
            "00:00:00.100  h1: accepted, it is in the host's journal",
            "00:00:00.200  h1: save was asked, it had 59 s of the 1 m 59 s that were left",
            "00:00:00.600  h1: save handled it in 400 ms: saved",
            "00:00:01.300  h1: drain was asked, it had 59 s of the 1 m 58 s that were left",
            "              h1: of-before was asked",
            "              is being handled: drain, of-before are at work on it",
        ]
    );
    story.progress = host_says(Said::Silent("no runner answers".to_owned()));
    let last = told(&story).pop().expect("a line");
    assert!(
        last.ends_with("is being handled; by whom is not known: no runner answers"),
        "{last}"
    );
}

#[test]
fn an_event_that_no_stream_has_is_told_as_far_as_it_was_reported() {
    let story = story(&json!([
        {"plugin": "save", "handled": true, "succeeded": true, "took_ms": 400,
         "started_at": "2030-01-01T00:00:00.200Z"},
    ]));
    let lines = told_without(&story.event.id, &story.endings);
    assert_eq!(lines[0], "cloud.spot.interrupt  cloud-spot-interrupt-1");
    assert!(lines[1].contains("in no stream"), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with("h1: save handled it in 400 ms")),
        "{lines:?}"
    );
}

#[test]
fn text_from_elsewhere_cannot_steer_the_terminal() {
    let mut story = story(&json!([
        {"plugin": "bad", "handled": true, "succeeded": true, "message": "a\u{1b}[2Jb\nc", "took_ms": 1,
         "started_at": "2030-01-01T00:00:00.200Z"},
    ]));
    story.event.source = "x\u{1b}]0;y".to_owned();
    assert!(told(&story).iter().all(|line| !line.contains(['\u{1b}', '\n'])));
}
