//! Ending an event that is noted: in DEAD with the reason, by one gateway alone, and its note removed.

use super::{
    dead::{DeadError, DeadEvents},
    outcomes,
    whole::whole,
};
use snooze_bus::{Bucket, BusError, Entry, Searched, WriteError};
use snooze_schemas::event::{OpenEvent, Scope};
use std::time::Duration;

/// Why one was not ended; it has to be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndError {
    /// Whether its outcome was reported, or what it was, is not known.
    #[error("look for an event and its outcome")]
    Look(#[source] BusError),
    /// The note could not be taken.
    #[error("take the note of an event")]
    Take(#[source] WriteError),
    /// It was not filed.
    #[error("end an event")]
    File(#[source] DeadError),
}

/// Ends one, if this gateway is the one that gets to: the note's revision says so. One that dies meanwhile is
/// followed by another after `grace`.
pub(crate) async fn end(
    dead: &DeadEvents,
    entry: Entry<OpenEvent>,
    grace: Duration,
    reason: &str,
) -> Result<(), EndError> {
    let bus = &dead.bus;
    let scope = Scope::Host(entry.value.host.clone());
    let reported = outcomes::reported(bus, &scope, &entry.value.event).await;
    if reported.map_err(EndError::Look)? == Searched::Found {
        outcomes::remove(bus, &entry.key, entry.revision).await;
        return Ok(());
    }
    let mine = OpenEvent {
        is_ending: true,
        sweep_after_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
        ..entry.value
    };
    let open = bus.bucket(Bucket::Open);
    let revision = match open.update(&entry.key, &mine, entry.revision).await {
        Ok(revision) => revision,
        Err(WriteError::Conflict { .. } | WriteError::Ambiguous { .. }) => return Ok(()),
        Err(error) => return Err(EndError::Take(error)),
    };
    // What cannot be had any more is ended as it is noted.
    let whole = whole(bus, &mine.event).await.map_err(EndError::Look)?;
    let event = whole.as_ref().map_or(&mine.event, |stored| &stored.message);
    let filed = dead.file(scope, event, reason).await;
    filed.map_err(EndError::File)?;
    outcomes::remove(bus, &entry.key, revision).await;
    Ok(())
}
