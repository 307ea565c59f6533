//! What becomes of one event at one host: accepted and noted, parked, or ended in DEAD.
//!
//! A host that is there and does not take it now, or does not answer, has it parked as well as one that is away: an
//! event that is tried again and again stays in its lane, and so many are the end of it for all other hosts (E3).

use super::{Desk, waiting::Time};
use crate::centre::offer::NO_ANSWER;
use crate::centre::{
    notes::{NoteError, Noted, noted},
    offer::Offer,
    places::{NO_PLACE, Place},
};
use snooze_schemas::{
    HostId,
    event::{Event, OpenEvent, OpenState, Scope, Severity},
};
use snooze_service_runtime::exit::one_line;
use std::{sync::Arc, time::Duration};

/// Offers an event to one host and accounts for the answer. Where as many of the host's are open as may be, nobody is
/// asked, and it ends.
///
/// # Errors
/// When it cannot be accounted for now, in one line; it has to be tried again.
pub(super) async fn settle(desk: &Desk, event: &Arc<Event>, host: HostId, time: Time) -> Result<(), String> {
    let Some(place) = desk.places.enter(event) else {
        // Its data stands in its stream; so many with theirs would push everybody else's out of DEAD.
        let event = Event {
            data: serde_json::Map::new(),
            ..Event::clone(event)
        };
        return end(desk, &Arc::new(event), host, NO_PLACE).await;
    };
    if !desk.notes.has_room(event.severity) {
        return Err("the bucket of open events has too little room for one of this severity".to_owned());
    }
    let is_long_over = time.is_over(desk.patience) && time.waited >= desk.busy_patience;
    match desk.offers.promptly(event, &host, time.left).await {
        Offer::Accepted => note((desk, &place), event, host, time, OpenState::Accepted).await,
        Offer::Refused(why) => end(desk, event, host, &format!("the runner refused it: {why}")).await,
        Offer::TooLate => end(desk, event, host, "its deadline passed before the host took it").await,
        Offer::Away if time.is_over(desk.patience) => {
            let reason = match time.left {
                Some(_) => "its deadline passed before the host could be reached",
                None => "its host is not on the bus",
            };
            end(desk, event, host, reason).await
        }
        // One that answers is there, and is given a while of its own, however long others have waited.
        Offer::Busy(why) if is_long_over => {
            let reason = format!("the runner did not take it in time: {why}");
            end(desk, event, host, &reason).await
        }
        Offer::Silent if is_long_over => end(desk, event, host, NO_ANSWER).await,
        Offer::Away => park((desk, &place), event, host, time).await,
        Offer::Busy(_) | Offer::Silent => {
            note((desk, &place), event, host.clone(), time, OpenState::Parked).await?;
            desk.there.tell(host);
            Ok(())
        }
        Offer::NotAsked(why) => Err(why),
    }
}

/// Notes an event for a host that is away, and offers it once more: the host may have come back, and said so,
/// before there was a note.
async fn park(
    (desk, place): (&Desk, &Place),
    event: &Arc<Event>,
    host: HostId,
    time: Time,
) -> Result<(), String> {
    note((desk, place), event, host.clone(), time, OpenState::Parked).await?;
    match desk.offers.promptly(event, &host, time.left).await {
        Offer::Accepted => note((desk, place), event, host, time, OpenState::Accepted).await,
        Offer::Busy(_) | Offer::Silent => {
            desk.there.tell(host);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Notes what an event waits for from now on.
async fn note(
    (desk, place): (&Desk, &Place),
    event: &Arc<Event>,
    host: HostId,
    time: Time,
    state: OpenState,
) -> Result<(), String> {
    let wait = match state {
        OpenState::Parked => time.left.unwrap_or(desk.patience.saturating_sub(time.waited)),
        _ => time.left.unwrap_or(desk.patience) + desk.report_grace,
    };
    let open = OpenEvent {
        event: Event::clone(event),
        host: host.clone(),
        state,
        sweep_after_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        is_ending: false,
    };
    match desk.notes.note(open).await {
        Ok(()) => {
            place.keep();
            Ok(())
        }
        Err(error @ NoteError::OtherEvent(_)) => end(desk, event, host, &error.to_string()).await,
        Err(error) => Err(one_line(&error)),
    }
}

/// Ends an event in DEAD, unless it turns out to be accounted for: its ack may have been lost after it was
/// accepted, and then it is no failure that nobody takes it now.
async fn end(desk: &Desk, event: &Arc<Event>, host: HostId, reason: &str) -> Result<(), String> {
    let found = noted(&desk.dead.bus, &host, event).await;
    if let Noted::ThisEvent(_) = found.map_err(|error| one_line(&error))? {
        return Ok(());
    }
    let filed = desk.dead.file(Scope::Host(host), event, reason).await;
    filed.map_err(|error| one_line(&error))
}

/// The shortest pause before an event is tried again.
const SHORTEST: Duration = Duration::from_millis(125);

/// The pause before the next try: short at first, since most failures are over in a moment.
pub(super) fn pause(deliveries: u64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(20);
    let doublings = u32::try_from(deliveries.min(8)).expect("at most 8");
    (SHORTEST * 2u32.pow(doublings)).min(LONGEST)
}

/// The pause before an event is tried again: an urgent one does not wait for long, and none for more than a part of the
/// time that it has left.
pub(super) fn pause_of(severity: Severity, left: Option<Duration>, deliveries: u64) -> Duration {
    let longest = match severity {
        Severity::Critical | Severity::Urgent => Duration::from_secs(1),
        Severity::Warning | Severity::Info => Duration::MAX,
    };
    let part = left.filter(|left| !left.is_zero()).map(|left| left / 4);
    let pause = pause(deliveries).min(longest);
    part.map_or(pause, |part| pause.min(part).max(SHORTEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_and_is_bounded() {
        assert_eq!(pause(1), Duration::from_millis(250));
        assert_eq!(pause(u64::MAX), Duration::from_secs(20));
    }

    #[test]
    fn e3_an_urgent_event_is_tried_again_within_a_second_and_any_in_its_time() {
        let seconds = Duration::from_secs;
        for severity in Severity::DESCENDING {
            let is_urgent = severity >= Severity::Urgent;
            let longest = if is_urgent { seconds(1) } else { seconds(20) };
            assert_eq!(pause_of(severity, None, u64::MAX), longest);
            assert_eq!(pause_of(severity, Some(seconds(600)), u64::MAX), longest);
            assert_eq!(pause_of(severity, Some(seconds(2)), u64::MAX), seconds(2) / 4);
            assert_eq!(
                pause_of(severity, Some(Duration::from_nanos(1)), u64::MAX),
                SHORTEST
            );
            // Over is over: it is only offered once more.
            assert_eq!(pause_of(severity, Some(Duration::ZERO), u64::MAX), longest);
        }
    }
}
