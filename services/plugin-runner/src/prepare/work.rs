//! Which preparations are at work, and what tells them that they are off.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Notice and pre-snooze work for one claim, under way.
#[derive(Debug)]
struct Work {
    claim: u64,
    /// Cancelled once the preparation is undone.
    off: CancellationToken,
}

/// The work for the newest claim, and for those before it that has not come to its end.
#[derive(Debug, Default)]
pub(super) struct AtWork(Mutex<Vec<Work>>);

impl AtWork {
    /// Work begins; that of earlier claims is off.
    pub(super) fn begin(&self, claim: u64) -> CancellationToken {
        let off = CancellationToken::new();
        let mut all = self.all();
        for before in &*all {
            before.off.cancel();
        }
        all.push(Work {
            claim,
            off: off.clone(),
        });
        off
    }

    /// Work has come to its end.
    pub(super) fn end(&self, claim: u64) {
        self.all().retain(|work| work.claim != claim);
    }

    /// Has that work end whose claim is not prepared for any more.
    pub(super) fn call_off(&self, is_undone: impl Fn(u64) -> bool) {
        for work in &*self.all() {
            if is_undone(work.claim) {
                work.off.cancel();
            }
        }
    }

    /// Whether there is work for this claim.
    pub(super) fn has(&self, claim: u64) -> bool {
        self.all().iter().any(|work| work.claim == claim)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
