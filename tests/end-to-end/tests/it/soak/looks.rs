//! What a gateway that only looks sees of the events that are under way.

use super::{LIMIT, stage::Stage};
use crate::separate::named;
use snooze_bus::{Bucket, Bus, Change, LaneProgress, Role, Stream};
use snooze_schemas::event::OpenEvent;
use snooze_test_harness::wait_until;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;

impl Stage {
    /// Waits until every event that is filed is accounted for: none comes again.
    pub(crate) async fn until_all_is_dispatched(&self) {
        let looker = self.looker().await;
        for stream in [Stream::EventsUrgent, Stream::EventsRoutine] {
            wait_until(LIMIT, "nothing is left to be dispatched", async || {
                let kept = looker.events_kept(stream).await;
                kept.is_ok_and(|kept| !kept.lanes.iter().any(LaneProgress::is_behind))
            })
            .await;
        }
    }

    /// The ids of the events that wait for something, as another gateway sees them.
    pub(crate) async fn open(&self) -> Vec<String> {
        let looker = self.looker().await;
        let notes = looker.bucket(Bucket::Open).watch::<OpenEvent>(">").await;
        let mut notes = notes.expect("a gateway watches");
        let mut open = Vec::new();
        loop {
            match notes
                .next()
                .await
                .expect("the broker is there")
                .expect("it can be read")
            {
                Change::Put(entry) => open.push(entry.value.event.id.to_string()),
                Change::Ready => return open,
                Change::Deleted { .. } | Change::Unreadable { .. } => {}
            }
        }
    }

    /// Waits until no event waits for anything.
    pub(crate) async fn until_nothing_is_open(&self, limit: Duration) {
        let looker = self.looker().await;
        let notes = looker.bucket(Bucket::Open).watch::<OpenEvent>(">").await;
        let mut notes = notes.expect("a gateway watches");
        let (mut open, mut is_whole) = (BTreeSet::new(), false);
        let swept = async {
            while !is_whole || !open.is_empty() {
                match notes
                    .next()
                    .await
                    .expect("the broker is there")
                    .expect("it can be read")
                {
                    Change::Put(entry) => drop(open.insert(entry.key)),
                    Change::Deleted { key, .. } | Change::Unreadable { key, .. } => drop(open.remove(&key)),
                    Change::Ready => is_whole = true,
                }
            }
        };
        let swept = timeout(limit, swept).await;
        assert!(swept.is_ok(), "waited {limit:?} in vain until {open:?} are over");
    }

    /// A gateway that only looks.
    pub(crate) async fn looker(&self) -> Bus {
        self.server.bus(&named(Role::Gateway, "looker")).await
    }
}
