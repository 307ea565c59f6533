//! Clock jumps: somebody set the time of day, or the machine slept.
//!
//! What drifts apart, and by how much, is `service-runtime`'s to say (rule T1). A jump is over when it is
//! noticed: it is raised once and never cleared. What happens while no gateway runs is not seen.

use super::watched::Change;
use crate::happening::State;
use serde_json::{Map, json};
use snooze_service_runtime::{ClockBreak, clocks::DRIFT_LIMIT_MS};

/// What is told of a jump.
pub(super) fn change(found: ClockBreak) -> Change {
    let (kind, by_ms) = match found {
        ClockBreak::Suspended { for_ms } => ("suspended", json!(for_ms)),
        ClockBreak::Jumped { by_ms } => ("time_set", json!(by_ms)),
    };
    let data = Map::from_iter([
        ("reading".to_owned(), json!("clock")),
        ("kind".to_owned(), json!(kind)),
        ("value".to_owned(), by_ms),
        ("threshold".to_owned(), json!(DRIFT_LIMIT_MS)),
        ("unit".to_owned(), json!("milliseconds")),
    ]);
    Change {
        event_type: "system.clock.jump",
        what: "clock".to_owned(),
        state: State::Raised,
        data,
    }
}
