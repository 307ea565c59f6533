//! CPU: time used between two looks, percent of all cores.

use super::unreadable::Unreadable;
pub(super) use snooze_service_runtime::cpu_time::Ticks;

pub(super) const FILE: &str = "/proc/stat";

/// Reads the file's text.
pub(super) fn parse(text: &str) -> Result<Ticks, Unreadable> {
    Ticks::parse(text).map_err(|malformed| Unreadable::malformed(FILE, malformed.0))
}

/// What was used between two looks; nothing where no time has passed or a counter went back.
pub(super) fn percent(before: &Ticks, now: &Ticks) -> Option<f64> {
    now.percent_since(before).ok()
}
