//! How a claim's machine writes: one batch at a time, always at the revision that it knows.
//!
//! A conflict or a doubt about a write (L7) leads to a read, and the next step after it is a write at the
//! revision read: a write of before that is still on its way can then no longer land unnoticed. Others may
//! change the key too (a lease, a wake); what they wrote is kept.

use super::action::{Action, Batch, Key, Ticket, Value, Write};
use super::holder::{GRACE_MS, Holder};
use super::record::{Claim, ClaimNumber, Entry, Gate, HostRecord, Phase, Revision};
use super::requests::numbered;
use super::stage::Stage;
use super::terms::SlotOffer;
use crate::time::{Boot, Now};
use alloc::{boxed::Box, string::String, vec::Vec};

/// What the machine knows of the keys, and what it is writing.
#[derive(Debug)]
pub(super) struct Pen {
    /// The host's key as last read or written.
    pub(super) base: Entry<HostRecord>,
    pub(super) gate: Entry<Gate>,
    /// What the key is to say next, beyond beats.
    pub(super) want: Option<Want>,
    /// Whether the key has carried this machine's holder id.
    pub(super) arrived: bool,
    pub(super) stepped_at: Boot,
    /// The taken slots of this host, where they were read since the last write.
    pub(super) slots: Option<Vec<(u32, Revision)>>,
    pub(super) flight: Option<Flight>,
    pub(super) doubt: Doubt,
    /// Reads since the last write that went through.
    pub(super) reads: u32,
    pub(super) read_at: Boot,
    wrote_at: Boot,
}

/// Whether the base is what lies in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// As far as anybody told.
    None,
    /// It moved: read it again.
    Moved,
    /// A write may or may not have landed, or still may (L7).
    Ambiguous,
}

/// What the key is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    Claim(Box<Claim>, SlotOffer),
    /// The claim was found in the key after a doubt: write once more before going on.
    ConfirmClaim,
    Commit,
    ConfirmCommit,
    Stopping(Whose),
    Unknown,
    Stopped(Whose),
    Cancelled(String),
    Free,
}

/// Whose stop it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    Others,
}

/// A write or read on its way.
#[derive(Debug)]
pub(super) struct Flight {
    ticket: Ticket,
    due: Boot,
    pub(super) carries: Carries,
}

/// What is on its way.
#[derive(Debug)]
pub(super) enum Carries {
    Read,
    Beat(HostRecord),
    Wanted(HostRecord, Option<Gate>),
}

impl Pen {
    pub(super) fn new(key: &Entry<HostRecord>, gate: Entry<Gate>, want: Want, now: Boot) -> Pen {
        Pen {
            base: Entry {
                revision: key.revision,
                value: numbered(key),
            },
            gate,
            want: Some(want),
            arrived: false,
            stepped_at: now,
            slots: None,
            flight: None,
            doubt: Doubt::None,
            reads: 0,
            read_at: now,
            wrote_at: now,
        }
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        self.base.value.claim.as_ref()
    }

    pub(super) fn phase(&self) -> Option<Phase> {
        self.claim().map(|claim| claim.phase)
    }

    pub(super) fn number(&self) -> Option<ClaimNumber> {
        self.claim().map(|claim| claim.number)
    }

    pub(super) fn in_flight(&self) -> bool {
        self.flight.is_some()
    }

    pub(super) fn in_doubt(&self) -> bool {
        self.doubt != Doubt::None
    }

    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.ticket == ticket)
    }

    pub(super) fn overdue(&self, now: Boot) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| now >= flight.due.plus(GRACE_MS))
    }

    pub(super) fn wake_at(&self, beat_ms: u64) -> Boot {
        match &self.flight {
            Some(flight) => flight.due.plus(GRACE_MS),
            None if self.in_doubt() => self.read_at,
            None => self.wrote_at.plus(beat_ms),
        }
    }
}

impl Holder {
    /// Writes what is wanted, or a beat where one is due; reads where the key is in doubt.
    pub(super) fn write_key(&mut self, now: Now) {
        if self.pen.flight.is_some() || self.stage == Stage::Finished {
            return;
        }
        if self.pen.in_doubt() {
            self.read_key(now);
            return;
        }
        let (batch, carries) = match self.pen.want.clone() {
            Some(want) => self.batch_for(&want, now),
            None if self.beat_is_due(now) => {
                let record = self.beat();
                (Vec::new(), Carries::Beat(record))
            }
            None => return,
        };
        let (Carries::Beat(record) | Carries::Wanted(record, _)) = &carries else {
            return;
        };
        let mut writes = batch;
        writes.push(Write {
            key: Key::Host,
            value: Value::Host(Box::new(record.clone())),
            expected: self.pen.base.revision,
        });
        self.pen.wrote_at = now.boot;
        self.fly(now, Action::Write(Batch { writes }), carries);
    }

    fn read_key(&mut self, now: Now) {
        if now.boot < self.pen.read_at {
            return;
        }
        // The slots are of the group that the claim was made in; the host may be in another one by now.
        let (group, slots) = match self.pen.claim() {
            Some(claim) => (claim.group.clone(), claim.slots.clone()),
            None => (self.terms.group.clone(), Vec::new()),
        };
        let action = Action::ReadState { group, slots };
        self.fly(now, action, Carries::Read);
    }

    fn fly(&mut self, now: Now, action: Action, carries: Carries) {
        let within_ms = (self.terms.policy.takeover_ms / 2).max(1);
        let ticket = self.plan(within_ms, action);
        self.pen.flight = Some(Flight {
            ticket,
            due: now.boot.plus(within_ms),
            carries,
        });
    }

    fn beat_is_due(&self, now: Now) -> bool {
        let Some(claim) = self.pen.claim() else {
            return false;
        };
        let behind = match claim.phase {
            Phase::Claimed(progress) => progress != self.progress(progress),
            _ => false,
        };
        let late = now.boot.since(self.pen.wrote_at) >= self.terms.policy.beat_ms;
        self.pen.arrived && (behind || late || claim.tagged != self.tagged)
    }
}
