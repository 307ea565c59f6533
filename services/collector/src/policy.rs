//! The host's policy as far as it is about measuring, from the bucket `snooze_config`.
//!
//! It is read at the start, after every loss of the connection, and when one of its keys changes; in
//! between, and while the bus is away, the last one holds. Where nobody has written a policy, what the
//! collector was started with holds. It keeps no consumer at the broker.

use crate::Settings;
use snooze_bus::{Bucket, Bus, BusError, BusStatus, SubjectFilter, Subscription, keys};
use snooze_schemas::{
    GroupName, HostId,
    policy::{ConfigLayer, Policy},
    roster::RosterRecord,
};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::time::Duration;
use tokio::sync::watch;

/// How long to wait before a reading that failed is tried again. A change is heard at once, so this
/// only bounds how long a server without buckets is believed to have none.
const RETRY: Duration = Duration::from_secs(5);

/// Follows the policy until shutdown.
///
/// # Errors
/// When the bus does not confirm a subscription.
pub(crate) async fn follow(
    bus: Bus,
    host: HostId,
    changes: watch::Sender<Settings>,
    shutdown: CancellationToken,
) -> Result<(), BusError> {
    let mut status = bus.status();
    let mut group = default_group();
    let mut heard = Heard::subscribe(&bus, &host, &group).await?;
    loop {
        let read = read(&bus, &host).await;
        if let Ok((_, its_group)) = &read
            && *its_group != group
        {
            group = its_group.clone();
            // Read once more: the new group's key may have changed before it was listened to.
            heard = Heard::subscribe(&bus, &host, &group).await?;
            continue;
        }
        let settled = match read {
            Ok((settings, _)) => {
                if let Some(settings) = settings {
                    changes.send_if_modified(|now| std::mem::replace(now, settings) != settings);
                }
                true
            }
            Err(error) => {
                tracing::debug!(
                    error = one_line(&error),
                    "the policy cannot be read now; the last one holds"
                );
                false
            }
        };
        // Cancelling these loses nothing: all of them only say "read again".
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = heard.next() => {}
            () = reconnected(&mut status) => {}
            () = tokio::time::sleep(RETRY), if !settled => {}
        }
    }
}

fn default_group() -> GroupName {
    "default".parse().expect("`default` is a valid group name")
}

/// What the layers together say, nothing where there is none, and the host's group.
async fn read(bus: &Bus, host: &HostId) -> Result<(Option<Settings>, GroupName), BusError> {
    let bucket = bus.bucket(Bucket::Config);
    let roster = bucket.get::<RosterRecord>(&keys::roster_key(host)).await?;
    let group = roster.map_or_else(default_group, |roster| roster.value.group);
    let mut layers = Vec::new();
    for key in [
        keys::FLEET.to_owned(),
        keys::group_key(&group),
        keys::host_key(host),
    ] {
        layers.extend(bucket.get::<ConfigLayer>(&key).await?.map(|entry| entry.value));
    }
    if layers.is_empty() {
        return Ok((None, group));
    }
    let settings = match Policy::from_layers(&layers) {
        Ok(policy) => Some(Settings::from(&policy)),
        Err(error) => {
            tracing::warn!(
                error = one_line(&error),
                "the new policy cannot be understood; the last one holds"
            );
            None
        }
    };
    Ok((settings, group))
}

/// The subscriptions to the keys that matter to a host.
struct Heard([Subscription; 4]);

impl Heard {
    async fn subscribe(bus: &Bus, host: &HostId, group: &GroupName) -> Result<Heard, BusError> {
        let key = async |key| bus.subscribe(&SubjectFilter::ConfigKey(key), None).await;
        Ok(Heard([
            key(keys::FLEET.to_owned()).await?,
            key(keys::group_key(group)).await?,
            key(keys::host_key(host)).await?,
            key(keys::roster_key(host)).await?,
        ]))
    }

    /// Waits for the next change of any of them. Once the connection is closed nothing changes any more.
    async fn next(&mut self) {
        let [fleet, group, host, roster] = &mut self.0;
        let next = tokio::select! {
            next = fleet.next() => next,
            next = group.next() => next,
            next = host.next() => next,
            next = roster.next() => next,
        };
        if next.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until the connection has come back.
async fn reconnected(status: &mut watch::Receiver<BusStatus>) {
    while status.changed().await.is_ok() {
        if *status.borrow_and_update() == BusStatus::Connected {
            return;
        }
    }
    std::future::pending::<()>().await;
}
