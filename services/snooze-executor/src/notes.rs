//! The decisions that are to stand in the audit trail (S23): the newest of each host, until the trail has
//! acknowledged it.
//!
//! It never holds more than one for each host of the roster, and never makes the intake wait.

use crate::context::Context;
use snooze_schemas::{HostId, audit::AuditKind, event::Scope};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet};

/// Entries filed at once; each takes milliseconds, and a whole fleet may change its mind at once.
const AT_ONCE: usize = 32;
/// Between an entry that was not acknowledged and the next attempt.
const PAUSE: Duration = Duration::from_secs(1);

/// What is still to be filed; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Book {
    /// By what the last acknowledged entry of a host is told from another one.
    filed: HashMap<HostId, String>,
    waiting: HashMap<HostId, Note>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    mark: String,
    message: String,
}

impl Notes {
    /// A host's decision; `mark` tells it from another one. The same one again is no news.
    pub(crate) fn note(&self, host: &HostId, mark: &str, message: impl FnOnce() -> String) {
        let mut book = self.lock();
        let last = match book.waiting.get(host) {
            Some(note) => Some(&note.mark),
            None => book.filed.get(host),
        };
        if last.is_some_and(|last| last == mark) {
            return;
        }
        let note = Note {
            mark: mark.to_owned(),
            message: message(),
        };
        book.waiting.insert(host.clone(), note);
        drop(book);
        self.0.more.notify_one();
    }

    /// Forgets hosts that are not wanted any more.
    pub(crate) fn retain(&self, mut wanted: impl FnMut(&HostId) -> bool) {
        let mut book = self.lock();
        book.filed.retain(|host, _| wanted(host));
        book.waiting.retain(|host, _| wanted(host));
    }

    fn some(&self) -> Vec<(HostId, Note)> {
        let book = self.lock();
        let waiting = book.waiting.iter().take(AT_ONCE);
        waiting.map(|(host, note)| (host.clone(), note.clone())).collect()
    }

    /// It stands in the trail. Where another decision came meanwhile, that one still waits.
    fn filed(&self, host: HostId, note: Note) {
        let mut book = self.lock();
        if book.waiting.get(&host) == Some(&note) {
            book.waiting.remove(&host);
        }
        book.filed.insert(host, note.mark);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Every change is one insertion or removal; a panic elsewhere leaves the book whole.
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Files what waits until shutdown.
pub(crate) async fn file(
    notes: Notes,
    context: Context,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut failures = 0_u32;
    loop {
        let some = notes.some();
        if some.is_empty() {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = notes.0.more.notified() => continue,
            }
        }
        // Cancelling loses nothing: what is not acknowledged still waits.
        let acknowledged = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            acknowledged = file_some(&context, &notes, some) => acknowledged,
        };
        match acknowledged {
            Ok(()) => failures = 0,
            Err(reason) => {
                failures = failures.saturating_add(1);
                if failures.is_power_of_two() {
                    tracing::warn!(
                        reason,
                        failures,
                        "decisions were not acknowledged by the audit trail; they are filed again"
                    );
                }
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
}

async fn file_some(context: &Context, notes: &Notes, some: Vec<(HostId, Note)>) -> Result<(), String> {
    let mut filing = JoinSet::new();
    for (host, note) in some {
        let context = context.clone();
        filing.spawn(async move {
            let scope = Scope::Host(host.clone());
            let filed = context
                .try_file(scope, AuditKind::Decision, note.message.clone())
                .await;
            filed.map(|()| (host, note))
        });
    }
    let mut worst = Ok(());
    while let Some(ended) = filing.join_next().await {
        match ended {
            Ok(Ok((host, note))) => notes.filed(host, note),
            Ok(Err(reason)) => worst = Err(reason),
            Err(died) => worst = Err(died.to_string()),
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostId {
        "h1".parse().expect("a host id")
    }

    #[test]
    fn s23_a_decision_waits_until_it_is_acknowledged_and_the_newest_wins() {
        let notes = Notes::default();
        notes.note(&host(), "wait", || "first".to_owned());
        notes.note(&host(), "wait", || unreachable!("it is no news"));
        let some = notes.some();
        assert_eq!(some.len(), 1);
        notes.note(&host(), "stop", || "second".to_owned());
        for (host, note) in some {
            notes.filed(host, note);
        }
        let left = notes.some();
        assert_eq!(left[0].1.message, "second", "what came meanwhile still waits");
        for (host, note) in left {
            notes.filed(host, note);
        }
        assert!(notes.some().is_empty());
        notes.note(&host(), "stop", || unreachable!("it stands in the trail"));
        notes.retain(|_| false);
        notes.note(&host(), "stop", || "again".to_owned());
        assert_eq!(notes.some().len(), 1);
    }
}
