//! What a claim's machine is at, and the one thing to the outside that it waits for. Words only; what
//! follows from them is in `ascent.rs` and `aftermath.rs`.

use super::action::Ticket;
use super::verification::Question;
use crate::time::Boot;

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
    Watching {
        since: Boot,
        look_at: Boot,
        alarmed: bool,
        /// Whether it was seen on its way down.
        seen_down: bool,
    },
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
