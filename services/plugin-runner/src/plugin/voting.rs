//! Whether a plugin votes: what it answered to the question whether the host is idle, at which start.
//!
//! **Invariant:** one that does not vote has said so itself, at this start of its process or at an earlier
//! one that is not long ago; whoever can no longer be asked votes again, and is unknown.

use crate::{file_identity::FileIdentity, stdio::Start};
use std::time::Duration;
use tokio::time::Instant;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Voting {
    /// Once it has, it cannot leave the vote.
    has_voted: bool,
    /// When it said that it only handles events.
    left_at: Option<Start>,
    /// Since when a later start could not be asked whether it still does.
    in_vain_since: Option<Instant>,
}

impl Voting {
    /// Whether it votes. One that cannot be asked anew does so after `patience`.
    pub(super) fn votes(&self, patience: Duration) -> bool {
        let waited = self.in_vain_since.map(|since| since.elapsed());
        self.left_at.is_none() || waited.is_some_and(|waited| waited >= patience)
    }

    /// Whether it has said that it does not vote.
    pub(super) fn is_out(&self) -> bool {
        self.left_at.is_some()
    }

    /// Whether it said that it does not vote, and has not been asked again since this start.
    pub(super) fn is_to_be_judged(&self, start: Start) -> bool {
        self.left_at.is_some_and(|left_at| left_at.count != start.count)
    }

    /// Whether a next runner may take what lies there now for one that does not vote.
    pub(super) fn has_left(&self, file: Option<FileIdentity>) -> bool {
        file.is_some() && self.left_at.is_some_and(|left_at| left_at.file == file)
    }

    /// An earlier runner knew this file as one that does not vote (T4).
    pub(super) fn recall_as_handler(&mut self, file: FileIdentity) {
        self.left_at = Some(Start {
            count: 0,
            file: Some(file),
        });
    }

    /// It has an opinion.
    pub(super) fn has_answered(&mut self) {
        *self = Voting {
            has_voted: true,
            ..Voting::default()
        };
    }

    /// It handles events, and says that it does not know the question.
    pub(super) fn leaves(&mut self, start: Start) {
        if !self.has_voted {
            self.left_at = Some(start);
            self.in_vain_since = None;
        }
    }

    /// It does not know the question, and handles no events either: its vote is unknown.
    pub(super) fn stays(&mut self) {
        (self.left_at, self.in_vain_since) = (None, None);
    }

    /// This start of it has not answered.
    pub(super) fn was_asked_in_vain(&mut self, start: Start) {
        if self.is_to_be_judged(start) {
            self.in_vain_since.get_or_insert_with(Instant::now);
        }
    }
}
