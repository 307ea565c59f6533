//! Whose turn it is to start, of all plugins of a runner.
//!
//! Each takes a thread while it is at its files. Of many that came at once each had one of its own, and what all those
//! threads had touched stayed the runner's for good.

use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// So many are at their files at once.
const AT_ONCE: usize = 4;

/// Others' disks are others' trouble: whoever has waited for so long starts beside them.
const LIMIT: Duration = Duration::from_secs(1);

/// Hands out the turns.
#[derive(Debug, Clone)]
pub(crate) struct Starts(Arc<Semaphore>);

impl Default for Starts {
    fn default() -> Starts {
        Starts(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Starts {
    /// Waits for a turn, or for as long as anybody waits for others. It is over when this is dropped. Cancelling it loses
    /// nothing.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = timeout(LIMIT, self.0.clone().acquire_owned()).await.ok()?;
        Some(turn.expect("it is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn few_start_at_once_and_the_next_when_one_of_them_has() {
        let starts = Starts::default();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(starts.turn().await.expect("there is one"));
        }
        let begun = Instant::now();
        let (next, ()) = tokio::join!(starts.turn(), async { drop(turns.pop()) });
        assert!(next.is_some());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_disks_that_hang_starts_beside_them() {
        let starts = Starts::default();
        let mut hang = Vec::new();
        for _ in 0..AT_ONCE {
            hang.push(starts.turn().await);
        }
        let begun = Instant::now();
        // All wait at the same time, however many there are.
        let (one, other) = tokio::join!(starts.turn(), starts.turn());
        assert!(one.is_none() && other.is_none());
        assert_eq!(begun.elapsed(), LIMIT);
    }
}
