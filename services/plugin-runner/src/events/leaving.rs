//! While an event says that the instance goes away, nobody judges its idleness: the cloud takes it, and a stop of
//! ours would come between its handlers and their work.
//!
//! That holds until the event is cancelled, until another boot, or until a while after its deadline, where the
//! instance stayed after all. It outlives a restart of the runner, in a file on tmpfs.

use crate::{
    files::{self, Durability},
    plugins::Plugins,
};
use serde::{Deserialize, Serialize};
use snooze_schemas::{EventId, EventType, event::Event};
use snooze_service_runtime::{CancellationToken, Clocks, exit::one_line};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What says that the instance goes away.
const LEAVES: [&str; 3] = [
    "cloud.spot.interrupt",
    "cloud.instance.termination",
    "cloud.autoscaling.scale",
];

/// For how long after the deadline it is still believed: clouds are late.
const AFTER: Duration = Duration::from_secs(10 * 60);

/// How often it is looked whether the time of one is over.
const LOOK: Duration = Duration::from_secs(10);

/// So many at most; what is over first makes room. More than a few are never true at once.
const AT_MOST: usize = 64;

/// Which events say so, and until when they are believed.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Book {
    boot_id: String,
    events: BTreeMap<EventId, Leaves>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Leaves {
    event_type: EventType,
    until_boottime_ms: u64,
}

impl Book {
    /// Takes an event in, and returns whether it says anything about this.
    fn take(&mut self, event: &Event, deadline_boottime_ms: u64) -> bool {
        let said = |key: &str| event.data.get(key).and_then(|said| said.as_str());
        // One that a person has handled once more says nothing new about the instance.
        if !LEAVES.contains(&event.event_type.as_str()) || said("replay_of").is_some() {
            return false;
        }
        if matches!(said("state"), Some("cancelled" | "cleared")) {
            // That one and no other: a cloud may take one notice back and give another.
            let raised: Option<EventId> = said("raised_as").and_then(|id| id.parse().ok());
            return raised.is_some_and(|raised| self.events.remove(&raised).is_some());
        }
        let leaves = Leaves {
            event_type: event.event_type.clone(),
            until_boottime_ms: deadline_boottime_ms.saturating_add(super::millis(AFTER)),
        };
        self.events.insert(event.id.clone(), leaves);
        if self.events.len() > AT_MOST
            && let Some((soonest, _)) = self
                .events
                .iter()
                .min_by_key(|(_, leaves)| leaves.until_boottime_ms)
        {
            let soonest = soonest.clone();
            self.events.remove(&soonest);
        }
        true
    }

    /// Forgets those whose time is over, and returns whether there were any.
    fn forget(&mut self, now: u64) -> bool {
        let before = self.events.len();
        self.events.retain(|_, leaves| now < leaves.until_boottime_ms);
        before != self.events.len()
    }

    /// Why idleness is not judged now.
    fn why(&self) -> Option<String> {
        let (id, leaves) = self.events.first_key_value()?;
        Some(format!(
            "{} {id} says that the cloud takes this instance away: nothing is decided about it until then",
            leaves.event_type
        ))
    }
}

/// Tells the voters.
#[derive(Debug)]
pub(crate) struct Leaving {
    file: Option<PathBuf>,
    clocks: Clocks,
    plugins: Arc<Plugins>,
    book: Mutex<Book>,
}

impl Leaving {
    /// With what an earlier runner of this boot knew.
    pub(crate) fn kept_in(
        file: Option<PathBuf>,
        boot_id: &str,
        clocks: Clocks,
        plugins: Arc<Plugins>,
    ) -> Leaving {
        let kept = file.as_deref().map(files::read::<Book>).transpose();
        let kept = kept.unwrap_or_else(|error| {
            tracing::warn!(
                error = one_line(&error),
                "whether the instance goes away is not known from before"
            );
            None
        });
        let kept = kept.flatten().filter(|book| book.boot_id == boot_id);
        let leaving = Leaving {
            file,
            clocks,
            plugins,
            book: Mutex::new(kept.unwrap_or_else(|| Book {
                boot_id: boot_id.to_owned(),
                ..Book::default()
            })),
        };
        leaving.tell(&leaving.lock());
        leaving
    }

    /// Takes an event in that was accepted.
    pub(super) fn take(&self, event: &Event, deadline_boottime_ms: u64) {
        let mut book = self.lock();
        if book.take(event, deadline_boottime_ms) {
            tracing::info!(event = %event.id, event_type = %event.event_type, "whether the instance goes away was said");
            self.keep(&book);
            self.tell(&book);
        }
    }

    /// Forgets what did not come true, until shutdown.
    pub(crate) async fn keep_true(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let mut book = self.lock();
            if book.forget(self.clocks.boottime_ms()) {
                tracing::warn!("the instance was to go away and is still here: its idleness is judged again");
                self.keep(&book);
                self.tell(&book);
            }
        }
    }

    fn tell(&self, book: &Book) {
        self.plugins.leaves(book.why());
    }

    fn keep(&self, book: &Book) {
        if let Some(file) = &self.file
            && let Err(error) = files::replace(file, book, Durability::Plain)
        {
            tracing::warn!(
                error = one_line(&error),
                "that the instance goes away does not outlive a restart"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(id: &str, event_type: &str, state: &str) -> Event {
        serde_json::from_value(json!({
            "id": id, "type": event_type, "severity": 3, "source": "aws.ec2.metadata-service", "host": "h1",
            "noticed_at": "2030-01-01T00:00:00Z", "data": {"state": state},
        }))
        .expect("an event")
    }

    fn cancelled(id: &str, event_type: &str, raised_as: &str) -> Event {
        let mut event = event(id, event_type, "cancelled");
        event.data.insert("raised_as".to_owned(), raised_as.into());
        event
    }

    #[test]
    fn an_instance_that_the_cloud_takes_away_is_not_judged_until_it_stayed_after_all() {
        let mut book = Book::default();
        assert!(book.take(&event("e1", "cloud.spot.interrupt", "raised"), 120_000));
        assert!(
            book.why()
                .is_some_and(|why| why.contains("cloud.spot.interrupt e1"))
        );
        assert!(!book.forget(120_000 + 599_999));
        assert!(book.forget(120_000 + 600_000));
        assert_eq!(book.why(), None);
    }

    #[test]
    fn one_that_is_cancelled_is_judged_again_and_no_other_with_it() {
        let mut book = Book::default();
        for id in ["e1", "e2"] {
            book.take(&event(id, "cloud.spot.interrupt", "raised"), 120_000);
        }
        assert!(book.take(&cancelled("c1", "cloud.spot.interrupt", "e1"), 120_000));
        assert!(
            book.why().is_some_and(|why| why.contains("e2")),
            "the other still holds"
        );
        assert!(!book.take(&cancelled("c1", "cloud.spot.interrupt", "e1"), 120_000));
        assert!(
            !book.take(&event("c3", "cloud.spot.interrupt", "cancelled"), 120_000),
            "of what?"
        );
        assert!(book.take(&cancelled("c2", "cloud.spot.interrupt", "e2"), 120_000));
        assert_eq!(book.why(), None);
    }

    #[test]
    fn what_is_handled_once_more_by_a_persons_will_says_nothing_about_the_instance() {
        let mut book = Book::default();
        let mut again = event("replay-1", "cloud.spot.interrupt", "raised");
        again.data.insert("replay_of".to_owned(), "e1".into());
        assert!(!book.take(&again, 120_000));
        assert_eq!(book.why(), None);
    }

    #[test]
    fn what_says_nothing_about_it_changes_nothing() {
        let mut book = Book::default();
        for event_type in [
            "cloud.instance.maintenance",
            "system.disk.low",
            "custom.cloud.spot.interrupt",
        ] {
            assert!(!book.take(&event("e1", event_type, "raised"), 120_000));
        }
        assert_eq!(book, Book::default());
    }

    #[test]
    fn it_is_bounded() {
        let mut book = Book::default();
        for number in 0..1_000 {
            book.take(&event(&format!("e{number}"), "cloud.spot.interrupt", "raised"), 1);
        }
        assert_eq!(book.events.len(), AT_MOST);
    }
}
