//! What a claim's machine wants done.
//!
//! A plan leaves no choice: every revision, key, nonce and duration is in it. Whoever carries it out
//! answers each planned action exactly once, with its ticket; an answer that is late, doubled or to an
//! action that no longer matters is ignored.

use super::record::{ClaimNumber, Gate, HostRecord, Revision, Slot};
use crate::policy::StopAction;
use crate::time::{Boot, Wall};
use alloc::{boxed::Box, string::String, vec::Vec};

/// Ties an answer to the action that it answers; never used twice by one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// An action that is to be carried out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What its answer is to carry.
    pub ticket: Ticket,
    /// By when it must be answered, `Failed`, or `Ambiguous` for a write, where nothing came. The
    /// machine does not wait much longer.
    pub within_ms: u64,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// One atomic batch. Answered with `Written`, `Conflict` or `Ambiguous`.
    Write(Batch),
    /// Read the host's key, the kill switch and these slots from the leader, never by direct get.
    /// Answered with `State` or `Failed`.
    ReadState {
        /// The group of the slots.
        group: String,
        /// The slots.
        slots: Vec<u32>,
    },
    /// File this and wait for the stream's acknowledgement. Answered with `Filed` or `Failed`.
    Audit(AuditEntry),
    /// `runner.prepare`; sent again it is the poll. Answered with `Prepared` or `Failed`.
    Prepare {
        /// The claim's number.
        claim: ClaimNumber,
        /// For how long it holds.
        duration_ms: u64,
        /// Notice to people.
        notice_ms: u64,
        /// What will be done.
        action: StopAction,
        /// Why, for people.
        reason: String,
    },
    /// Read state, protections and tags of the instance anew. Answered with `Protections` or `Failed`.
    ReadProtections,
    /// `runner.verify`. Answered with `Verified` or `Failed`. Its age counts from this plan, which is
    /// before its sending.
    Verify {
        /// The claim's number.
        claim: ClaimNumber,
        /// For this question alone.
        nonce: String,
        /// By how much an idle answer prolongs the preparation.
        prolong_ms: u64,
    },
    /// The one call. Answered with `Called`.
    Call(Permit),
    /// Read the instance's state. Answered with `Instance` or `Failed`.
    ReadInstance,
    /// Write these tags, unconditionally. Answered with `Done` or `Failed`.
    WriteTags(Tags),
    /// `runner.cancel`. Answered with `Done` or `Failed`.
    Cancel {
        /// The claim's number.
        claim: ClaimNumber,
        /// Why, for people.
        reason: String,
    },
    /// The machine is done and will plan nothing more. Not answered.
    Finished(End),
}

/// One atomic batch: all of it or nothing, in this order, the host's key last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The writes.
    pub writes: Vec<Write>,
}

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub key: Key,
    /// What.
    pub value: Value,
    /// The revision that the key must have; 0 for none yet.
    pub expected: Revision,
}

/// A key of the bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The claim's own host.
    Host,
    /// The kill switch.
    Gate,
    /// A slot.
    Slot {
        /// Of this group.
        group: String,
        /// Its number, from 0.
        n: u32,
    },
}

/// What is written under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A host's record.
    Host(Box<HostRecord>),
    /// The kill switch.
    Gate(Gate),
    /// A slot that is taken.
    Slot(Slot),
    /// A delete marker: the slot is free.
    Delete,
}

/// An entry for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// What kind of entry.
    pub kind: AuditKind,
    /// The claim's number.
    pub claim: ClaimNumber,
    /// One sentence for people.
    pub message: String,
}

/// The kinds of entries that a claim files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditKind {
    /// The host is to be stopped.
    Intent,
    /// It was told.
    Notice,
    /// Its fresh votes are idle.
    Verified,
    /// The call follows.
    Committed,
    /// What became of the call.
    Call,
    /// The instance was seen stopped.
    Stopped,
    /// The claim was given up.
    Cancelled,
    /// Another holder took it over.
    Takeover,
    /// A person should look.
    Alarm,
}

/// Leave to make one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The claim that it belongs to.
    pub claim: ClaimNumber,
    /// What to do to the instance.
    pub action: StopAction,
    /// The verification is stale from here on. Looked at after the request is signed, right before it is
    /// sent (P1): see [`Permit::allows`].
    pub not_after: Boot,
    /// `C`: when the connection is aborted.
    pub timeout_ms: u64,
}

impl Permit {
    /// The last look before a signed request is sent: on no account is it sent where this says no (P1).
    #[must_use]
    pub fn allows(&self, now: Boot) -> bool {
        now < self.not_after
    }
}

/// Tags that state dated facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// Stopped by us.
    Stopped {
        /// When it was seen, or on a host that stops itself, is about to be.
        at: Wall,
        /// Why.
        reason: String,
    },
    /// Running after all.
    Running,
}

/// How a machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The host is free and its slots are given back.
    Freed {
        /// What became of the claim.
        outcome: Outcome,
    },
    /// The claim was not made: somebody else was first, or its fate is unknown and another executor will
    /// undo it if it lands.
    NotClaimed,
    /// Another holder has the claim now.
    TakenOver,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The instance was seen stopped.
    Stopped,
    /// It was given up.
    Cancelled {
        /// Why.
        reason: String,
    },
}
