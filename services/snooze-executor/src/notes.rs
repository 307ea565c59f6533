//! The decisions that are to stand in the audit trail (S23): the newest of each host, until the trail has
//! acknowledged it.
//!
//! It never holds more than one for each host of the roster, and never makes the intake wait. What the trail
//! does not take goes to the end of the queue, so that one entry never holds up the others.

use crate::{context::Context, perform::chain};
use snooze_bus::{BusError, FileError};
use snooze_schemas::{HostId, audit::AuditKind, event::Scope};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet};

/// Entries filed at once; each takes milliseconds, and a whole fleet may change its mind at once.
const AT_ONCE: usize = 32;
/// Characters of one entry: a host's plugins write parts of it, and the trail takes no message of any length.
const LONGEST: usize = 4_000;
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
    /// Whose turn it is to be filed: every host that waits and is not being filed just now, once.
    turns: VecDeque<HostId>,
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
            message: message().chars().take(LONGEST).collect(),
        };
        if book.waiting.insert(host.clone(), note).is_none() {
            book.turns.push_back(host.clone());
        }
        drop(book);
        self.0.more.notify_one();
    }

    /// Forgets hosts that are not wanted any more.
    pub(crate) fn retain(&self, mut wanted: impl FnMut(&HostId) -> bool) {
        let mut book = self.lock();
        book.filed.retain(|host, _| wanted(host));
        book.waiting.retain(|host, _| wanted(host));
        let Book { waiting, turns, .. } = &mut *book;
        turns.retain(|host| waiting.contains_key(host));
    }

    /// Those whose turn it is. Each has to be given back with [`filed`](Self::filed) or
    /// [`again`](Self::again).
    fn some(&self) -> Vec<(HostId, Note)> {
        let mut book = self.lock();
        let Book { waiting, turns, .. } = &mut *book;
        let now = turns.len().min(AT_ONCE);
        let of_host = |host: HostId| waiting.get(&host).cloned().map(|note| (host, note));
        turns.drain(..now).filter_map(of_host).collect()
    }

    /// It stands in the trail, or never will. Where another decision came meanwhile, that one waits.
    fn filed(&self, host: HostId, note: Note) {
        let mut book = self.lock();
        if book.waiting.get(&host) == Some(&note) {
            book.waiting.remove(&host);
        } else if book.waiting.contains_key(&host) {
            book.turns.push_back(host.clone());
        }
        book.filed.insert(host, note.mark);
    }

    /// It was not acknowledged: the others are first now.
    fn again(&self, host: HostId) {
        let mut book = self.lock();
        if book.waiting.contains_key(&host) && !book.turns.contains(&host) {
            book.turns.push_back(host);
        }
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
        // What is under way at shutdown may be filed or not; the next decision on the host is.
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
    let mut under_way = HashMap::new();
    for (host, note) in some {
        let context = context.clone();
        let (scope, message) = (Scope::Host(host.clone()), note.message.clone());
        let task = filing.spawn(async move { context.try_file(scope, AuditKind::Decision, message).await });
        under_way.insert(task.id(), (host, note));
    }
    let mut worst = Ok(());
    while let Some(ended) = filing.join_next_with_id().await {
        let (task, filed) = match ended {
            Ok((task, filed)) => (task, filed.map_err(Unfiled::from)),
            Err(died) => (died.id(), Err(Unfiled::Again(died.to_string()))),
        };
        let Some((host, note)) = under_way.remove(&task) else {
            continue;
        };
        match filed {
            Ok(()) => notes.filed(host, note),
            Err(Unfiled::Never(reason)) => {
                tracing::warn!(host = %host, reason, "a decision will never stand in the audit trail");
                notes.filed(host, note);
            }
            Err(Unfiled::Again(reason)) => {
                notes.again(host);
                worst = Err(reason);
            }
        }
    }
    worst
}

/// Why an entry is not in the trail.
enum Unfiled {
    /// It may be taken the next time.
    Again(String),
    /// The same entry would be refused again.
    Never(String),
}

impl From<FileError> for Unfiled {
    fn from(error: FileError) -> Self {
        match &error {
            FileError::TooLarge { .. } | FileError::NotSent(BusError::Encode { .. }) => {
                Self::Never(chain(&error))
            }
            _ => Self::Again(chain(&error)),
        }
    }
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
    #[test]
    fn s23_what_the_trail_does_not_take_does_not_hold_up_the_others() {
        let notes = Notes::default();
        for n in 0..2 * AT_ONCE {
            let host: HostId = format!("h{n}").parse().expect("a host id");
            notes.note(&host, "stay", || "it is busy".to_owned());
        }
        let first: Vec<HostId> = notes.some().into_iter().map(|(host, _)| host).collect();
        for host in &first {
            notes.again(host.clone());
            // Decided anew meanwhile, it keeps its place.
            notes.note(host, "wait", || "it is idle".to_owned());
        }
        let second = notes.some();
        assert_eq!(second.len(), AT_ONCE);
        assert!(second.iter().all(|(host, _)| !first.contains(host)));
        for (host, note) in second {
            notes.filed(host, note);
        }
        let third: Vec<HostId> = notes.some().into_iter().map(|(host, _)| host).collect();
        assert_eq!(third, first, "and then once more, each once");
        assert!(notes.some().is_empty());
    }

    #[test]
    fn an_entry_is_cut_to_what_the_trail_takes_and_a_refusal_for_good_is_not_made_again() {
        let notes = Notes::default();
        notes.note(&host(), "stay", || "x".repeat(2_000_000));
        let (_, note) = notes.some().remove(0);
        assert_eq!(note.message.len(), LONGEST);
        let unfiled = |error: FileError| matches!(Unfiled::from(error), Unfiled::Never(_));
        assert!(unfiled(FileError::TooLarge { template: "audit" }));
        assert!(!unfiled(FileError::NoStream { template: "audit" }));
        assert!(!unfiled(FileError::Ambiguous { template: "audit" }));
    }
}
