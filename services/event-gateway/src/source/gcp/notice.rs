//! What the two values of the metadata server mean, and which change of one is which happening.
//!
//! It reads no answer and knows no clock.

use crate::happening::{Happening, State};
use jiff::SignedDuration;
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;
use std::collections::BTreeMap;

/// ETags that are remembered. A server that draws a new one for each notice has no more than a handful a month;
/// beyond this the oldest counting is begun anew, which needs as many notices in one run.
const REMEMBERED: usize = 64;

/// A value that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    Preempted,
    Maintenance,
}

/// What a value announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Default)]
pub(super) struct Seen {
    current: Option<(Notice, Happening)>,
    told: BTreeMap<String, u32>,
}

impl Seen {
    /// What is to be told now that the value means this; nothing as long as it means the same.
    pub(super) fn take(
        &mut self,
        notice: Option<Notice>,
        etag: Option<&str>,
        now: Timestamp,
    ) -> Vec<Happening> {
        if self.current.as_ref().map(|(known, _)| *known) == notice {
            return Vec::new();
        }
        let before = self.current.take();
        self.current = notice.map(|notice| (notice, self.raised(notice, etag, now)));
        // What begins goes first: it has a deadline.
        let begins = self.current.as_ref().map(|(_, happening)| happening.clone());
        let ends = before.map(|(notice, happening)| Happening {
            state: notice.row().over,
            deadline: None,
            ..happening
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
            source: "gcp.compute.metadata-server",
            occurrence,
            launch: None,
            state: State::Raised,
            deadline: now.checked_add(SignedDuration::from_secs(row.seconds)).ok(),
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::event::severity_of;

    const ALL: [Notice; 3] = [Notice::Preemption, Notice::Migration, Notice::Termination];

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().expect("a time")
    }

    #[test]
    fn e1_every_type_is_in_the_table_of_severities() {
        for notice in ALL {
            let happening = Seen::default().take(Some(notice), None, now()).remove(0);
            assert!(severity_of(&happening.event_type).is_some(), "{notice:?}");
        }
    }

    #[test]
    fn e1_a_notice_is_told_once_and_after_a_restart_as_the_same() {
        for notice in ALL {
            let mut seen = Seen::default();
            let first = seen.take(Some(notice), Some("4a"), now());
            assert_eq!(first.len(), 1);
            for _ in 0..10 {
                assert_eq!(seen.take(Some(notice), Some("4a"), now()), []);
            }
            let later = now() + SignedDuration::from_secs(9);
            let again = Seen::default().take(Some(notice), Some("4a"), later);
            assert_eq!(again[0].occurrence, first[0].occurrence);
        }
    }

    #[test]
    fn e1_a_second_migration_in_one_launch_is_another_happening_though_its_etag_is_the_first_ones() {
        let mut seen = Seen::default();
        let mut told = Vec::new();
        for _ in 0..3 {
            told.extend(seen.take(Some(Notice::Migration), Some("4a"), now()));
            told.extend(seen.take(None, Some("4b"), now()));
        }
        let names: Vec<_> = told.iter().map(|it| (it.occurrence.as_str(), it.state)).collect();
        let wanted = ["4a", "4a#2", "4a#3"]
            .map(|name| [(name, State::Raised), (name, State::Cleared)])
            .concat();
        assert_eq!(names, wanted);
    }

    #[test]
    fn maintenance_that_turns_worse_is_told_before_what_it_replaces_ends() {
        let mut seen = Seen::default();
        seen.take(Some(Notice::Migration), Some("1"), now());
        let told = seen.take(Some(Notice::Termination), Some("2"), now());
        let told: Vec<_> = told.iter().map(|it| (it.event_type.as_str(), it.state)).collect();
        assert_eq!(
            told,
            [
                ("cloud.instance.termination", State::Raised),
                ("cloud.instance.maintenance", State::Cleared)
            ]
        );
    }

    #[test]
    fn the_deadline_is_the_least_that_is_documented_and_says_that_it_is_assumed() {
        let seconds = ALL.map(|notice| {
            let told = Seen::default().take(Some(notice), None, now()).remove(0);
            assert_eq!(told.data["deadline_is_assumed"], true);
            told.deadline.expect("a deadline").duration_since(now()).as_secs()
        });
        assert_eq!(seconds, [30, 60, 60]);
    }
}
