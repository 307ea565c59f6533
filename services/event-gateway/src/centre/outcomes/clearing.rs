//! Removing the notes of events that are over, many in one batch.
//!
//! Nobody waits for it: a note that is there a moment longer costs nothing, while every write that the disk waits for
//! is one that an urgent event waits for too.

use super::remove;
use snooze_bus::{BatchWrite, Bucket, Bus};
use std::time::Duration;
use tokio::{sync::mpsc, time::sleep};

/// Notes that wait; whoever hears outcomes waits when it is full.
const WAITING: usize = 1_024;
/// Notes in one batch; the server takes 1,000.
const BATCH: usize = 256;
/// Between two batches, so that each takes along what came meanwhile.
const PAUSE: Duration = Duration::from_millis(20);
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// A note as it was read: it is removed only if nobody has written it since.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cleared {
    key: String,
    revision: u64,
}

/// Hands notes to whoever removes them.
#[derive(Debug, Clone)]
pub(super) struct Clearing(mpsc::Sender<Cleared>);

impl Clearing {
    /// Lets a note be removed at the revision that was read.
    pub(super) async fn clear(&self, key: String, revision: u64) {
        if self.0.send(Cleared { key, revision }).await.is_err() {
            tracing::debug!("a note is not removed by a gateway that ends; the sweeper will");
        }
    }
}

/// The handle, and the task that removes. The task ends when the last handle is gone.
pub(super) fn channel(bus: Bus) -> (Clearing, impl Future<Output = ()>) {
    let (sender, mut cleared) = mpsc::channel(WAITING);
    let remover = async move {
        let mut waiting = Vec::with_capacity(BATCH);
        while cleared.recv_many(&mut waiting, BATCH).await > 0 {
            remove_all(&bus, &mut waiting).await;
            sleep(PAUSE).await;
        }
    };
    (Clearing(sender), remover)
}

async fn remove_all(bus: &Bus, waiting: &mut Vec<Cleared>) {
    // An outcome that was filed twice names its note twice, which no batch may.
    waiting.sort_unstable();
    waiting.dedup_by(|later, earlier| later.key == earlier.key);
    let all = match waiting.len() {
        1 => false,
        _ => {
            let batch = waiting
                .iter()
                .map(|note| BatchWrite::delete_for_good(&note.key, note.revision));
            let bucket = bus.bucket(Bucket::Open);
            bucket.write_batch(batch.collect(), WRITE_WITHIN).await.is_ok()
        }
    };
    // One that somebody has written since refuses a whole batch; then each is removed by itself.
    for note in waiting.drain(..) {
        if !all {
            remove(bus, &note.key, note.revision).await;
        }
    }
}
