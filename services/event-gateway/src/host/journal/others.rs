//! What a journal says of another host: of the machine that an image was made of, or of this one under an earlier name.
//!
//! It happened to somebody else, so it is handed to nobody here, and the broker would not let this host file it.

use super::{Book, JournalError, Line, Open, file};
use snooze_schemas::{HostId, event::Scope};
use std::path::Path;

/// The events of this host; those of another are set aside beside the journal, for a person to look at, and are over.
///
/// # Errors
/// When they cannot be set aside.
pub(in crate::host) fn set_aside(
    folder: &Path,
    host: &HostId,
    unfinished: Vec<Open>,
    book: &Book,
) -> Result<Vec<Open>, JournalError> {
    let is_ours = |open: &Open| open.entry.event.host == Scope::Host(host.clone());
    let (ours, others): (Vec<_>, Vec<_>) = unfinished.into_iter().partition(is_ours);
    let lines: Vec<Line> = others
        .iter()
        .map(|open| Line::Noticed(Box::new(open.entry.clone())))
        .collect();
    file::set_aside_lines(&folder.join(super::NAME), &lines)?;
    for open in others {
        let event = open.entry.event;
        tracing::error!(
            event = %event.id, of = %event.host, here = %host,
            "the journal has an event of another host, as on a machine that was cloned or renamed; it is set aside in a file beside it"
        );
        drop(book.write(Line::Over { id: event.id }));
    }
    Ok(ours)
}
