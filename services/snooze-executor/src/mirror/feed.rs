//! How the copy is fed: what a watch tells, from its beginning on. Nothing is believed before both watches
//! have told all that there was when they began.

use super::Mirror;
use crate::convert;
use serde_json::Value;
use snooze_bus::keys;
use snooze_decision::claim::{Entry, Gate, HostRecord, Occupied, Revision};
use snooze_schemas::{HostId, policy::ConfigLayer, roster::RosterRecord, state as wire};
use std::sync::Arc;

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
        if ready {
            // Whichever comes last: while one was missing, nobody could compare a policy.
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
}

fn read<T: serde::de::DeserializeOwned>(key: &str, value: Result<Value, String>) -> Result<T, String> {
    let read = value.and_then(|value| T::deserialize(value).map_err(|error| error.to_string()));
    read.map_err(|reason| format!("the key {key} cannot be read: {reason}"))
}
