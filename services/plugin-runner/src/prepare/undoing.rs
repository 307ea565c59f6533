//! Undoes preparations whose time is over, and tells plugins that the stop is off.
//!
//! It never tells of one whose work has not ended: that hears of it afterwards.

use super::{Preparations, Undo};
use snooze_schemas::event::Severity;
use std::{sync::Arc, time::Duration};

/// The event that plugins get when the stop is off.
const CANCELLED: &str = "snooze.cancelled";

/// While a preparation is in force its end is looked for this often. Boot time goes on while the
/// machine sleeps and timers do not, so one long sleep until the end would come too late.
const LOOK: Duration = Duration::from_secs(1);

/// Whether plugins were told that a stop is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Them,
    Nobody,
}

impl Preparations {
    /// Undoes what has run out, and tells plugins of everything that is undone, until shutdown.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            let (undone, waiting) = {
                let mut book = self.book.lock().await;
                book.expire(self.clocks.boottime_ms());
                self.call_off(&book);
                (book.to_be_told(), book.is_open())
            };
            // One whose work has not ended is told of when it has; its end is a change.
            let undo = undone.iter().find(|undo| !self.at_work.has(undo.claim));
            let told = match undo {
                Some(undo) => self.tell(undo).await,
                None => Told::Nobody,
            };
            if told == Told::Them {
                continue;
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(LOOK), if waiting || undo.is_some() => {}
            }
        }
    }

    /// "You will not be stopped after all", once for each preparation. Where that event is not accepted it
    /// is tried again.
    async fn tell(&self, undo: &Undo) -> Told {
        tracing::info!(
            claim = undo.claim,
            why = undo.why,
            "the stop that this host was prepared for is off"
        );
        let event = self.event(CANCELLED, Severity::Warning, undo.claim, &undo.why);
        if let Err(refusal) = self.desk.accept(event, None).await {
            tracing::warn!(
                why = refusal.message,
                "plugins cannot be told yet that the stop is off"
            );
            return Told::Nobody;
        }
        let mut book = self.book.lock().await;
        book.told(undo.claim);
        if let Err(refusal) = self.save(&book).await {
            // The journal of events knows that they were, so that they are not told twice.
            tracing::error!(
                why = refusal.message,
                "the journal does not say that plugins were told"
            );
        }
        Told::Them
    }
}
