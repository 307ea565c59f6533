//! What became of the writes of one connection, stream by stream, for whoever has to tell a broker whose store
//! refuses from one that is only slow or away.
//!
//! A nats-server whose disk was full once takes nothing more into a stream that it could not write to, room or
//! not, until it is started again, and does not even answer (2.15.2; older ones answer with an error of the store).

use super::api::{Ack, ApiError, code};
use crate::{Bus, request::Unanswered};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The writes of one connection to one stream or bucket, since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Writes {
    /// Those that it has stored.
    pub taken: u64,
    /// Those that it could not store, said or left unanswered. What it turned away for what it is, as for a
    /// revision that has moved, is none of them, nor what was lost with the connection.
    pub not_taken: u64,
}

/// The writes of a connection, by the name of the stream.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, Writes>>);

impl Tally {
    pub(super) fn count(&self, stream: &'static str, answer: Result<&Result<Ack, ApiError>, &Unanswered>) {
        let (taken, not_taken) = match answer {
            // One that it knew already was answered without the store.
            Ok(Ok(ack)) => (!ack.duplicate, false),
            Ok(Err(error)) => (false, is_of_the_store(error)),
            Err(Unanswered::TimedOut | Unanswered::NoResponders) => (false, true),
            Err(Unanswered::Lost | Unanswered::NotSent(_)) => (false, false),
        };
        // Two counts are whole at every moment, whoever panics.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = all.entry(stream).or_default();
        writes.taken += u64::from(taken);
        writes.not_taken += u64::from(not_taken);
    }
}

/// Whether the store failed. A limit that a stream has reached comes under the same code, and is no failure: it
/// is there again after the next start.
fn is_of_the_store(error: &ApiError) -> bool {
    error.err_code == code::STORE_FAILED && !error.description.starts_with("maximum ")
}

impl Bus {
    /// What became of the writes of this connection, by the name of the stream; none where there was no write.
    #[must_use]
    pub fn writes(&self) -> BTreeMap<&'static str, Writes> {
        let all = self.inner.writes.0.lock();
        all.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(err_code: u64, description: &str) -> Result<Ack, ApiError> {
        Err(ApiError {
            err_code,
            description: description.to_owned(),
        })
    }

    #[test]
    fn only_what_the_store_did_not_take_counts_against_it() {
        let tally = Tally::default();
        let count = |answer: Result<&Result<Ack, ApiError>, &Unanswered>| tally.count("AUDIT", answer);
        count(Ok(&refused(code::WRONG_LAST_SEQUENCE, "wrong last sequence: 3")));
        count(Ok(&refused(code::STORE_FAILED, "maximum bytes exceeded")));
        count(Err(&Unanswered::Lost));
        let writes = || tally.0.lock().expect("nobody panicked")["AUDIT"];
        assert_eq!(writes(), Writes::default());
        count(Ok(&refused(code::STORE_FAILED, "no space left on device")));
        count(Err(&Unanswered::TimedOut));
        count(Err(&Unanswered::NoResponders));
        assert_eq!((writes().taken, writes().not_taken), (0, 3));
    }
}
