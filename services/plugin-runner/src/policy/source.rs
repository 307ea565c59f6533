//! Reads the layers by direct get, and again whenever one of their keys changes or the bus comes back.

use super::{Layers, PolicyInForce};
use crate::{
    files::{self, Durability},
    listening,
};
use snooze_bus::{Bucket, Bus, BusError, BusStatus, SubjectFilter, Subscription, keys};
use snooze_schemas::{GroupName, HostId, policy::ConfigLayer, roster::RosterRecord};
use snooze_service_runtime::exit::one_line;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Changes often come in pairs, as policy and plugin settings; so long they are gathered.
const GATHER: Duration = Duration::from_millis(20);

/// How long to wait before a failed reading is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Reads and follows the policy of one host.
#[derive(Debug)]
pub(crate) struct PolicySource {
    bus: Bus,
    host: HostId,
    /// Where the last copy is kept.
    copy: PathBuf,
    group: GroupName,
    /// Whether the bus was heard since the start.
    heard: bool,
}

impl PolicySource {
    /// For this host. `copy` is the file that keeps the last layers.
    #[must_use]
    pub(crate) fn new(bus: Bus, host: HostId, copy: PathBuf) -> PolicySource {
        let group = "default".parse().expect("`default` is a valid group name");
        PolicySource {
            bus,
            host,
            copy,
            group,
            heard: false,
        }
    }

    /// The last copy that was kept; `local` where none ever was. One that is there and of no use leaves no policy at
    /// all: what it said nobody knows, and the local one may say less.
    #[must_use]
    pub(crate) fn kept_or(&self, local: PolicyInForce) -> PolicyInForce {
        let why = match files::read::<Layers>(&self.copy) {
            Ok(None) => return local,
            Ok(Some(layers)) => match PolicyInForce::merged(&layers) {
                Ok(kept) => return kept,
                Err(error) => format!("{}: {}", self.copy.display(), one_line(&error)),
            },
            Err(error) => one_line(&error),
        };
        tracing::error!(
            why,
            "the last copy of the policy is of no use; until the bus gives one no plugin runs or votes"
        );
        PolicyInForce::unknown(why)
    }

    /// Publishes the policy that holds into `out`, now and after every change, until shutdown.
    ///
    /// # Errors
    /// When the connection is closed for good.
    pub(crate) async fn follow(
        mut self,
        out: watch::Sender<Arc<PolicyInForce>>,
        shutdown: CancellationToken,
    ) -> Result<(), BusError> {
        let mut status = self.bus.status();
        let Some(mut changes) = Changes::of(&self.bus, &self.host, &self.group, &shutdown).await? else {
            return Ok(());
        };
        loop {
            let settled = match self.read().await {
                Ok(layers) => {
                    self.put_in_force(&layers, &out);
                    true
                }
                Err(error) => {
                    tracing::info!(
                        error = one_line(&error),
                        "the policy cannot be read now; the last copy holds"
                    );
                    false
                }
            };
            if changes.group != self.group {
                // The keys of the new group may have changed between reading and subscribing.
                match Changes::of(&self.bus, &self.host, &self.group, &shutdown).await? {
                    Some(subscribed) => changes = subscribed,
                    None => return Ok(()),
                }
                continue;
            }
            // Cancelling these loses nothing: all of them only say "read again".
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                heard = changes.next() => if heard.is_none() { return Ok(()) },
                () = reconnected(&mut status) => {}
                () = tokio::time::sleep(RETRY), if !settled => {}
            }
            tokio::time::sleep(GATHER).await;
            changes.drain();
        }
    }

    async fn read(&mut self) -> Result<Layers, BusError> {
        let bucket = self.bus.bucket(Bucket::Config);
        let roster = bucket.get::<RosterRecord>(&keys::roster_key(&self.host)).await?;
        if let Some(roster) = roster {
            self.group = roster.value.group;
        }
        let names = [
            keys::FLEET.to_owned(),
            keys::group_key(&self.group),
            keys::host_key(&self.host),
        ];
        let mut layers = [const { None }; 3];
        for (layer, name) in layers.iter_mut().zip(&names) {
            *layer = bucket
                .get::<ConfigLayer>(name)
                .await?
                .map(|entry| (entry.value, entry.revision));
        }
        Ok(Layers { layers })
    }

    fn put_in_force(&mut self, layers: &Layers, out: &watch::Sender<Arc<PolicyInForce>>) {
        let merged = match PolicyInForce::merged(layers) {
            Ok(merged) => merged,
            Err(error) => {
                tracing::error!(
                    error = one_line(&error),
                    "the new policy cannot hold; the one before stays"
                );
                return;
            }
        };
        if **out.borrow() == merged {
            // Whoever waits for the first word from the bus hears it also where it says nothing new.
            if !std::mem::replace(&mut self.heard, true) {
                out.send_replace(Arc::new(merged));
            }
            return;
        }
        self.heard = true;
        tracing::info!(revision = merged.revision, "a policy is in force");
        if let Err(error) = files::replace(&self.copy, layers, Durability::Synced) {
            tracing::warn!(
                error = one_line(&error),
                "the policy cannot be kept for a start without a broker"
            );
        }
        out.send_replace(Arc::new(merged));
    }
}

/// The subscriptions to the keys that matter to a host.
struct Changes {
    group: GroupName,
    keys: Vec<Subscription>,
}

impl Changes {
    /// Subscribes, waiting for the server where there is none; nothing at shutdown.
    async fn of(
        bus: &Bus,
        host: &HostId,
        group: &GroupName,
        shutdown: &CancellationToken,
    ) -> Result<Option<Changes>, BusError> {
        let mut subscriptions = Vec::new();
        for key in [
            keys::FLEET.to_owned(),
            keys::group_key(group),
            keys::host_key(host),
            keys::roster_key(host),
        ] {
            match listening::subscribe(bus, &SubjectFilter::ConfigKey(key), shutdown).await? {
                Some(subscription) => subscriptions.push(subscription),
                None => return Ok(None),
            }
        }
        Ok(Some(Changes {
            group: group.clone(),
            keys: subscriptions,
        }))
    }

    async fn next(&mut self) -> Option<()> {
        let waiting = self.keys.iter_mut().map(|key| Box::pin(key.next()));
        futures_util::future::select_all(waiting).await.0.map(drop)
    }

    fn drain(&mut self) {
        for key in &mut self.keys {
            while let Some(Some(_)) = futures_util::FutureExt::now_or_never(key.next()) {}
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
    use crate::policy::PolicyOrigin;
    use serde_json::{Map, json};
    use snooze_bus::User;
    use snooze_schemas::policy::Mode;
    use snooze_test_harness::NatsServer;

    #[tokio::test]
    async fn s1_a_copy_of_the_policy_that_is_there_and_useless_is_not_taken_for_none() {
        let server = NatsServer::open().await;
        let host: HostId = "h1".parse().expect("a host id");
        let bus = server.bus(&User::host(&host)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("policy.json");
        let source = PolicySource::new(bus, host, copy.clone());
        let acting: Map<_, _> = [("mode".to_owned(), json!("act"))].into_iter().collect();
        let local = PolicyInForce::local(&acting).expect("it holds");
        assert_eq!(source.kept_or(local.clone()), local, "there never was one");
        let slow = json!({"layers": [[{"policy": {"freshness_seconds": 1}}, 1], null, null]});
        for spoiled in ["{", &slow.to_string()] {
            std::fs::write(&copy, spoiled).expect("writes");
            let held = source.kept_or(local.clone());
            assert_eq!(
                (held.policy.mode, held.revision.as_str()),
                (Mode::Observe, "unknown")
            );
            let why = held.lost().expect("nobody knows it");
            assert!(why.contains("policy.json"), "{why}");
        }
        let sound = json!({"layers": [[{"policy": {"mode": "act"}}, 7], null, null]});
        std::fs::write(&copy, sound.to_string()).expect("writes");
        let held = source.kept_or(local);
        assert_eq!(
            (held.revision.as_str(), held.origin),
            ("7/0/0", PolicyOrigin::Bus)
        );
    }
}
