//! The event of a note, whole: its data stands in its stream alone.

use snooze_bus::{Bus, BusError, Stored, Stream, Subject};
use snooze_schemas::event::Event;

/// The event as it was filed, and in which trace; none where its stream has forgotten it, or has another under its
/// subject.
pub(crate) async fn whole(bus: &Bus, noted: &Event) -> Result<Option<Stored<Event>>, BusError> {
    let subject = Subject::from(noted);
    let stored = match bus
        .last::<Event>(Stream::of_events(noted.severity), &subject)
        .await
    {
        Err(BusError::Decode { .. }) => None,
        found => found?,
    };
    Ok(stored.filter(|stored| Subject::from(&stored.message) == subject))
}
