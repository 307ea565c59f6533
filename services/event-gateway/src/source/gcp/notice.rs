//! What the two values of the metadata server mean, and which change of one is which happening.
//!
//! It reads no answer and knows no clock. What it has seen is kept over restarts, and is of no use in another boot.

use crate::{
    happening::{Happening, State},
    source::kept::Noted,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;
use std::collections::BTreeMap;

/// Who noticed it.
pub(super) const SOURCE: &str = "gcp.compute.metadata-server";

/// ETags that are remembered. A server that draws a new one for each notice has no more than a handful a month;
/// beyond this the counting is begun anew, which needs as many notices in one boot.
const REMEMBERED: usize = 64;

/// A value that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    Preempted,
    Maintenance,
}

/// What a value announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Notice {
    /// Compute Engine takes the machine back; it stops or deletes it.
    Preemption,
    /// The machine moves to another host while it runs.
    Migration,
    /// The machine is stopped for the maintenance of its host: its memory and its local disks are lost, and
    /// whether it starts again is its owner's setting. So it is the end of this launch.
    Termination,
}

impl Watched {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Preempted => "/computeMetadata/v1/instance/preempted",
            Self::Maintenance => "/computeMetadata/v1/instance/maintenance-event",
        }
    }

    /// The file in which it is kept what was seen of it.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Preempted => "gcp-preempted.json",
            Self::Maintenance => "gcp-maintenance.json",
        }
    }

    /// What a value of it means; nothing where it is none of those documented.
    pub(super) fn meaning(self, text: &str) -> Option<Option<Notice>> {
        match (self, text) {
            (Self::Preempted, "FALSE") | (Self::Maintenance, "NONE") => Some(None),
            (Self::Preempted, "TRUE") => Some(Some(Notice::Preemption)),
            (Self::Maintenance, "MIGRATE_ON_HOST_MAINTENANCE") => Some(Some(Notice::Migration)),
            (Self::Maintenance, "TERMINATE_ON_HOST_MAINTENANCE") => Some(Some(Notice::Termination)),
            _ => None,
        }
    }
}

/// One row for each notice.
struct Row {
    event_type: &'static str,
    /// The server gives no time. These are what is documented as the least, counted from when it was noticed.
    seconds: i64,
    /// What it means that the value is back: of a migration, that it is over; of the others, since this
    /// machine still runs, that they will not happen.
    over: State,
    key: &'static str,
    value: &'static str,
}

impl Notice {
    const fn row(self) -> Row {
        match self {
            // "Scheduling: skipGuestOsShutdown": 30 seconds for Spot VMs from ACPI G2 Soft Off to G3 Mechanical
            // Off. "Create and use Spot VMs": by best effort.
            Self::Preemption => Row {
                event_type: "cloud.spot.interrupt",
                seconds: 30,
                over: State::Cancelled,
                key: "preempted",
                value: "TRUE",
            },
            // "Query metadata server for maintenance event notices": the value changes 60 seconds before.
            Self::Migration => Row {
                event_type: "cloud.instance.maintenance",
                seconds: 60,
                over: State::Cleared,
                key: "maintenance_event",
                value: "MIGRATE_ON_HOST_MAINTENANCE",
            },
            // "Handle GPU host maintenance events": an hour for machines with GPUs, 60 seconds for others. The
            // value does not say which, and handlers that are done early harm nothing.
            Self::Termination => Row {
                event_type: "cloud.instance.termination",
                seconds: 60,
                over: State::Cancelled,
                key: "maintenance_event",
                value: "TERMINATE_ON_HOST_MAINTENANCE",
            },
        }
    }
}

/// What one value said last, and what was told of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// In which boot: with another one a launch may have ended, and what was announced for it.
    boot_id: String,
    current: Option<Current>,
    told: BTreeMap<String, u32>,
    /// Whether nothing was seen since the start of this process.
    #[serde(skip)]
    is_resumed: bool,
}

/// A notice that stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Current {
    notice: Notice,
    /// That of the newest answer that said so.
    etag: Option<String>,
    happening: Noted,
}

impl Current {
    /// Whether the value went back and came again while nobody looked. A preemption is one in a launch.
    fn is_another(&self, etag: Option<&str>) -> bool {
        let differs = self
            .etag
            .as_deref()
            .zip(etag)
            .is_some_and(|(one, other)| one != other);
        differs && self.notice != Notice::Preemption
    }
}

impl Seen {
    /// Nothing yet, in this boot.
    pub(super) fn nothing_in(boot_id: &str) -> Seen {
        Seen {
            boot_id: boot_id.to_owned(),
            ..Seen::default()
        }
    }

    /// Whether it was seen in this boot.
    pub(super) fn is_of(&self, boot_id: &str) -> bool {
        self.boot_id == boot_id
    }

    /// The same in another process.
    pub(super) fn resumed(self) -> Seen {
        Seen {
            is_resumed: true,
            ..self
        }
    }

    /// What is to be told now that the value means this; nothing as long as it means the same.
    pub(super) fn take(
        &mut self,
        notice: Option<Notice>,
        etag: Option<&str>,
        now: Timestamp,
    ) -> Vec<Happening> {
        let is_resumed = std::mem::take(&mut self.is_resumed);
        if self.current.as_ref().map(|current| current.notice) == notice {
            let stands = self.current.as_mut();
            match stands.filter(|current| !(is_resumed && current.is_another(etag))) {
                Some(current) => {
                    current.etag = etag.map(str::to_owned);
                    return Vec::new();
                }
                None if notice.is_none() => return Vec::new(),
                None => {}
            }
        }
        let before = self.current.take();
        // What begins goes first: it has a deadline.
        let begins = notice.map(|notice| self.raised(notice, etag, now));
        self.current = notice.zip(begins.as_ref()).map(|(notice, happening)| Current {
            notice,
            etag: etag.map(str::to_owned),
            happening: happening.into(),
        });
        let ends = before.map(|before| Happening {
            state: before.notice.row().over,
            deadline: None,
            ..before.happening.by(SOURCE)
        });
        begins.into_iter().chain(ends).collect()
    }

    fn raised(&mut self, notice: Notice, etag: Option<&str>, now: Timestamp) -> Happening {
        let row = notice.row();
        let name = match notice {
            Notice::Preemption => "",
            Notice::Migration | Notice::Termination => etag.unwrap_or_default(),
        };
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        let times = self.told.entry(format!("{}/{name}", row.value)).or_insert(0);
        *times = times.saturating_add(1);
        let occurrence = match *times {
            1 => name.to_owned(),
            times => format!("{name}#{times}"),
        };
        let mut data = Map::new();
        data.insert(row.key.to_owned(), Value::from(row.value));
        data.insert("deadline_is_assumed".to_owned(), Value::from(true));
        Happening {
            event_type: row.event_type.parse().expect("a type of the table of severities"),
            source: SOURCE,
            occurrence,
            launch: None,
            state: State::Raised,
            happened_at: None,
            deadline: now.checked_add(SignedDuration::from_secs(row.seconds)).ok(),
            data,
        }
    }
}

#[cfg(test)]
mod tests;
