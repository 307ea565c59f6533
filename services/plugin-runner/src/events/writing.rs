//! Who writes the journal: one at a time, and of what waits the most severe first. What came meanwhile is written and
//! synced together, since a disk takes as long for many lines as for one.
//!
//! **Invariant:** nobody is told that something is written before it is synced (E4).

use super::journal::{Journal, JournalError};
use snooze_schemas::event::Severity;
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// So many are synced at once: what is critical waits for one such sync at most, and is part of the next.
const AT_ONCE: usize = 64;

/// Appends to the journal, and returns who waits until that is synced.
type Entry = Box<dyn FnOnce(&mut Journal) -> Waits + Send>;

/// Told once it is synced, or why it could not be.
type Waits = Box<dyn FnOnce(Option<JournalError>) + Send>;

/// The journal and what waits to be written there.
pub(super) struct Writer {
    journal: Mutex<Journal>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Whether somebody writes, who will look here again.
    is_served: bool,
    /// How many have come so far.
    came: u64,
    waiting: BTreeMap<(Reverse<Severity>, u64), Entry>,
}

impl Queue {
    /// Returns whether somebody has to be found who writes it.
    fn add(&mut self, severity: Severity, entry: Entry) -> bool {
        self.came += 1;
        self.waiting.insert((Reverse(severity), self.came), entry);
        !std::mem::replace(&mut self.is_served, true)
    }

    /// What is to be written next; whoever finds nothing writes no more.
    fn next(&mut self) -> Vec<Entry> {
        let next = std::iter::from_fn(|| self.waiting.pop_first());
        let next: Vec<Entry> = next.take(AT_ONCE).map(|(_, entry)| entry).collect();
        self.is_served = !next.is_empty();
        next
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Writer")
            .field("waiting", &self.queue().waiting.len())
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Opens the journal.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn open(path: PathBuf) -> Result<Arc<Writer>, JournalError> {
        Ok(Arc::new(Writer {
            journal: Mutex::new(Journal::open(path)?),
            queue: Mutex::default(),
        }))
    }

    /// Writes to the journal when it is its turn, and returns once that is synced. Cancelling it takes nothing back.
    ///
    /// # Errors
    /// When it could not be written: then nothing of it is in the journal.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        severity: Severity,
        action: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let entry: Entry = Box::new(move |journal| {
            let outcome = action(journal);
            Box::new(move |failed| {
                // Whoever does not wait any more finds it in the journal.
                drop(answer.send(failed.map_or(outcome, Err)));
            })
        });
        if self.queue().add(severity, entry) {
            let writer = self.clone();
            tokio::task::spawn_blocking(move || writer.serve());
        }
        answered.await.unwrap_or(Err(JournalError::Interrupted))
    }

    /// Looks into the journal, off the loop: somebody may write there and wait for the disk.
    ///
    /// # Errors
    /// When the service ends meanwhile.
    pub(super) async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        action: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> Result<T, JournalError> {
        let writer = self.clone();
        let done = tokio::task::spawn_blocking(move || action(&mut writer.journal()));
        done.await.map_err(|_| JournalError::Interrupted)
    }

    /// Writes until nothing waits any more.
    fn serve(&self) {
        loop {
            let mut journal = self.journal();
            // Only now: what came while the disk was waited for is among them.
            let next = self.queue().next();
            if next.is_empty() {
                return;
            }
            let waiting: Vec<Waits> = next.into_iter().map(|entry| entry(&mut journal)).collect();
            let synced = journal.sync();
            drop(journal);
            for waits in waiting {
                waits(synced.as_ref().err().map(JournalError::again));
            }
        }
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::journal::{Acceptance, Known};
    use futures_util::{FutureExt, future::join_all};
    use serde_json::json;
    use std::fs::{self, OpenOptions};

    fn known(id: &str) -> Known {
        let known = json!({"boot_id": "boot", "deadline_boottime_ms": 1_000, "event": {
            "id": id, "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
            "noticed_at": "2026-01-01T00:00:00Z",
        }});
        serde_json::from_value(known).expect("it is right")
    }

    #[tokio::test]
    async fn e3_what_is_critical_is_written_next_and_the_rest_is_synced_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.jsonl");
        let writer = Writer::open(path.clone()).expect("opens");
        let accept = |id: String, severity| {
            let known = known(&id);
            writer.write(severity, move |journal| journal.accept_own(known))
        };
        let flood = (0..200).map(|number| accept(format!("e{number}"), Severity::Info));
        let critical = accept("critical".to_owned(), Severity::Critical);
        let mut all: Vec<_> = flood.chain([critical]).map(Box::pin).collect();
        // As a disk that is busy keeps it.
        let busy = writer.journal();
        for one in &mut all {
            assert!(
                one.as_mut().now_or_never().is_none(),
                "nobody is told before it is synced"
            );
        }
        drop(busy);
        for outcome in join_all(all).await {
            assert_eq!(outcome.expect("is written"), Acceptance::New);
        }
        let written = fs::read_to_string(&path).expect("reads");
        let first = written.lines().next().expect("there are lines");
        assert!(first.contains(r#""id":"critical""#), "{first}");
        assert_eq!(written.lines().count(), 201);
        assert_eq!(writer.journal().syncs(), 201_u64.div_ceil(64));
    }

    #[tokio::test]
    async fn e4_what_cannot_be_synced_is_not_accepted_and_may_come_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.jsonl");
        let writer = Writer::open(path.clone()).expect("opens");
        let accept = |id: &str| {
            let known = known(id);
            writer.write(Severity::Info, move |journal| journal.accept_own(known))
        };
        // It takes every line, and no sync.
        let never = OpenOptions::new().append(true).open("/dev/null").expect("opens");
        let well = writer.journal().write_to(never);
        accept("e1").await.expect_err("it is not on the disk");
        assert!(!writer.journal().knows(&"e1".parse().expect("an id")));
        drop(writer.journal().write_to(well));
        for (id, became) in [
            ("e1", Acceptance::New),
            ("e2", Acceptance::New),
            ("e1", Acceptance::Duplicate),
        ] {
            assert_eq!(accept(id).await.expect("is written"), became, "{id}");
        }
        assert_eq!(fs::read_to_string(&path).expect("reads").lines().count(), 2);
    }
}
