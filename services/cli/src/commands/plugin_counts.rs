//! What is counted of a plugin, wherever a person sees it: `list`, `info` and `stats` count alike, and as `--json` does.
//!
//! A *call* is a question that it was asked, by the runner or by whoever checks it. An *error* is one that was answered
//! with an error or not in the protocol, and what it says without being asked. A *time-out* is one that was not answered
//! in time, and no error besides.

use snooze_schemas::host::PluginStats;

/// What the counts are called.
pub(super) const TITLES: [&str; 3] = ["CALLS", "ERRORS", "TIME-OUTS"];

/// The counts, in that order.
pub(super) fn of(stats: &PluginStats) -> [String; 3] {
    [stats.calls, stats.errors, stats.time_outs].map(|count| count.to_string())
}
