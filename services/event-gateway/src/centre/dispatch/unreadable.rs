//! What is filed as an event and cannot be read as one: it ends in DEAD, with the reason and what it said.

use super::{Desk, settle::pause};
use snooze_bus::{Subject, UnreadableEvent};
use snooze_schemas::{
    ErrorCode,
    event::{Event, Scope},
};
use snooze_service_runtime::exit::one_line;

/// How many times an event of a later version is left to others, some ten minutes: while gateways are being
/// replaced one of them can read it.
const TRIES_OF_A_LATER_VERSION: u64 = 30;

/// Accounts for one; what fails is tried again.
pub(super) async fn end(desk: &Desk, unreadable: UnreadableEvent) {
    let deliveries = unreadable.deliveries();
    let is_later = unreadable.refusal.code == ErrorCode::UnknownVersion;
    let said = if is_later && deliveries <= TRIES_OF_A_LATER_VERSION {
        unreadable.retry_after(pause(deliveries)).await
    } else {
        let event = stand_in(desk, &unreadable);
        let reason = format!("it cannot be read: {}", unreadable.refusal.message);
        match desk.dead.file(event.host.clone(), &event, &reason).await {
            Ok(()) => unreadable.ack().await,
            Err(error) => {
                let why = one_line(&error);
                tracing::warn!(
                    why,
                    "an event that cannot be read could not be filed and comes again"
                );
                unreadable.retry_after(pause(deliveries)).await
            }
        }
    };
    if let Err(error) = said {
        tracing::warn!(%error, "an event's ack was not sent; it comes again");
    }
}

/// What is known of it: its subject, where that is one of ours, and the beginning of what it said.
fn stand_in(desk: &Desk, unreadable: &UnreadableEvent) -> Event {
    let (host, id, event_type) = match unreadable.subject.clone() {
        Some(Subject::Event {
            scope,
            id,
            event_type,
            ..
        }) => (scope, id, event_type),
        _ => {
            let (severity, sequence) = (u8::from(unreadable.severity), unreadable.sequence());
            let id = format!("unreadable-{severity}-{sequence}");
            (
                Scope::Fleet,
                id.parse().expect("letters, digits and dashes, 33 at most"),
                "unreadable".parse().expect("a word is a type"),
            )
        }
    };
    let said = [
        ("filed_under", unreadable.filed_under.clone().into()),
        ("bytes", unreadable.bytes.into()),
        ("body", unreadable.excerpt.clone().into()),
    ];
    Event {
        id,
        event_type,
        severity: unreadable.severity,
        source: "unreadable".to_owned(),
        host,
        happened_at: None,
        noticed_at: desk.dead.clocks.wall(),
        deadline: None,
        data: said
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    }
}
