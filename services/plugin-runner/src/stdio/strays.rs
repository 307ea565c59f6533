//! Answers that a plugin wrote and that answer nothing: each is dropped, counted, and said.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// What is said of one.
pub(crate) const WHAT: &str = "it wrote an answer that nobody asked for; it was dropped";

/// Those of one plugin.
#[derive(Debug, Default)]
pub(super) struct Strays {
    count: AtomicU64,
    last: Mutex<Option<Instant>>,
}

impl Strays {
    /// Counts one, and returns whether it is the first.
    pub(super) fn note(&self) -> bool {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.count.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// How long ago the last one came.
    pub(super) fn age(&self) -> Option<Duration> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|at| at.elapsed())
    }
}
