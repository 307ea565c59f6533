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
    collections::{BTreeMap, VecDeque},
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
    /// Those that were taken back, the newest last: the word that takes one back may come before it, or before it is
    /// taken in once more after a restart.
    #[serde(default)]
    taken_back: VecDeque<EventId>,
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
        // It comes.
        if said("transition").is_some_and(|transition| transition.ends_with("_LAUNCHING")) {
            return false;
        }
        if matches!(said("state"), Some("cancelled" | "cleared")) {
            // That one and no other: a cloud may take one notice back and give another.
            let raised: Option<EventId> = said("raised_as").and_then(|id| id.parse().ok());
            return raised.is_some_and(|raised| self.take_back(raised));
        }
        if self.taken_back.contains(&event.id) {
            return false;
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

    /// One does not come true, and never will: another one has an id of its own. Returns whether that is news.
    fn take_back(&mut self, raised: EventId) -> bool {
        let held = self.events.remove(&raised).is_some();
        if self.taken_back.contains(&raised) {
            return held;
        }
        self.taken_back.push_back(raised);
        if self.taken_back.len() > AT_MOST {
            self.taken_back.pop_front();
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
mod tests;
