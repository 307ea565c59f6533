//! Which hosts are enrolled: one watch for the whole gateway, however many events of the fleet there are.

use snooze_bus::{Bucket, Bus, BusError, Change, keys};
use snooze_schemas::HostId;
use snooze_service_runtime::CancellationToken;
use std::{collections::BTreeSet, convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long whoever asks waits while the roster is being read.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);
/// Between a watch that broke and the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// None while it is not known, as before it was read and after its watch broke.
type Known = Option<Arc<BTreeSet<HostId>>>;

/// The enrolled hosts, as they are now.
#[derive(Debug, Clone)]
pub(crate) struct Roster(watch::Receiver<Known>);

impl Roster {
    /// All hosts, once they are known.
    ///
    /// # Errors
    /// When they are not known in time: asking again later may help.
    pub(crate) async fn hosts(&self) -> Result<Arc<BTreeSet<HostId>>, String> {
        let mut known = self.0.clone();
        let hosts = tokio::time::timeout(KNOWN_WITHIN, known.wait_for(Option::is_some)).await;
        match hosts {
            Ok(Ok(hosts)) => hosts.clone().ok_or_else(|| "the roster is not known".to_owned()),
            Ok(Err(_)) => Err("the gateway is ending".to_owned()),
            Err(_) => Err("the roster is not known yet".to_owned()),
        }
    }
}

/// The handle, and the task that keeps it true until shutdown.
pub(crate) fn follow(
    bus: Bus,
    shutdown: CancellationToken,
) -> (Roster, impl Future<Output = Result<(), Infallible>>) {
    let (sender, receiver) = watch::channel(None);
    let follower = async move {
        loop {
            // Cancelling loses nothing: the next watch begins with all there is.
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                ended = watch_once(&bus, &sender) => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "the watch of the roster broke and begins anew");
                    }
                }
            }
            sender.send_replace(None);
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    };
    (Roster(receiver), follower)
}

async fn watch_once(bus: &Bus, sender: &watch::Sender<Known>) -> Result<(), BusError> {
    let bucket = bus.bucket(Bucket::Config);
    // Who is enrolled stands in the key; a record that cannot be read enrols its host all the same.
    let mut changes = bucket.watch::<serde_json::Value>(keys::ALL_ROSTER).await?;
    let mut hosts = BTreeSet::new();
    let mut is_whole = false;
    while let Some(change) = changes.next().await {
        let changed = match change? {
            Change::Put(entry) => keys::host_of(&entry.key).is_some_and(|host| hosts.insert(host)),
            Change::Unreadable { key, .. } => keys::host_of(&key).is_some_and(|host| hosts.insert(host)),
            Change::Deleted { key, .. } => keys::host_of(&key).is_some_and(|host| hosts.remove(&host)),
            Change::Ready => {
                is_whole = true;
                true
            }
        };
        if is_whole && changed {
            sender.send_replace(Some(Arc::new(hosts.clone())));
        }
    }
    Ok(())
}
