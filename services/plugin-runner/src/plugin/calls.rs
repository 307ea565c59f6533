//! How often a plugin was asked, by whomever, and how that went: for `snooze plugin stats` and for the public `nats` tool.
//!
//! It never counts what was not asked because there was nobody yet to be asked.

use super::AskError;
use crate::stdio::CallError;
use snooze_bus::RequestCounts;
use snooze_schemas::host::PluginStats;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// What is said of one that has a vote and cannot be asked for it.
const NO_OPINION: &str = "it does not know the method CheckIdle, and has a vote, which is unknown; one that only handles \
                          events says which when it is asked GetSupportedEvents, or in its manifest";

/// What is counted of one plugin.
#[derive(Debug, Default)]
pub(super) struct Calls {
    made: AtomicU64,
    errors: AtomicU64,
    time_outs: AtomicU64,
    last_error: Mutex<Option<LastError>>,
    /// The same, as the NATS services protocol has it.
    counts: Arc<RequestCounts>,
}

/// The last thing that went wrong with it.
#[derive(Debug)]
struct LastError {
    at: Instant,
    text: String,
}

impl Calls {
    /// Counts a question by what came of it.
    pub(super) fn count<T>(&self, took: Duration, outcome: Result<T, AskError>) -> Result<T, AskError> {
        // It was not asked, because there is nobody yet to be asked, or for a fault of our own: no call and no fault of
        // its own, and nothing that is worth telling once it works.
        if matches!(
            &outcome,
            Err(AskError::Process(CallError::Starting) | AskError::Configuring | AskError::NotBegun(_))
        ) {
            return outcome;
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        match &outcome {
            Err(error) if !matches!(error, AskError::UnknownMethod) => self.failed(took, error),
            // That it does not know a method is an answer, and its right.
            Ok(_) | Err(_) => self.counts.answered(took),
        }
        outcome
    }

    /// Counts that it was asked for its vote and does not know the question: an answer, and a fault in one that votes.
    pub(super) fn no_opinion<T>(&self, took: Duration) -> Result<T, AskError> {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.note(&self.errors, took, NO_OPINION.to_owned());
        Err(AskError::UnknownMethod)
    }

    fn failed(&self, took: Duration, error: &AskError) {
        let counter = if error.is_time_out() {
            &self.time_outs
        } else {
            &self.errors
        };
        self.note(counter, took, error.to_string());
    }

    fn note(&self, counter: &AtomicU64, took: Duration, text: String) {
        counter.fetch_add(1, Ordering::Relaxed);
        self.counts.failed(took, &text);
        let at = Instant::now();
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(LastError { at, text });
    }

    /// As the NATS services protocol has it.
    pub(super) fn counts(&self) -> Arc<RequestCounts> {
        self.counts.clone()
    }

    /// What was counted, without what a process knows of itself.
    pub(super) fn stats(&self) -> PluginStats {
        let last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let age = |error: &LastError| u64::try_from(error.at.elapsed().as_millis()).ok();
        PluginStats {
            calls: self.made.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            time_outs: self.time_outs.load(Ordering::Relaxed),
            restarts: 0,
            last_error: last_error.as_ref().map(|error| error.text.clone()),
            last_error_age_ms: last_error.as_ref().and_then(age),
        }
    }
}
