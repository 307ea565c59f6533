//! What the journal of preparations says, and what may follow from it (P7).
//!
//! Pure: requests and times in, steps out. Times are milliseconds of the boot-time clock.

use serde::{Deserialize, Serialize};
use snooze_schemas::{
    ErrorCode, Refusal,
    host::{Cancel, Prepare, PrepareState, Prepared},
};
use std::time::Duration;

/// The highest claim that was seen, and the preparation of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Book {
    highest_claim: u64,
    boot_id: String,
    current: Option<Current>,
    /// Preparations that were undone, of which plugins have not been told yet.
    to_tell: Vec<Undo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Current {
    claim: u64,
    state: PrepareState,
    message: String,
    expires_boottime_ms: u64,
    undone: Option<String>,
}

/// A preparation that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undo {
    /// The claim that it was for.
    pub claim: u64,
    /// Why.
    pub why: String,
}

/// What follows from `prepare`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is the poll of one that was begun.
    Poll(Prepared),
    /// It begins: journal it, answer this, do the work.
    Begin(Prepared),
}

impl Book {
    /// A runner starts under this boot id. What was prepared under another is undone; what was under
    /// way under this one has failed, because nobody knows how far it came.
    pub(crate) fn begin(&mut self, boot_id: &str) {
        if self.boot_id != boot_id {
            self.undo("the host was started again");
            boot_id.clone_into(&mut self.boot_id);
        } else if let Some(current) = &mut self.current
            && matches!(current.state, PrepareState::Accepted | PrepareState::Working)
        {
            current.state = PrepareState::Failed;
            "the runner was restarted during the preparation".clone_into(&mut current.message);
        }
    }

    pub(super) fn prepare(&mut self, request: &Prepare, now_ms: u64) -> Result<Step, Refusal> {
        self.refuse_lower(request.claim)?;
        self.expire(now_ms);
        if request.claim == self.highest_claim {
            return Ok(Step::Poll(self.state_of_highest()));
        }
        self.undo("another stop is prepared for");
        self.highest_claim = request.claim;
        let current = Current {
            claim: request.claim,
            state: PrepareState::Accepted,
            message: String::new(),
            expires_boottime_ms: now_ms.saturating_add(request.duration_ms),
            undone: None,
        };
        let prepared = current.prepared();
        self.current = Some(current);
        Ok(Step::Begin(prepared))
    }

    pub(super) fn cancel(&mut self, request: &Cancel) -> Result<(), Refusal> {
        self.refuse_lower(request.claim)?;
        let why = if request.reason.is_empty() {
            "it was cancelled"
        } else {
            &request.reason
        };
        self.undo(why);
        if request.claim > self.highest_claim {
            // Its `prepare` may still be on its way, and must find that it is too late.
            self.highest_claim = request.claim;
            self.current = None;
        }
        Ok(())
    }

    /// Whether the preparation of a claim is in force and done.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn in_force(&self, claim: u64, now_ms: u64) -> Result<(), String> {
        let Some(current) = self.current.as_ref().filter(|current| current.claim == claim) else {
            return Err(format!("nothing is prepared for claim {claim}"));
        };
        if let Some(why) = &current.undone {
            return Err(format!("the preparation for claim {claim} was undone: {why}"));
        }
        if now_ms >= current.expires_boottime_ms {
            return Err(format!("the preparation for claim {claim} has run out"));
        }
        match current.state {
            PrepareState::Done => Ok(()),
            PrepareState::Accepted | PrepareState::Working => {
                Err(format!("the preparation for claim {claim} is not done yet"))
            }
            PrepareState::Failed => Err(format!(
                "the preparation for claim {claim} failed: {}",
                current.message
            )),
        }
    }

    pub(super) fn prolong(&mut self, claim: u64, now_ms: u64, by_ms: u64) -> Result<(), String> {
        self.in_force(claim, now_ms)?;
        if let Some(current) = &mut self.current {
            current.expires_boottime_ms = current.expires_boottime_ms.max(now_ms.saturating_add(by_ms));
        }
        Ok(())
    }

    /// Moves a preparation on; false where it is not in force any more.
    pub(super) fn move_to(&mut self, claim: u64, state: PrepareState, message: String, now_ms: u64) -> bool {
        match &mut self.current {
            Some(current)
                if current.claim == claim
                    && current.undone.is_none()
                    && now_ms < current.expires_boottime_ms =>
            {
                (current.state, current.message) = (state, message);
                true
            }
            Some(_) | None => false,
        }
    }

    /// What is left of a claim's preparation; nothing where it is not in force.
    pub(super) fn left(&self, claim: u64, now_ms: u64) -> Duration {
        let current = self
            .current
            .as_ref()
            .filter(|current| current.claim == claim && current.undone.is_none());
        Duration::from_millis(current.map_or(0, |current| current.expires_boottime_ms.saturating_sub(now_ms)))
    }

    /// Undoes a preparation whose duration has run out.
    pub(super) fn expire(&mut self, now_ms: u64) {
        if self
            .current
            .as_ref()
            .is_some_and(|current| now_ms >= current.expires_boottime_ms)
        {
            self.undo("its time ran out");
        }
    }

    /// Whether a preparation may still run out.
    pub(super) fn is_open(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.undone.is_none())
    }

    /// What was undone and plugins have not been told of, the oldest first.
    pub(super) fn to_be_told(&self) -> Vec<Undo> {
        self.to_tell.clone()
    }

    /// Plugins were told.
    pub(super) fn told(&mut self, claim: u64) {
        self.to_tell.retain(|undo| undo.claim != claim);
    }

    fn undo(&mut self, why: &str) {
        if let Some(current) = &mut self.current
            && current.undone.is_none()
        {
            current.undone = Some(why.to_owned());
            self.to_tell.push(Undo {
                claim: current.claim,
                why: why.to_owned(),
            });
        }
    }

    fn refuse_lower(&self, claim: u64) -> Result<(), Refusal> {
        if claim < self.highest_claim {
            let message = format!(
                "claim {claim} is older than claim {}, which was seen here",
                self.highest_claim
            );
            return Err(Refusal::new(ErrorCode::Conflict, message));
        }
        Ok(())
    }

    fn state_of_highest(&self) -> Prepared {
        match &self.current {
            Some(current) if current.claim == self.highest_claim => current.prepared(),
            Some(_) | None => Prepared {
                claim: self.highest_claim,
                state: PrepareState::Failed,
                message: "it was cancelled before it began".to_owned(),
            },
        }
    }
}

impl Current {
    fn prepared(&self) -> Prepared {
        let (state, message) = match &self.undone {
            Some(why) => (PrepareState::Failed, format!("it was undone: {why}")),
            None => (self.state, self.message.clone()),
        };
        Prepared {
            claim: self.claim,
            state,
            message,
        }
    }
}

#[cfg(test)]
mod tests;
