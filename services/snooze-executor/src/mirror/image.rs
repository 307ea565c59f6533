//! The copy itself: plain maps, and how a host's policy is merged from its layers, once for each change.

use super::{HostPolicy, PolicyOf, View};
use crate::convert::{self, PolicyError};
use snooze_bus::keys;
use snooze_decision::claim::{Entry, Gate, HostRecord, Occupied, Revision};
use snooze_schemas::{GroupName, HostId, policy, policy::ConfigLayer, roster::RosterRecord};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use tokio::sync::watch;

#[derive(Debug, Default)]
pub(super) struct Image {
    pub(super) layers: HashMap<String, (u64, Result<Arc<ConfigLayer>, String>)>,
    pub(super) roster: HashMap<HostId, Result<Arc<RosterRecord>, String>>,
    pub(super) hosts: HashMap<HostId, Result<Arc<Entry<HostRecord>>, Arc<str>>>,
    pub(super) claimed: BTreeSet<HostId>,
    pub(super) woken: BTreeSet<HostId>,
    pub(super) watched: HashMap<HostId, watch::Sender<Arc<Entry<HostRecord>>>>,
    pub(super) gate: Option<Result<Arc<Entry<Gate>>, Arc<str>>>,
    pub(super) slots: HashMap<GroupName, BTreeMap<u32, (Revision, Occupied)>>,
    /// Merged policies of the groups, for their hosts without a layer of their own.
    pub(super) group_policies: HashMap<GroupName, PolicyOf>,
    /// Merged policies of the hosts that have a layer of their own; none where it is still to be merged.
    pub(super) host_policies: HashMap<HostId, Option<PolicyOf>>,
    pub(super) configured: bool,
    pub(super) stated: bool,
}

impl Image {
    pub(super) fn gate(&self) -> Result<Arc<Entry<Gate>>, Arc<str>> {
        // A switch that was never touched has no key, and is open.
        self.gate.clone().unwrap_or_else(|| Ok(Arc::default()))
    }

    pub(super) fn set_host(&mut self, host: HostId, entry: Result<Arc<Entry<HostRecord>>, Arc<str>>) {
        let record = entry.as_ref().ok().map(|entry| &entry.value);
        if record.is_some_and(|record| record.claim.is_some()) {
            self.claimed.insert(host.clone());
        } else {
            self.claimed.remove(&host);
        }
        if record.is_some_and(|record| record.wake.is_some()) {
            self.woken.insert(host.clone());
        } else {
            self.woken.remove(&host);
        }
        if let (Some(sender), Ok(entry)) = (self.watched.get(&host), &entry)
            && sender.send(Arc::clone(entry)).is_err()
        {
            self.watched.remove(&host);
        }
        self.hosts.insert(host, entry);
    }

    pub(super) fn record(&self, host: &HostId) -> Option<Arc<RosterRecord>> {
        self.roster.get(host)?.as_ref().ok().cloned()
    }

    /// A layer has changed: what was merged with it is merged anew when it is needed.
    pub(super) fn forget_policies(&mut self, key: &str) {
        if let Some(host) = keys::host_of(key) {
            if self.layers.contains_key(key) {
                self.host_policies.insert(host, None);
            } else {
                self.host_policies.remove(&host);
            }
        } else {
            self.group_policies.clear();
            self.host_policies.values_mut().for_each(|policy| *policy = None);
        }
    }

    pub(super) fn view(&self, host: &HostId) -> Option<View> {
        let record = self.record(host);
        let policy = match self.host_policies.get(host) {
            Some(own) => own.clone()?,
            None => match &record {
                Some(record) => self.group_policies.get(&record.group)?.clone(),
                None => self.group_policies.get(&default_group())?.clone(),
            },
        };
        let key = self
            .hosts
            .get(host)
            .cloned()
            .unwrap_or_else(|| Ok(Arc::default()));
        Some(View {
            record,
            policy,
            key,
            gate: self.gate(),
        })
    }

    pub(super) fn merge_policy(&mut self, host: &HostId) {
        let group = self
            .record(host)
            .map_or_else(default_group, |record| record.group.clone());
        let names = [
            keys::FLEET.to_owned(),
            keys::group_key(&group),
            keys::host_key(host),
        ];
        let merged = self.merged(&names).map(Arc::new).map_err(Arc::new);
        match self.host_policies.get_mut(host) {
            Some(own) => *own = Some(merged),
            None => drop(self.group_policies.insert(group, merged)),
        }
    }

    pub(super) fn merged(&self, names: &[String]) -> Result<HostPolicy, PolicyError> {
        let mut layers = Vec::new();
        let mut revisions = Vec::new();
        for name in names {
            match self.layers.get(name) {
                None => revisions.push(0),
                Some((revision, layer)) => {
                    revisions.push(*revision);
                    layers.push(layer);
                }
            }
        }
        let revision = revisions.iter().map(u64::to_string).collect::<Vec<_>>().join("/");
        let unread = |reason: String| PolicyError::Read {
            revision: revision.clone(),
            reason,
        };
        let layers: Vec<&ConfigLayer> = layers
            .into_iter()
            .map(|layer| {
                layer
                    .as_ref()
                    .map(AsRef::as_ref)
                    .map_err(|reason| unread(reason.clone()))
            })
            .collect::<Result<_, _>>()?;
        let wire = policy::Policy::from_layers(layers).map_err(|error| unread(error.to_string()))?;
        let pure = convert::policy(&wire, &revision)?;
        Ok(HostPolicy {
            wire: Arc::new(wire),
            pure,
            revision,
        })
    }
}

fn default_group() -> GroupName {
    "default".parse().expect("`default` is a valid group name")
}
