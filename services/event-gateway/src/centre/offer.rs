//! Offering one event to one host's runner.

use snooze_bus::{Bus, RequestError, RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, HostId,
    event::{Accepted, Event, HandleEvent},
};
use snooze_service_runtime::exit::one_line;
use std::{sync::Arc, time::Duration};

/// A runner journals and answers; it does not handle first.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// What became of an offer.
pub(crate) enum Offer {
    /// The runner has it in its journal.
    Accepted,
    /// It will never take it.
    Refused(String),
    /// Its deadline has passed on the host, and it was not accepted before.
    TooLate,
    /// The host is there and does not take it now, or did not say whether it did. Asked again it says.
    Busy(String),
    /// The host is not on the bus.
    Away,
    /// Nothing was asked: it is not the host's fault.
    NotAsked(String),
}

/// Asks a host's runner to take an event, and tells it how much time is left. One whose time is up is offered
/// all the same: the runner may have accepted it before, and then says so.
pub(crate) async fn offer(bus: &Bus, event: &Arc<Event>, host: &HostId, left: Option<Duration>) -> Offer {
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::HandleEvent,
    };
    let question = HandleEvent {
        event: Event::clone(event),
        left_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
    };
    let within = left
        .filter(|left| !left.is_zero())
        .map_or(ACCEPT_WITHIN, |left| left.min(ACCEPT_WITHIN));
    match bus.request::<_, Accepted>(&subject, &question, within).await {
        Ok(Accepted { accepted: true, .. }) => Offer::Accepted,
        Ok(_) => Offer::Refused("it did not accept".to_owned()),
        Err(RequestError::NoResponders { .. }) => Offer::Away,
        Err(RequestError::Refused { source, .. }) => match source.code {
            ErrorCode::BadRequest
            | ErrorCode::UnknownVersion
            | ErrorCode::Forbidden
            | ErrorCode::NotFound => Offer::Refused(source.message),
            ErrorCode::TooLate => Offer::TooLate,
            // The rest may be over at the next try.
            _ => Offer::Busy(source.message),
        },
        Err(RequestError::Bus(error)) => Offer::NotAsked(one_line(&error)),
        Err(error) => Offer::Busy(one_line(&error)),
    }
}
