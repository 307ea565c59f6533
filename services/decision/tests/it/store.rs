//! The bucket as tests have it: keys with revisions, atomic batches with an expected revision for each key,
//! and a look at the slots, which never leak or go over the limit.

use snooze_decision::claim::{
    Batch, Entry, Gate, HostRecord, Key, Revision, Slot, SlotOffer, SlotSeen, StateRead, Value,
};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) revision: u64,
    hosts: BTreeMap<usize, Entry<HostRecord>>,
    pub(crate) gate: Entry<Gate>,
    slots: BTreeMap<u32, Entry<Option<Slot>>>,
}

impl Store {
    pub(crate) fn host(&self, host: usize) -> Entry<HostRecord> {
        self.hosts.get(&host).cloned().unwrap_or_default()
    }

    fn revision_of(&self, host: usize, key: &Key) -> Revision {
        match key {
            Key::Host => self.host(host).revision,
            Key::Gate => self.gate.revision,
            Key::Slot { n, .. } => self.slots.get(n).map_or(Revision(0), |slot| slot.revision),
        }
    }

    /// All of the batch or nothing; the revision of its last write.
    pub(crate) fn apply(&mut self, host: usize, batch: &Batch) -> Option<Revision> {
        let matches =
            |write: &snooze_decision::claim::Write| self.revision_of(host, &write.key) == write.expected;
        if !batch.writes.iter().all(matches) {
            return None;
        }
        for write in &batch.writes {
            self.revision += 1;
            let revision = Revision(self.revision);
            match (&write.key, &write.value) {
                (Key::Host, Value::Host(record)) => {
                    let value = HostRecord::clone(record);
                    self.hosts.insert(host, Entry { revision, value });
                }
                (Key::Gate, Value::Gate(gate)) => {
                    self.gate = Entry {
                        revision,
                        value: gate.clone(),
                    };
                }
                (Key::Slot { n, .. }, Value::Slot(slot)) => {
                    let value = Some(slot.clone());
                    self.slots.insert(*n, Entry { revision, value });
                }
                (Key::Slot { n, .. }, Value::Delete) => {
                    self.slots.insert(
                        *n,
                        Entry {
                            revision,
                            value: None,
                        },
                    );
                }
                (key, value) => panic!("{value:?} does not belong under {key:?}"),
            }
        }
        Some(Revision(self.revision))
    }

    /// A person's change of a host's key at the revision that was read.
    pub(crate) fn put_host(
        &mut self,
        host: usize,
        expected: Revision,
        value: HostRecord,
    ) -> Option<Revision> {
        if self.host(host).revision != expected {
            return None;
        }
        self.revision += 1;
        let revision = Revision(self.revision);
        self.hosts.insert(host, Entry { revision, value });
        Some(revision)
    }

    pub(crate) fn put_gate(&mut self, value: Gate) {
        self.revision += 1;
        self.gate = Entry {
            revision: Revision(self.revision),
            value,
        };
    }

    pub(crate) fn state(&self, host: usize, asked: &[u32]) -> StateRead {
        let taken = |n: &u32| self.slots.get(n).filter(|slot| slot.value.is_some()).cloned();
        StateRead {
            host: self.host(host),
            gate: self.gate.clone(),
            slots: asked
                .iter()
                .filter_map(|n| taken(n).map(|entry| SlotSeen { n: *n, entry }))
                .collect(),
        }
    }

    pub(crate) fn free_slot(&self, limit: u32, draw: u64) -> Option<SlotOffer> {
        use snooze_decision::claim::{Occupied, pick_slot};
        let read: Vec<_> = self
            .slots
            .iter()
            .map(|(n, slot)| {
                let occupied = if slot.value.is_some() {
                    Occupied::Yes
                } else {
                    Occupied::No
                };
                (*n, slot.revision, occupied)
            })
            .collect();
        pick_slot(&read, limit, draw)
    }

    /// L1: every taken slot belongs to a claim that has it, every claim has its slots, never too many.
    pub(crate) fn check_slots(&self, limit: u32) {
        let mut taken = 0;
        for (n, slot) in &self.slots {
            let Some(slot) = &slot.value else { continue };
            taken += 1;
            let host: usize = slot.host[1..].parse().expect("hosts are called h0, h1, …");
            let claim = self.host(host).value.claim;
            let has = claim.is_some_and(|claim| claim.slots.contains(n));
            assert!(
                has,
                "slot {n} leaked: it is taken for {} whose claim does not have it",
                slot.host
            );
        }
        assert!(taken <= limit, "{taken} slots are taken, {limit} is the limit");
        for (host, entry) in &self.hosts {
            for n in entry.value.claim.iter().flat_map(|claim| &claim.slots) {
                let owner = self.slots.get(n).and_then(|slot| slot.value.as_ref());
                let name = format!("h{host}");
                assert!(
                    owner.is_some_and(|slot| slot.host == name),
                    "slot {n} of {name} is not its own"
                );
            }
        }
    }

    pub(crate) fn all_free(&self) -> bool {
        self.hosts.values().all(|entry| entry.value.claim.is_none())
            && self.slots.values().all(|slot| slot.value.is_none())
    }
}
