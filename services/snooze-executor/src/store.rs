//! Reading and writing the keys: the state of hosts, kill switch and slots, and the roster.
//!
//! Every write names the revision that was read. What became of a write is one of three things, and the
//! third, that nobody knows, is never taken for one of the others (rule L7).

use crate::{convert::state, perform::chain};
use snooze_bus::{BatchWrite, Bucket, Bus, BusError, WriteError, keys};
use snooze_decision::claim::{
    Batch, Entry, Gate, HostRecord, Key, Revision, Slot, SlotSeen, StateRead, Value, Write,
};
use snooze_schemas::{GroupName, HostId, roster::RosterRecord, state as wire};
use std::time::Duration;

/// The keys on one connection; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    bus: Bus,
}

/// Why keys could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A revision has moved: certainly nothing was written.
    #[error("somebody else wrote the key first")]
    Moved,
    /// Nobody knows whether it was written.
    #[error("nobody knows whether the key was written")]
    Ambiguous,
    /// Certainly nothing was written.
    #[error("write the keys of {host}")]
    Write {
        /// Whose.
        host: HostId,
        /// Why.
        source: WriteError,
    },
    /// A batch that cannot be put into writing.
    #[error("put a batch for {host} into writing")]
    Render {
        /// Whose.
        host: HostId,
        /// Why.
        source: BusError,
    },
    /// A group whose name is none.
    #[error("{group:?} is no group")]
    Group {
        /// As it was given.
        group: String,
    },
    /// A key could not be read.
    #[error("read {key}")]
    Read {
        /// Which.
        key: String,
        /// Why.
        source: BusError,
    },
}

impl Store {
    pub(crate) fn new(bus: &Bus) -> Self {
        Self { bus: bus.clone() }
    }

    /// Writes a batch, all or nothing, and returns the revision of its last write.
    pub(crate) async fn write(
        &self,
        host: &HostId,
        batch: Batch,
        within: Duration,
    ) -> Result<Revision, StoreError> {
        let writes = batch
            .writes
            .into_iter()
            .map(|write| rendered(host, write))
            .collect::<Result<Vec<_>, _>>()?;
        let written = self.bus.write_batch(writes, within).await;
        self.outcome(host, written)
    }

    /// Writes a host's record alone.
    pub(crate) async fn update(
        &self,
        host: &HostId,
        record: HostRecord,
        read: Revision,
    ) -> Result<Revision, StoreError> {
        let value = state::wire_host_record(record);
        let written = self.state().update(&keys::state_key(host), &value, read.0).await;
        self.outcome(host, written)
    }

    /// Writes the kill switch alone.
    pub(crate) async fn update_gate(&self, gate: Gate, read: Revision) -> Result<Revision, WriteError> {
        let value = state::wire_gate(gate);
        self.state()
            .update(keys::GATE, &value, read.0)
            .await
            .map(Revision)
    }

    fn outcome(&self, host: &HostId, written: Result<u64, WriteError>) -> Result<Revision, StoreError> {
        match written {
            Ok(revision) => Ok(Revision(revision)),
            Err(WriteError::Conflict { .. }) => Err(StoreError::Moved),
            Err(WriteError::Ambiguous { .. }) => Err(StoreError::Ambiguous),
            Err(source) => Err(StoreError::Write {
                host: host.clone(),
                source,
            }),
        }
    }

    /// A host's key, the kill switch and these slots, from the leader.
    pub(crate) async fn read(&self, host: &HostId, group: &str, slots: &[u32]) -> Result<StateRead, String> {
        let read = async {
            let host = self.host(host).await?;
            let gate = self.gate().await?;
            let group = group_name(group)?;
            let mut seen = Vec::new();
            for n in slots {
                let (revision, value) = self.look::<wire::Slot>(&keys::slot_key(&group, *n)).await?;
                if let Some(slot) = value {
                    let value: Option<Slot> = Some(state::slot(slot));
                    seen.push(SlotSeen {
                        n: *n,
                        entry: Entry { revision, value },
                    });
                }
            }
            Ok::<_, StoreError>(StateRead {
                host,
                gate,
                slots: seen,
            })
        };
        read.await.map_err(|error| chain(&error))
    }

    /// A host's key; one that has no value is that of a free host.
    pub(crate) async fn host(&self, host: &HostId) -> Result<Entry<HostRecord>, StoreError> {
        let (revision, value) = self.look::<wire::HostRecord>(&keys::state_key(host)).await?;
        let value = value.map(state::host_record).unwrap_or_default();
        Ok(Entry { revision, value })
    }

    /// The kill switch; one that was never touched is open.
    pub(crate) async fn gate(&self) -> Result<Entry<Gate>, StoreError> {
        let (revision, value) = self.look::<wire::Gate>(keys::GATE).await?;
        let value = value.map(state::gate).unwrap_or_default();
        Ok(Entry { revision, value })
    }

    /// A host's record in the roster, with its revision.
    pub(crate) async fn roster(&self, host: &HostId) -> Result<Option<(u64, RosterRecord)>, StoreError> {
        let key = keys::roster_key(host);
        let look = self.bus.bucket(Bucket::Config).look::<RosterRecord>(&key).await;
        let look = look.map_err(|source| StoreError::Read { key, source })?;
        Ok(look.entry.map(|entry| (entry.revision, entry.value)))
    }

    /// Writes a host's record in the roster at the revision that was read; returns the new revision.
    pub(crate) async fn update_roster(
        &self,
        host: &HostId,
        record: &RosterRecord,
        revision: u64,
    ) -> Result<u64, StoreError> {
        let key = keys::roster_key(host);
        let written = self
            .bus
            .bucket(Bucket::Config)
            .update(&key, record, revision)
            .await;
        self.outcome(host, written).map(|revision| revision.0)
    }

    fn state(&self) -> snooze_bus::BucketHandle {
        self.bus.bucket(Bucket::State)
    }

    async fn look<T: serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<(Revision, Option<T>), StoreError> {
        let look = self
            .state()
            .look::<T>(key)
            .await
            .map_err(|source| StoreError::Read {
                key: key.to_owned(),
                source,
            })?;
        Ok((Revision(look.revision), look.entry.map(|entry| entry.value)))
    }
}

fn group_name(group: &str) -> Result<GroupName, StoreError> {
    group.parse().map_err(|_| StoreError::Group {
        group: group.to_owned(),
    })
}

fn rendered(host: &HostId, write: Write) -> Result<BatchWrite, StoreError> {
    let key = match write.key {
        Key::Host => keys::state_key(host),
        Key::Gate => keys::GATE.to_owned(),
        Key::Slot { group, n } => keys::slot_key(&group_name(&group)?, n),
    };
    let expected = write.expected.0;
    let rendered = match write.value {
        Value::Host(record) => BatchWrite::put(key, &state::wire_host_record(*record), expected),
        Value::Gate(gate) => BatchWrite::put(key, &state::wire_gate(gate), expected),
        Value::Slot(slot) => BatchWrite::put(key, &state::wire_slot(slot), expected),
        Value::Delete => Ok(BatchWrite::delete(key, expected)),
    };
    rendered.map_err(|source| StoreError::Render {
        host: host.clone(),
        source,
    })
}
