//! The claim protocol: how one host is stopped by at most one call, with any number of executors.
//!
//! [`Holder`] carries one claim; [`Observer`] notices that nobody carries one any more, and
//! [`Holder::take_over`] then undoes it or watches what became of its call. A holder that took a claim
//! over has no way to plan a call. Nothing here does IO: machines plan [`Action`]s and are told
//! [`Input`]s.

mod action;
mod aftermath;
mod ascent;
mod ascent_answers;
mod batch;
mod holder;
mod input;
mod observer;
mod pen;
mod reading;
mod record;
mod requests;
mod stage;
mod terms;
mod verification;

pub use action::{
    Action, AuditEntry, AuditKind, Batch, End, Key, Outcome, Permit, Planned, Tags, Ticket, Value, Write,
};
pub use aftermath::tags_to_mend;
pub(crate) use holder::GRACE_MS;
pub use holder::Holder;
pub use input::{
    Answer, CallOutcome, Input, InstanceState, PrepareState, Protections, SlotSeen, StateRead, Verified,
};
pub use observer::{Observer, Sighting};
pub use record::{
    Claim, ClaimNumber, Entry, Frozen, Gate, HostRecord, LastStop, Lease, Phase, Postponement, Progress,
    Revision, Slot, Target, Wake,
};
pub use requests::{
    KEEP_ENDED_MS, LONGEST_HOLD_MS, MAX_LEASES, RequestRefused, apply_freeze, apply_lease,
    apply_postponement, apply_thaw, apply_veto, apply_wake, note_running, start_is_due, wake_is_late,
};
pub use terms::{Drawn, Occupied, Opening, SlotOffer, Terms, pick_slot};
