//! The way into the streams: once, under the event's own id, when there is a broker.

use super::desk::Lanes;
use snooze_bus::{Bus, BusError, BusStatus, Expect, FileError, Subject};
use snooze_schemas::event::Event;
use snooze_service_runtime::exit::one_line;
use std::time::Duration;
use tokio::time::sleep;

/// How long the stream may take to acknowledge one.
const ACK: Duration = Duration::from_secs(5);
/// Before the next attempt, doubled each time: for a moment after its start a broker has no streams.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: what a stream refuses now it may take once an operator has made room.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How the filing of an event ended.
#[derive(Debug)]
pub(crate) enum Filed {
    /// It is in its stream, by this or by an earlier attempt.
    Yes,
    /// It never will be, for this reason.
    Never(String),
}

/// Files an event, however long that takes. Cancelling it leaves open whether it was filed: the same again tells.
pub(crate) async fn file(bus: &Bus, lanes: &Lanes, event: &Event) -> Filed {
    let subject = Subject::from(event);
    let (mut pause, mut told) = (FIRST_PAUSE, false);
    loop {
        connected(bus).await;
        let place = lanes.place(event.severity).await;
        let filed = bus.file(&subject, event, Expect::New, ACK).await;
        drop(place);
        let error = match filed {
            Ok(_) | Err(FileError::Exists { .. }) => return Filed::Yes,
            Err(error) => error,
        };
        if is_for_good(&error) {
            return Filed::Never(one_line(&error));
        }
        if !told {
            tracing::info!(event = %event.id, error = one_line(&error), "an event waits to be filed");
            told = true;
        }
        sleep(pause).await;
        pause = match &error {
            // It is waited for above.
            FileError::NotSent(BusError::Disconnected { .. }) | FileError::Ambiguous { .. } => FIRST_PAUSE,
            _ => (pause * 2).min(LONGEST_PAUSE),
        };
    }
}

/// Waits for a broker that lets this user in; for ever where the connection has ended. Cancelling it loses nothing.
pub(super) async fn connected(bus: &Bus) {
    let mut status = bus.status();
    let connected = status.wait_for(|status| *status == BusStatus::Connected).await;
    if connected.map(drop).is_err() {
        std::future::pending::<()>().await;
    }
}

fn is_for_good(error: &FileError) -> bool {
    matches!(
        error,
        FileError::TooLarge { .. } | FileError::NotSent(BusError::Encode { .. })
    )
}
