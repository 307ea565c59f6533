//! What says that the instance goes away, and that it does not.

use super::*;
use serde_json::json;

fn event(id: &str, event_type: &str, state: &str) -> Event {
    serde_json::from_value(json!({
        "id": id, "type": event_type, "severity": 3, "source": "aws.ec2.metadata-service", "host": "h1",
        "noticed_at": "2030-01-01T00:00:00Z", "data": {"state": state},
    }))
    .expect("an event")
}

fn cancelled(id: &str, event_type: &str, raised_as: &str) -> Event {
    let mut event = event(id, event_type, "cancelled");
    event.data.insert("raised_as".to_owned(), raised_as.into());
    event
}

#[test]
fn an_instance_that_the_cloud_takes_away_is_not_judged_until_it_stayed_after_all() {
    let mut book = Book::default();
    assert!(book.take(&event("e1", "cloud.spot.interrupt", "raised"), 120_000));
    assert!(
        book.why()
            .is_some_and(|why| why.contains("cloud.spot.interrupt e1"))
    );
    assert!(!book.forget(120_000 + 599_999));
    assert!(book.forget(120_000 + 600_000));
    assert_eq!(book.why(), None);
}

#[test]
fn an_instance_that_is_launched_is_not_taken_away() {
    let mut book = Book::default();
    let mut scales = event("e1", "cloud.autoscaling.scale", "raised");
    let transition = |to: &str| format!("autoscaling:EC2_INSTANCE_{to}").into();
    scales
        .data
        .insert("transition".to_owned(), transition("LAUNCHING"));
    assert!(!book.take(&scales, 120_000));
    assert_eq!(book.why(), None);
    scales
        .data
        .insert("transition".to_owned(), transition("TERMINATING"));
    assert!(book.take(&scales, 120_000));
}

#[test]
fn one_that_is_cancelled_is_judged_again_and_no_other_with_it() {
    let mut book = Book::default();
    for id in ["e1", "e2"] {
        book.take(&event(id, "cloud.spot.interrupt", "raised"), 120_000);
    }
    assert!(book.take(&cancelled("c1", "cloud.spot.interrupt", "e1"), 120_000));
    assert!(
        book.why().is_some_and(|why| why.contains("e2")),
        "the other still holds"
    );
    assert!(!book.take(&cancelled("c1", "cloud.spot.interrupt", "e1"), 120_000));
    assert!(
        !book.take(&event("c3", "cloud.spot.interrupt", "cancelled"), 120_000),
        "of what?"
    );
    assert!(book.take(&cancelled("c2", "cloud.spot.interrupt", "e2"), 120_000));
    assert_eq!(book.why(), None);
}

#[test]
fn what_was_taken_back_is_not_believed_in_whichever_order_it_comes() {
    let raised = event("e1", "cloud.spot.interrupt", "raised");
    let mut book = Book::default();
    assert!(book.take(&cancelled("c1", "cloud.spot.interrupt", "e1"), 120_000));
    assert!(!book.take(&raised, 120_000));
    assert_eq!(book.why(), None);
    // As after a restart, where what was not finished is taken in once more.
    let kept = serde_json::to_string(&book).expect("is written");
    let mut book: Book = serde_json::from_str(&kept).expect("is read");
    assert!(!book.take(&raised, 120_000));
    assert!(book.take(&event("e2", "cloud.spot.interrupt", "raised"), 120_000));
    assert!(book.why().is_some_and(|why| why.contains("e2")));
}

#[test]
fn what_is_handled_once_more_by_a_persons_will_says_nothing_about_the_instance() {
    let mut book = Book::default();
    let mut again = event("replay-1", "cloud.spot.interrupt", "raised");
    again.data.insert("replay_of".to_owned(), "e1".into());
    assert!(!book.take(&again, 120_000));
    assert_eq!(book.why(), None);
}

#[test]
fn what_says_nothing_about_it_changes_nothing() {
    let mut book = Book::default();
    for event_type in [
        "cloud.instance.maintenance",
        "system.disk.low",
        "custom.cloud.spot.interrupt",
    ] {
        assert!(!book.take(&event("e1", event_type, "raised"), 120_000));
    }
    assert_eq!(book, Book::default());
}

#[test]
fn it_is_bounded() {
    let mut book = Book::default();
    for number in 0..1_000 {
        book.take(&event(&format!("e{number}"), "cloud.spot.interrupt", "raised"), 1);
    }
    assert_eq!(book.events.len(), AT_MOST);
    for number in 0..1_000 {
        let raised = format!("e{number}");
        book.take(
            &cancelled(&format!("c{number}"), "cloud.spot.interrupt", &raised),
            1,
        );
    }
    assert_eq!((book.events.len(), book.taken_back.len()), (0, AT_MOST));
}
