//! What is counted on a connection because nobody else would hear of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A look at the counts. Where they rest on what the client tells, they are lower bounds: it drops what it
/// cannot tell at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BusCounters {
    /// Messages that a subscription lost because it was too slow.
    pub slow_consumers: u64,
    /// Messages that were refused for their headers, body or reply subject (rule I3).
    pub refused: u64,
    /// Messages whose subject or body is none of ours.
    pub undecodable: u64,
    /// Answers that the server did not let through.
    pub undeliverable: u64,
    /// What the server denied, refused credentials among it.
    pub violations: u64,
    /// Losses of the connection.
    pub losses: u64,
    /// Requests that were turned away because too many were being handled.
    pub overloaded: u64,
    /// Answers that are waited for at this moment.
    pub waiting: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    slow_consumers: AtomicU64,
    refused: AtomicU64,
    undecodable: AtomicU64,
    undeliverable: AtomicU64,
    violations: AtomicU64,
    losses: AtomicU64,
    overloaded: AtomicU64,
}

macro_rules! adders {
    ($($function:ident $field:ident,)+) => {
        impl Counters {
            $(pub(crate) fn $function(&self) {
                self.$field.fetch_add(1, Ordering::Relaxed);
            })+
        }
    };
}
adders! {
    add_slow slow_consumers,
    add_refused refused,
    add_undecodable undecodable,
    add_undeliverable undeliverable,
    add_violation violations,
    add_loss losses,
    add_overloaded overloaded,
}

impl Counters {
    pub(crate) fn read(&self, waiting: usize) -> BusCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BusCounters {
            slow_consumers: read(&self.slow_consumers),
            refused: read(&self.refused),
            undecodable: read(&self.undecodable),
            undeliverable: read(&self.undeliverable),
            violations: read(&self.violations),
            losses: read(&self.losses),
            overloaded: read(&self.overloaded),
            waiting: waiting as u64,
        }
    }
}
