//! Metadata services of clouds that announce what they are told to, and fail as they are told to: what the providers
//! document, over real HTTP on loopback.
//!
//! - [`ImdsServer`]: version 2 of EC2's instance metadata service, any path.
//! - [`AzureMetadata`]: Scheduled Events and the machine's name.
//! - [`GcpMetadata`]: `preempted` and `maintenance-event`, with `wait_for_change`.
//! - [`ScalingApi`]: no metadata, but as small an API: how a lifecycle hook of AWS's Auto Scaling is answered.
//!
//! Tests steer and spoil them, and `snooze event simulate` plays with them what no cloud can be asked for.
//! **Invariant:** they listen on loopback alone, on ports that are free, and are gone when they are dropped. They know
//! nothing of the code that asks them.

mod azure;
mod gcp;
mod imds;
mod scaling;
mod serve;

pub use azure::{AzureMetadata, azure_event};
pub use gcp::GcpMetadata;
pub use imds::{ImdsAnswer, ImdsRequest, ImdsServer};
pub use scaling::{ScalingApi, ScalingCall};
pub use serve::{MetadataFault, MetadataQuestion};

use std::collections::VecDeque;

/// So many questions are remembered, the newest: what is asked every second for a day is more than anybody looks at.
const REMEMBERED: usize = 10_000;

/// What was asked, the newest of it.
#[derive(Debug)]
struct Record<T>(VecDeque<T>);

impl<T> Default for Record<T> {
    fn default() -> Self {
        Record(VecDeque::new())
    }
}

impl<T: Clone> Record<T> {
    fn add(&mut self, asked: T) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(asked);
    }

    fn all(&self) -> Vec<T> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_asked_the_newest_is_remembered() {
        let mut record = Record::default();
        (0..REMEMBERED + 5).for_each(|number| record.add(number));
        let all = record.all();
        assert_eq!(
            (all.len(), all[0], all[REMEMBERED - 1]),
            (REMEMBERED, 5, REMEMBERED + 4)
        );
    }
}
