//! Hearing without a client: what its events and its state mean to a connection that ends, and to one that goes on.

use super::*;
use crate::Role;

fn hearing(on_denial: OnDenial) -> Arc<Hearing> {
    let config = BusConfig {
        servers: String::new(),
        credentials: None,
        role: Role::Host,
        name: "h1".to_owned(),
        service: "test".to_owned(),
        connect_timeout: Duration::ZERO,
        on_denial,
    };
    Heard::new(&config, BusStatus::Connected).0
}

fn turned_away() -> Event {
    Event::ClientError(ClientError::Other(
        ConnectErrorKind::AuthorizationViolation.to_string(),
    ))
}

fn says(what: &str) -> Event {
    Event::ServerError(ServerError::Other(format!("Permissions Violation for {what}")))
}

#[test]
fn a_loss_that_no_event_told_of_is_found_and_counted_once() {
    let hearing = hearing(OnDenial::End);
    for _ in 0..3 {
        hearing.agree_with(&State::Disconnected);
    }
    assert_eq!(*hearing.status.borrow(), BusStatus::Disconnected);
    assert_eq!(*hearing.losses.borrow(), 1);
    hearing.agree_with(&State::Connected);
    assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
}

#[test]
fn what_is_fatal_stays_so_whatever_the_connection_does() {
    let hearing = hearing(OnDenial::End);
    hearing.take(turned_away());
    hearing.agree_with(&State::Connected);
    hearing.take(Event::Connected);
    assert!(matches!(*hearing.status.borrow(), BusStatus::Fatal(_)));
}

#[test]
fn i5_a_question_to_a_plugin_that_was_not_granted_is_denied_and_ends_nobody() {
    let hearing = hearing(OnDenial::End);
    let subject = "snooze.v1.fleet.plugin.llm.check_idle";
    hearing.take(says(&format!("Publish to \"{subject}\"")));
    assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
    assert!(hearing.denials.borrow().of_publishing(subject).is_some());
    hearing.take(says("Publish to \"snooze.v1.host.other.verdict\""));
    assert!(matches!(*hearing.status.borrow(), BusStatus::Fatal(_)));
}

#[test]
fn a_server_that_is_only_away_is_not_fatal() {
    let hearing = hearing(OnDenial::End);
    for kind in [
        ConnectErrorKind::Io,
        ConnectErrorKind::TimedOut,
        ConnectErrorKind::Dns,
    ] {
        hearing.take(Event::ClientError(ClientError::Other(kind.to_string())));
    }
    assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
}

#[test]
fn e7_who_goes_on_takes_a_server_that_refuses_it_for_one_that_is_away() {
    let hearing = hearing(OnDenial::GoOn);
    hearing.take(Event::Disconnected);
    hearing.take(turned_away());
    assert_eq!(*hearing.status.borrow(), BusStatus::Disconnected);
    assert!(hearing.pause_after_refusal().is_some());
    hearing.take(Event::Connected);
    assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
    assert_eq!(hearing.pause_after_refusal(), None);
}

#[test]
fn e7_who_goes_on_is_connected_also_where_a_subject_is_denied() {
    let hearing = hearing(OnDenial::GoOn);
    let subject = "snooze.v1.host.h1.hello";
    hearing.take(says(&format!("Publish to \"{subject}\"")));
    assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
    assert!(hearing.patience().is_denied());
    assert!(hearing.denials.borrow().of_publishing(subject).is_some());
    hearing.take(Event::Disconnected);
    hearing.take(Event::Connected);
    assert!(hearing.denials.borrow().of_publishing(subject).is_none());
}

#[test]
fn e7_a_connection_that_hears_no_answers_is_none_until_it_is_made_anew() {
    let hearing = hearing(OnDenial::GoOn);
    hearing.take(says("Subscription to \"_INBOX_host.h1.x.*\""));
    hearing.agree_with(&State::Connected);
    assert_eq!(*hearing.status.borrow(), BusStatus::Disconnected);
    hearing.take(Event::Disconnected);
    hearing.take(Event::Connected);
    assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
}
