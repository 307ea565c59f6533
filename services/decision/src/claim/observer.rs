//! Notices that a claim's holder is gone: no new revision of the host's key for T (P6).
//!
//! It counts on its own boot-time clock from when *it* first saw a revision, never from a time that
//! somebody wrote down. A needless takeover is harmless, so nothing here has to be certain.

use super::record::{Entry, HostRecord, Revision};
use crate::time::Boot;

/// Watches the key of one host.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observer {
    seen: Option<(Revision, Boot)>,
}

/// What an observer makes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// No claim is on the host.
    Free,
    /// The holder may live; look again then.
    Held {
        /// When a takeover is due if nothing changes.
        look_again: Boot,
    },
    /// The holder is gone: take over at the revision that was seen.
    Abandoned,
}

impl Observer {
    /// Looks at the key as it was just read. `takeover_ms` is T.
    pub fn look(&mut self, key: &Entry<HostRecord>, takeover_ms: u64, now: Boot) -> Sighting {
        if key.value.claim.is_none() {
            self.seen = None;
            return Sighting::Free;
        }
        let since = match self.seen {
            Some((revision, since)) if revision == key.revision => since,
            _ => now,
        };
        self.seen = Some((key.revision, since));
        if now.since(since) >= takeover_ms {
            Sighting::Abandoned
        } else {
            Sighting::Held {
                look_again: since.plus(takeover_ms),
            }
        }
    }
}
