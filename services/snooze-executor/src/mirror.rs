//! What the buckets hold, kept up to date in memory by their watches: roster, policies, host keys, kill
//! switch and slots.
//!
//! A copy can be behind. Deciding on it is safe, because every write names the revision that was read
//! here and is refused where that has moved; whatever no revision fences (the roster's record, the
//! policy) is read again or compared again on the way to a stop. It writes nothing.

mod feed;
mod host_watch;
mod image;
#[cfg(test)]
mod tests;

pub(crate) use feed::{Area, Changed};
pub(crate) use host_watch::HostWatch;

use crate::convert::PolicyError;
use image::Image;
use snooze_decision::{
    self as pure,
    claim::{Entry, Gate, HostRecord, Occupied, Revision},
    decide::Slots,
};
use snooze_schemas::{GroupName, HostId, policy, roster::RosterRecord};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;

/// The policy of a host, in both forms.
#[derive(Debug)]
pub(crate) struct HostPolicy {
    pub(crate) wire: Arc<policy::Policy>,
    pub(crate) pure: pure::Policy,
    pub(crate) revision: String,
}

/// A policy, or why there is none to be used.
pub(crate) type PolicyOf = Result<Arc<HostPolicy>, Arc<PolicyError>>;

/// Everything that is known of a host, at one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) record: Option<Arc<RosterRecord>>,
    pub(crate) policy: PolicyOf,
    pub(crate) key: Result<Arc<Entry<HostRecord>>, Arc<str>>,
    pub(crate) gate: Result<Arc<Entry<Gate>>, Arc<str>>,
}

/// The copy; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Mirror(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    image: RwLock<Image>,
    gate: watch::Sender<Arc<Entry<Gate>>>,
    /// Counts changes of configuration, so that claims compare their policy.
    configuration: watch::Sender<u64>,
    ready: watch::Sender<bool>,
}

impl Mirror {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            image: RwLock::default(),
            gate: watch::channel(Arc::default()).0,
            configuration: watch::channel(0).0,
            ready: watch::channel(false).0,
        }))
    }

    /// Whether both watches have said all that there is.
    pub(crate) fn is_ready(&self) -> bool {
        *self.0.ready.borrow()
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        self.wait_for(|ready| *ready).await;
    }

    /// Waits until it is not ready any more.
    pub(crate) async fn unready(&self) {
        self.wait_for(|ready| !*ready).await;
    }

    async fn wait_for(&self, condition: impl FnMut(&bool) -> bool) {
        let mut ready = self.0.ready.subscribe();
        if ready.wait_for(condition).await.is_err() {
            // The sender lives in this very handle.
            std::future::pending::<()>().await;
        }
    }

    /// Hears that configuration or roster may have changed.
    pub(crate) fn configuration(&self) -> watch::Receiver<u64> {
        self.0.configuration.subscribe()
    }

    /// Everything that is known of a host.
    pub(crate) fn view(&self, host: &HostId) -> View {
        if let Some(view) = self.read().view(host) {
            return view;
        }
        // The policy is not merged yet: that needs the lock for writing, once for each group.
        let mut image = self.write();
        image.merge_policy(host);
        image
            .view(host)
            .expect("the policy was merged under this very lock")
    }

    /// The slots of a group, as they were last seen; those above its limit too.
    pub(crate) fn slots(&self, group: &GroupName) -> Vec<(u32, Revision, Occupied)> {
        let image = self.read();
        let slots = image.slots.get(group).into_iter().flatten();
        slots
            .map(|(number, (revision, occupied))| (*number, *revision, *occupied))
            .collect()
    }

    /// Whether a group may have one more host on its way down. Slots above a limit that was lowered count
    /// as long as they are taken.
    pub(crate) fn free_slots(&self, group: &GroupName, limit: u32) -> Slots {
        let image = self.read();
        let taken = image.slots.get(group).map_or(0, |slots| {
            let taken = |(_, occupied): &&(Revision, Occupied)| *occupied == Occupied::Yes;
            slots.values().filter(taken).count()
        });
        if taken < limit as usize {
            Slots::Free
        } else {
            Slots::AllTaken { limit }
        }
    }

    /// The kill switch.
    pub(crate) fn gate(&self) -> Result<Arc<Entry<Gate>>, Arc<str>> {
        self.read().gate()
    }

    /// Every host of the roster, sorted, from the one after `after` on.
    pub(crate) fn hosts(&self) -> Vec<HostId> {
        let mut hosts: Vec<HostId> = self.read().roster.keys().cloned().collect();
        hosts.sort();
        hosts
    }

    /// What the roster says of a host.
    pub(crate) fn record(&self, host: &HostId) -> Option<Arc<RosterRecord>> {
        self.read().record(host)
    }

    /// Whether a host is in the roster.
    pub(crate) fn is_enrolled(&self, host: &HostId) -> bool {
        self.read().roster.contains_key(host)
    }

    /// The hosts with a claim, and each one's key.
    pub(crate) fn claimed(&self) -> Vec<(HostId, Arc<Entry<HostRecord>>)> {
        let image = self.read();
        let claimed = image.claimed.iter();
        claimed
            .filter_map(|host| Some((host.clone(), image.hosts.get(host)?.as_ref().ok()?.clone())))
            .collect()
    }

    /// The hosts that somebody wants started.
    pub(crate) fn woken(&self) -> Vec<(HostId, Arc<Entry<HostRecord>>)> {
        let image = self.read();
        let woken = image.woken.iter();
        woken
            .filter_map(|host| Some((host.clone(), image.hosts.get(host)?.as_ref().ok()?.clone())))
            .collect()
    }

    /// Hears of what may change under a claim.
    pub(crate) fn watch(&self, host: &HostId, policy_revision: &str) -> HostWatch {
        let mut image = self.write();
        let current = image
            .hosts
            .get(host)
            .and_then(|entry| entry.as_ref().ok().cloned())
            .unwrap_or_default();
        let mut key = image
            .watched
            .entry(host.clone())
            .or_insert_with(|| watch::channel(current).0)
            .subscribe();
        drop(image);
        let mut gate = self.0.gate.subscribe();
        let mut configuration = self.0.configuration.subscribe();
        // What changed between the decision and now counts as well.
        key.mark_changed();
        gate.mark_changed();
        configuration.mark_changed();
        HostWatch {
            mirror: self.clone(),
            host: host.clone(),
            key,
            gate,
            configuration,
            policy_revision: policy_revision.to_owned(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Image> {
        // Every change is one assignment; a panic elsewhere leaves the copy whole.
        self.0.image.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Image> {
        self.0.image.write().unwrap_or_else(PoisonError::into_inner)
    }
}
