//! Follows the two buckets into the mirror. A watch that has a gap is begun anew, and until it has told
//! everything again nothing is believed; nothing here gives up.

use crate::mirror::{Area, Changed, Mirror};
use snooze_bus::{Bucket, Bus, BusError, Change};
use snooze_service_runtime::CancellationToken;
use std::{convert::Infallible, time::Duration};

/// Between a watch that ended and the next; a server that is away is not asked more often than this.
const PAUSE: Duration = Duration::from_millis(250);

/// Follows a bucket until shutdown.
pub(crate) async fn follow(
    bus: Bus,
    mirror: Mirror,
    area: Area,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    loop {
        mirror.begin(area);
        // Cancelling the watch ends it; what it had told is forgotten with the next beginning.
        let ended = tokio::select! {
            ended = once(&bus, &mirror, area) => ended,
            () = shutdown.cancelled() => return Ok(()),
        };
        match ended {
            Ok(()) => tracing::debug!(?area, "a watch ended and begins anew"),
            Err(error) => {
                tracing::debug!(?area, error = %crate::perform::chain(&error), "a watch failed and begins anew");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

async fn once(bus: &Bus, mirror: &Mirror, area: Area) -> Result<(), BusError> {
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
                continue;
            }
        };
        mirror.take(area, changed);
    }
    Ok(())
}
