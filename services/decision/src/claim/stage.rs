//! What a claim's machine is at, and the one thing to the outside that it waits for. Words only; what
//! follows from them is in `ascent.rs` and `aftermath.rs`.

use super::action::Ticket;
use super::verification::Question;
use crate::time::Boot;
use alloc::string::String;

/// What the machine is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// The batch that makes the claim, or takes it over, is on its way.
    Arriving,
    Preparing,
    Noticing(Notice),
    Protections,
    Tagging,
    Settling {
        until: Boot,
    },
    Verifying,
    Verified {
        asked_at: Boot,
    },
    Committed {
        asked_at: Boot,
    },
    Calling,
    /// The call's outcome is known and on its way into the key.
    Called,
    Watching(Watch),
    /// This machine was started again and its tags still say that it is stopped; then it is watched.
    Untagging,
    UndoingAtHost,
    UndoingTags,
    ClosingTags,
    /// What happened is being filed; then the host is freed.
    Filing,
    Finished,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// When people have had their notice.
    pub(super) until: Boot,
    /// Work that is not done by a poll from here on has taken too long.
    pub(super) give_up_at: Boot,
    pub(super) poll_at: Boot,
    pub(super) done: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) since: Boot,
    pub(super) look_at: Boot,
    pub(super) alarmed: bool,
    /// Whether it was seen on its way down.
    pub(super) seen_down: bool,
    /// When the instance was last read, or somebody was told that it cannot be.
    pub(super) read_at: Boot,
    /// Why it could not be read the last time.
    pub(super) trouble: String,
}

/// The one thing to the outside that is in flight.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) ticket: Ticket,
    pub(super) planned_at: Boot,
    pub(super) due: Boot,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Audit,
    Prepare,
    Protections,
    Verify(Question),
    Call,
    Instance,
    Tags,
    Cancel,
}
