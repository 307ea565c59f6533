//! Follows the two buckets into the mirror. A watch that has a gap is begun anew, and until it has told
//! everything again nothing is believed and no verdicts are taken; nothing here gives up.

use crate::mirror::{Area, Changed, Mirror};
use snooze_bus::{Bucket, Bus, BusError, Change};
use snooze_service_runtime::CancellationToken;
use std::{convert::Infallible, time::Duration};

/// Between a watch that ended and the next; doubled with every watch that never told everything.
const PAUSE: Duration = Duration::from_millis(250);
/// How often it is doubled at most: to 4 s. A server that is away is not asked more often than that.
const DOUBLINGS: u32 = 4;

/// Follows a bucket until shutdown.
pub(crate) async fn follow(
    bus: Bus,
    mirror: Mirror,
    area: Area,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut in_vain = 0_u32;
    loop {
        mirror.begin(area);
        let mut told = Told::Nothing;
        // Cancelling the watch ends it; what it had told is forgotten with the next beginning.
        let ended = tokio::select! {
            ended = once(&bus, &mirror, area, &mut told) => ended,
            () = shutdown.cancelled() => return Ok(()),
        };
        in_vain = match told {
            Told::Everything => 0,
            Told::Nothing => in_vain.saturating_add(1),
        };
        // Each failure at first, then ever fewer: this executor takes no verdicts meanwhile.
        if in_vain == 0 || in_vain.is_power_of_two() {
            let error = ended.err().map(|error| crate::perform::chain(&error));
            tracing::warn!(
                ?area,
                error,
                in_vain,
                "a watch ended and begins anew; no verdicts are taken until it is through"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE * 2_u32.pow(in_vain.min(DOUBLINGS))) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

/// How much a watch has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// All that there was when it began.
    Everything,
}

async fn once(bus: &Bus, mirror: &Mirror, area: Area, told: &mut Told) -> Result<(), BusError> {
    let bucket = match area {
        Area::Configuration => Bucket::Config,
        Area::State => Bucket::State,
    };
    let mut watch = bus.bucket(bucket).watch::<serde_json::Value>(">").await?;
    while let Some(change) = watch.next().await {
        let changed = match change? {
            Change::Put(entry) => Changed {
                key: entry.key,
                revision: entry.revision,
                value: Some(Ok(entry.value)),
            },
            Change::Deleted { key, revision } => Changed {
                key,
                revision,
                value: None,
            },
            Change::Unreadable { key, revision, why } => {
                tracing::error!(key, why, "a key cannot be read");
                Changed {
                    key,
                    revision,
                    value: Some(Err(why)),
                }
            }
            Change::Ready => {
                mirror.complete(area);
                *told = Told::Everything;
                continue;
            }
        };
        mirror.take(area, changed);
    }
    Ok(())
}
