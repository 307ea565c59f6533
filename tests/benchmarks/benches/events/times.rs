//! What many runs of one thing took, and the figures of them.

use snooze_benchmarks::{Figure, Goal};
use snooze_schemas::Timestamp;

/// Milliseconds, sorted.
#[derive(Debug, Clone)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn of(mut times: Vec<f64>) -> Times {
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    /// The one that so many percent of them do not exceed.
    pub(crate) fn quantile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.saturating_sub(1)]
    }

    /// The figure of a quantile, with all of them as its spread.
    pub(crate) fn figure(&self, row: &str, percent: usize, goal: Option<Goal>) -> Figure {
        Figure {
            row: format!("{row}: p{percent}"),
            unit: "ms",
            ours: self.quantile(percent),
            values: self.0.clone(),
            beside: None,
            goal,
        }
    }
}

/// Milliseconds from one moment of the machine's clock to another.
pub(crate) fn millis(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}
