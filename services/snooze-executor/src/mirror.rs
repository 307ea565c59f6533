//! What the buckets hold, kept up to date in memory by their watches: roster, policies, host keys, kill
//! switch and slots.
//!
//! A copy can be behind. Deciding on it is safe, because every write names the revision that was read
//! here and is refused where that has moved; whatever no revision fences (the roster's record, the
//! policy) is read again or compared again on the way to a stop. It writes nothing.

mod host_watch;
mod image;
#[cfg(test)]
mod tests;

pub(crate) use host_watch::HostWatch;

use crate::convert::{self, PolicyError};
use image::Image;
use serde_json::Value;
use snooze_bus::keys;
use snooze_decision::{
    self as pure,
    claim::{Entry, Gate, HostRecord, Occupied, Revision},
    decide::Slots,
};
use snooze_schemas::{GroupName, HostId, policy, policy::ConfigLayer, roster::RosterRecord, state as wire};
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

/// A change in a bucket, as its watch tells it.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) key: String,
    pub(crate) revision: u64,
    /// None where it was deleted; an error where it cannot be read at all.
    pub(crate) value: Option<Result<Value, String>>,
}

/// Which bucket a change is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Configuration,
    State,
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

    /// A watch begins anew: what it does not mention any more is gone, so nothing is believed until it is through.
    pub(crate) fn begin(&self, area: Area) {
        let mut image = self.write();
        match area {
            Area::Configuration => {
                image.layers.clear();
                image.roster.clear();
                image.group_policies.clear();
                image.host_policies.clear();
                image.configured = false;
            }
            Area::State => {
                image.hosts.clear();
                image.claimed.clear();
                image.woken.clear();
                image.slots.clear();
                image.gate = None;
                image.stated = false;
            }
        }
        drop(image);
        self.0.ready.send_replace(false);
    }

    /// A watch has told all that there was when it began.
    pub(crate) fn complete(&self, area: Area) {
        let mut image = self.write();
        match area {
            Area::Configuration => image.configured = true,
            Area::State => image.stated = true,
        }
        let ready = image.configured && image.stated;
        drop(image);
        self.0.ready.send_replace(ready);
        if area == Area::Configuration {
            self.0.configuration.send_modify(|count| *count += 1);
        }
    }

    /// Takes one change.
    pub(crate) fn take(&self, area: Area, changed: Changed) {
        match area {
            Area::Configuration => self.take_configuration(changed),
            Area::State => self.take_state(changed),
        }
    }

    fn take_configuration(&self, changed: Changed) {
        let mut image = self.write();
        if let Some(host) = changed.key.strip_prefix("roster.") {
            let Ok(host) = host.parse::<HostId>() else { return };
            match changed.value {
                None => drop(image.roster.remove(&host)),
                Some(value) => {
                    let record = read::<RosterRecord>(&changed.key, value).map(Arc::new);
                    // It may be in another group now.
                    if let Some(own) = image.host_policies.get_mut(&host) {
                        *own = None;
                    }
                    image.roster.insert(host, record);
                }
            }
        } else {
            let layer = changed
                .value
                .map(|value| read::<ConfigLayer>(&changed.key, value).map(Arc::new));
            match layer {
                None => drop(image.layers.remove(&changed.key)),
                Some(layer) => drop(
                    image
                        .layers
                        .insert(changed.key.clone(), (changed.revision, layer)),
                ),
            }
            image.forget_policies(&changed.key);
        }
        drop(image);
        self.0.configuration.send_modify(|count| *count += 1);
    }

    fn take_state(&self, changed: Changed) {
        let revision = Revision(changed.revision);
        if changed.key == keys::GATE {
            let gate = match changed.value {
                None => Ok(Arc::new(Entry {
                    revision,
                    value: Gate::default(),
                })),
                Some(value) => read::<wire::Gate>(&changed.key, value)
                    .map(|gate| {
                        Arc::new(Entry {
                            revision,
                            value: convert::state::gate(gate),
                        })
                    })
                    .map_err(Arc::from),
            };
            if let Ok(gate) = &gate {
                self.0.gate.send_replace(Arc::clone(gate));
            }
            self.write().gate = Some(gate);
        } else if let Some(host) = keys::host_of(&changed.key) {
            let record = match changed.value {
                None => Ok(HostRecord::default()),
                Some(value) => read(&changed.key, value).map(convert::state::host_record),
            };
            let entry = record
                .map(|value| Arc::new(Entry { revision, value }))
                .map_err(Arc::from);
            self.write().set_host(host, entry);
        } else if let Some((group, number)) = keys::slot_of(&changed.key) {
            // Taken is a slot that has any value; by whom matters only to the claim that took it.
            let occupied = if changed.value.is_some() {
                Occupied::Yes
            } else {
                Occupied::No
            };
            self.write()
                .slots
                .entry(group)
                .or_default()
                .insert(number, (revision, occupied));
        }
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

    /// The slots of a group below its limit, as they were last seen.
    pub(crate) fn slots(&self, group: &GroupName) -> Vec<(u32, Revision, Occupied)> {
        let image = self.read();
        let slots = image.slots.get(group).into_iter().flatten();
        slots
            .map(|(number, (revision, occupied))| (*number, *revision, *occupied))
            .collect()
    }

    /// Whether a group has a free slot.
    pub(crate) fn free_slots(&self, group: &GroupName, limit: u32) -> Slots {
        let image = self.read();
        let taken = image.slots.get(group).map_or(0, |slots| {
            let taken = |(number, (_, occupied)): &(&u32, &(Revision, Occupied))| {
                **number < limit && *occupied == Occupied::Yes
            };
            slots.iter().filter(taken).count()
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
        // What changed between the decision and now counts as well.
        key.mark_changed();
        gate.mark_changed();
        HostWatch {
            mirror: self.clone(),
            host: host.clone(),
            key,
            gate,
            configuration: self.0.configuration.subscribe(),
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

fn read<T: serde::de::DeserializeOwned>(key: &str, value: Result<Value, String>) -> Result<T, String> {
    let read = value.and_then(|value| T::deserialize(value).map_err(|error| error.to_string()));
    read.map_err(|reason| format!("the key {key} cannot be read: {reason}"))
}
