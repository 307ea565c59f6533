//! Whether an installed package is as it was unpacked.
//!
//! It changes nothing. Between two looks only what is surely the same counts as unread again: by where it lies on the
//! disk, its length, and the times that the kernel keeps of it.

use crate::{
    file_identity::FileIdentity,
    manifest::{sha256_of, sha256_of_bytes},
};
use snooze_package::{Damage, Record};
use snooze_service_runtime::exit::one_line;
use std::path::Path;

/// How a package stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// All of it is there as it was unpacked.
    Here,
    /// It is not there.
    Absent,
    /// Its files are not those of its package.
    Damaged(String),
    /// Nobody can tell just now.
    Unread(String),
}

/// Looks at it, and reads its files where they are not surely those of the last look, of which this is the mark;
/// returns the mark of this one.
pub(super) fn look(place: &Path, last: Option<&str>) -> (Standing, Option<String>) {
    let record = match Record::read(place) {
        Ok(record) => record,
        // Nothing at all lies there, or something of which nobody knows what it is.
        Err(Damage::Gone(_)) if place.symlink_metadata().is_err() => return (Standing::Absent, None),
        Err(damage) => return (of(&damage), None),
    };
    let before = mark(&record, place);
    if last == Some(before.as_str()) {
        return (Standing::Here, Some(before));
    }
    if let Err(damage) = record.compare(place, sha256_of) {
        return (of(&damage), None);
    }
    // What changed while it was read is read once more at the next look.
    let is_at_rest = mark(&record, place) == before;
    (Standing::Here, is_at_rest.then_some(before))
}

fn of(damage: &Damage) -> Standing {
    let why = one_line(damage);
    if damage.is_untold() {
        Standing::Unread(why)
    } else {
        Standing::Damaged(why)
    }
}

/// What is another text once anything of it has changed.
fn mark(record: &Record, place: &Path) -> String {
    let all: Vec<_> = record
        .paths(place)
        .map(|path| (FileIdentity::of(&path), path))
        .collect();
    sha256_of_bytes(format!("{all:?}").as_bytes())
}
