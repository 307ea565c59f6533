//! Offering one event to one host's runner.

use snooze_bus::{Bus, RequestError, RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, HostId,
    event::{Accepted, Event, HandleEvent},
};
use std::time::Duration;

/// A runner journals and answers; it does not handle first.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// What became of an offer.
pub(super) enum Offer {
    /// The runner of this host has it in its journal.
    Accepted(HostId),
    /// It will never take it.
    Refused(String),
    /// It did not say; it may have it or not. Asked again it says.
    Away(String),
}

/// Asks a host's runner to take an event, and tells it how much time is left.
pub(super) async fn offer(bus: &Bus, event: &Event, host: &HostId, left: Option<Duration>) -> Offer {
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::HandleEvent,
    };
    let question = HandleEvent {
        event: event.clone(),
        left_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
    };
    let within = left.map_or(ACCEPT_WITHIN, |left| left.min(ACCEPT_WITHIN));
    match bus.request::<_, Accepted>(&subject, &question, within).await {
        Ok(Accepted { accepted: true, .. }) => Offer::Accepted(host.clone()),
        Ok(_) => Offer::Refused("it did not accept".to_owned()),
        Err(RequestError::NoResponders { .. }) => Offer::Away("its host is not on the bus".to_owned()),
        Err(RequestError::Refused { source, .. }) => match source.code {
            ErrorCode::BadRequest
            | ErrorCode::UnknownVersion
            | ErrorCode::Forbidden
            | ErrorCode::NotFound => Offer::Refused(source.message),
            // The rest may be over at the next try.
            _ => Offer::Away(source.message),
        },
        Err(error) => Offer::Away(snooze_service_runtime::exit::one_line(&error)),
    }
}
