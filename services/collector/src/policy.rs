//! The host's policy as far as it is about measuring, from the bucket `snooze_config`.
//!
//! It is read at the start, after every loss of the connection, and when one of its keys changes; in
//! between, and while the bus is away, the last one holds. A change is heard when it is sent, which may be
//! before it is stored, so each of these readings is repeated once a little later. What the collector was
//! started with holds only until the bucket was read for the first time, as it does for the host's runner:
//! from then on a key that no layer sets has its default, so that both go by the same policy. It keeps no
//! consumer at the broker.

use crate::Settings;
use snooze_bus::{Bucket, Bus, BusError, BusStatus, SubjectFilter, Subscription, keys};
use snooze_schemas::{
    GroupName, HostId,
    policy::{ConfigLayer, Policy},
    roster::RosterRecord,
};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{convert::Infallible, time::Duration};
use tokio::sync::watch;

/// Changes often come in pairs; so long they are gathered. A server that is not loaded has stored them
/// by then.
const GATHER: Duration = Duration::from_millis(20);

/// How long to wait before the policy is read once more, be it that it could not be read or that a change
/// may not have been stored yet. Whoever writes a key waits so long for it to be stored.
const AGAIN: Duration = Duration::from_secs(5);

/// Follows the policy until shutdown.
///
/// A bus that is away, or that does not answer, only makes it try again; one that denies what the collector
/// needs ends the collector where its samples are sent.
pub(crate) async fn follow(
    bus: Bus,
    host: HostId,
    changes: watch::Sender<Settings>,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut status = bus.status();
    let mut heard = None;
    let mut again = true;
    loop {
        match refresh(&bus, &host, &mut heard).await {
            Ok(Some(settings)) => {
                changes.send_if_modified(|now| std::mem::replace(now, settings) != settings);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(
                    error = one_line(&error),
                    "the policy cannot be read now; the last one holds"
                );
                again = true;
            }
        }
        let changed = async {
            match &mut heard {
                Some(heard) => heard.next().await,
                None => std::future::pending().await,
            }
        };
        // Cancelling these loses nothing: all of them only say "read again".
        again = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = changed => true,
            () = reconnected(&mut status) => true,
            () = tokio::time::sleep(AGAIN), if again => false,
        };
        if again && let Some(heard) = &mut heard {
            heard.gather().await;
        }
    }
}

/// Listens to the keys that matter, and reads them; nothing where they cannot be understood.
async fn refresh(bus: &Bus, host: &HostId, heard: &mut Option<Heard>) -> Result<Option<Settings>, BusError> {
    let group = heard.as_ref().map(|heard| heard.group.clone());
    let group = match group {
        Some(group) => group,
        None => {
            let group = default_group();
            *heard = Some(Heard::subscribe(bus, host, &group).await?);
            group
        }
    };
    let (settings, its_group) = read(bus, host).await?;
    if its_group == group {
        return Ok(settings);
    }
    *heard = Some(Heard::subscribe(bus, host, &its_group).await?);
    // Once more: the new group's key may have changed before it was listened to. Another change of the group
    // is heard of by the roster's key.
    Ok(read(bus, host).await?.0)
}

fn default_group() -> GroupName {
    "default".parse().expect("`default` is a valid group name")
}

/// What the layers together say, nothing where they cannot be understood, and the host's group.
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
struct Heard {
    group: GroupName,
    keys: [Subscription; 4],
}

impl Heard {
    async fn subscribe(bus: &Bus, host: &HostId, group: &GroupName) -> Result<Heard, BusError> {
        let key = async |key| bus.subscribe(&SubjectFilter::ConfigKey(key), None).await;
        Ok(Heard {
            group: group.clone(),
            keys: [
                key(keys::FLEET.to_owned()).await?,
                key(keys::group_key(group)).await?,
                key(keys::host_key(host)).await?,
                key(keys::roster_key(host)).await?,
            ],
        })
    }

    /// Hears what comes together with a change.
    async fn gather(&mut self) {
        let others = async {
            loop {
                self.next().await;
            }
        };
        // An elapsed limit is what this waits for.
        drop(tokio::time::timeout(GATHER, others).await);
    }

    /// Waits for the next change of any of them. Once the connection is closed nothing changes any more.
    async fn next(&mut self) {
        let [fleet, group, host, roster] = &mut self.keys;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use snooze_bus::{BusConfig, OnDenial, Role};
    use snooze_service_runtime::Clocks;
    use snooze_test_harness::{NatsServer, TcpProxy, wait_until};

    const LIMIT: Duration = Duration::from_secs(30);

    async fn bus(servers: String) -> Bus {
        let config = BusConfig {
            servers,
            credentials: None,
            role: Role::Host,
            name: "h1".to_owned(),
            service: "test".to_owned(),
            connect_timeout: LIMIT,
            on_denial: OnDenial::GoOn,
        };
        Bus::connect(config).await.expect("connects")
    }

    #[tokio::test]
    async fn a_change_is_read_when_it_is_heard_and_once_more_when_it_is_stored() {
        let server = NatsServer::open().await;
        let administrator = bus(server.url()).await;
        administrator.set_up().await.expect("sets up");
        let get = format!(
            "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.{}",
            keys::FLEET
        );
        let mut reads = administrator.raw_subscribe(&get).await.expect("listens");
        let (changes, _settings) = watch::channel(Settings::default());
        let shutdown = CancellationToken::new();
        let host = "h1".parse().expect("a host");
        let following = tokio::spawn(follow(bus(server.url()).await, host, changes, shutdown.clone()));
        let mut read = async |what| {
            let read = tokio::time::timeout(LIMIT, reads.next()).await;
            assert!(read.is_ok_and(|read| read.is_some()), "{what}");
        };
        read("at the start").await;
        let bucket = administrator.bucket(Bucket::Config);
        let layer = ConfigLayer::default();
        bucket.put(keys::FLEET, &layer).await.expect("writes");
        read("when the change is heard").await;
        read("once more, when it is stored at the latest").await;
        shutdown.cancel();
        let ended = tokio::time::timeout(LIMIT, following).await;
        ended.expect("in time").expect("no panic").expect("no failure");
    }

    #[tokio::test]
    async fn a_bus_that_does_not_confirm_is_asked_again_for_the_policy() {
        let server = NatsServer::open().await;
        let administrator = bus(server.url()).await;
        administrator.set_up().await.expect("sets up");
        let layer: ConfigLayer =
            serde_json::from_value(json!({"policy": {"check_interval_seconds": 7}})).expect("a layer");
        let bucket = administrator.bucket(Bucket::Config);
        bucket.put(keys::FLEET, &layer).await.expect("writes");
        let proxy = TcpProxy::start(server.address()).await;
        let bus = bus(format!("nats://{}", proxy.address())).await;
        proxy.hold();
        let (changes, mut settings) = watch::channel(Settings::default());
        let shutdown = CancellationToken::new();
        let host = "h1".parse().expect("a host");
        let following = tokio::spawn(follow(bus, host, changes, shutdown.clone()));
        // The bus waits five seconds for a subscription to be confirmed.
        let clocks = Clocks::real();
        let from = clocks.monotonic_ms();
        wait_until(LIMIT, "the first subscription has failed", async || {
            clocks.monotonic_ms() >= from + 6_000
        })
        .await;
        assert!(!following.is_finished(), "it goes on");
        proxy.mend();
        let seven = settings.wait_for(|settings| settings.check_interval == Duration::from_secs(7));
        let found = tokio::time::timeout(LIMIT, seven).await;
        found.expect("in time").expect("it still follows");
        shutdown.cancel();
        let ended = tokio::time::timeout(LIMIT, following).await;
        ended.expect("in time").expect("no panic").expect("no failure");
    }
}
