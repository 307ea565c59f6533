//! Where happenings come from; one file a source, each switched on by itself.
//!
//! A source notices and tells; it files nothing, asks no plugin and remembers only what it needs to tell a
//! change from a repetition. What it cannot read it says once, and goes on: a source that is away takes nothing
//! else with it.

pub mod aws;
pub mod aws_metadata;
pub mod azure;
mod failing;
pub mod gcp;
pub mod http;
#[cfg(test)]
pub(crate) mod malformed;
pub mod system;
mod trouble;

use crate::happening::Happening;
use tokio::sync::mpsc;

/// Happenings that wait for the desk. A source that finds it full waits: nothing it noticed is dropped.
const WAITING: usize = 64;

/// What a source tells the desk through.
#[derive(Debug, Clone)]
pub struct Notices(mpsc::Sender<Happening>);

impl Notices {
    /// The end of a source, and the end of the desk.
    #[must_use]
    pub fn channel() -> (Notices, mpsc::Receiver<Happening>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Notices(sender), receiver)
    }

    /// Tells of a happening. Where the desk has ended there is nobody left to tell, and the source ends too.
    pub async fn tell(&self, happening: Happening) {
        if self.0.send(happening).await.is_err() {
            tracing::debug!("the desk has ended; what was noticed now is noticed again after the next start");
        }
    }
}
