//! What a claim's machine makes of the answers about its keys, and of what it reads there.
//!
//! A conflict or a doubt about a write (L7) leads to a read, and what was read is the base of the next
//! write; a claim that is no longer this machine's own ends it.

use super::action::{End, Outcome};
use super::holder::{ATTEMPTS, Holder, PAUSE_MS};
use super::input::{Answer, StateRead};
use super::pen::{Carries, Doubt, Want};
use super::record::{Entry, Gate, HostRecord, Phase, Revision, Slot};
use super::requests::numbered;
use super::stage::Stage;
use crate::time::Now;
use alloc::{format, string::String};

impl Holder {
    /// What came of the write or read in flight.
    pub(super) fn pen_answer(&mut self, now: Now, answer: Answer) {
        let Some(flight) = self.pen.flight.take() else {
            return;
        };
        match (flight.carries, answer) {
            (Carries::Read, Answer::State(state)) => self.state_read(*state),
            (Carries::Read, _) => self.pen.read_at = now.boot.plus(PAUSE_MS),
            (Carries::Beat(record), Answer::Written { revision }) => {
                self.settle_base(revision, record, None);
            }
            (Carries::Wanted(record, gate), Answer::Written { revision }) => {
                let outcome = self.outcome();
                self.settle_base(revision, record, gate);
                match self.pen.want.take() {
                    Some(Want::Free) => self.finish(End::Freed { outcome }),
                    Some(want) => self.written(now, want),
                    None => {}
                }
            }
            (_, Answer::Conflict) => self.moved(now),
            // Whatever else comes for a write says nothing certain.
            (_, _) => {
                self.pen.doubt = Doubt::Ambiguous;
                self.pen.read_at = now.boot;
            }
        }
    }

    fn settle_base(&mut self, revision: Revision, record: HostRecord, gate: Option<Gate>) {
        self.pen.arrived = true;
        self.pen.reads = 0;
        // Seen before a write that went through, slots may look different now.
        self.pen.slots = None;
        self.pen.base = Entry {
            revision,
            value: record,
        };
        self.pen.base.value = numbered(&self.pen.base);
        if let Some(gate) = gate {
            // The kill switch stands right before the host's key in the batch.
            self.pen.gate = Entry {
                revision: Revision(revision.0.saturating_sub(1)),
                value: gate,
            };
        }
    }

    fn moved(&mut self, now: Now) {
        // Without a doubt before it, a first write that was refused has left nothing behind.
        if !self.pen.arrived && self.pen.reads == 0 {
            self.finish(End::NotClaimed);
            return;
        }
        self.pen.doubt = Doubt::Moved;
        // Something may keep refusing what should go through: then slowly, so that it is no flood.
        let pause = if self.pen.reads < ATTEMPTS { 0 } else { PAUSE_MS };
        self.pen.read_at = now.boot.plus(pause);
    }

    fn state_read(&mut self, state: StateRead) {
        self.pen.reads = self.pen.reads.saturating_add(1);
        let ours = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.host == self.terms.host);
        let seen = state.slots.iter().filter(|seen| ours(&seen.entry.value));
        self.pen.slots = Some(seen.map(|seen| (seen.n, seen.entry.revision)).collect());
        self.pen.doubt = Doubt::None;
        self.adopt(&state.host);
        if self.stage != Stage::Finished {
            self.gate_seen(state.gate);
        }
    }

    /// The key was seen by other means: what was written by others counts at once.
    pub(super) fn key_changed(&mut self, entry: &Entry<HostRecord>) {
        let known = self.pen.flight.is_some() || self.pen.in_doubt() || !self.pen.arrived;
        if !known && entry.revision > self.pen.base.revision {
            self.adopt(entry);
        }
    }

    /// Makes what was read the base of the next write, or ends where the claim is not ours any more.
    fn adopt(&mut self, read: &Entry<HostRecord>) {
        let entry = Entry {
            revision: read.revision,
            value: numbered(read),
        };
        let mine = entry
            .value
            .claim
            .as_ref()
            .is_some_and(|claim| claim.holder == self.drawn.holder);
        if !mine {
            let unchanged = entry.revision == self.pen.base.revision;
            if self.pen.arrived || !unchanged || self.pen.reads >= ATTEMPTS {
                self.lost(&entry.value);
            }
            return;
        }
        self.pen.arrived = true;
        self.pen.base = entry;
        let phase = self.pen.phase();
        match (&self.pen.want, phase) {
            (Some(Want::Claim(..)), _) => self.pen.want = Some(Want::ConfirmClaim),
            (Some(Want::Commit), Some(Phase::Committed)) => self.pen.want = Some(Want::ConfirmCommit),
            _ => {}
        }
        if phase == Some(Phase::Cancelled) && !self.is_after() {
            // A lease, a veto or the like, in the same write as the claim's end (P5).
            let why = self
                .pen
                .claim()
                .map_or_else(String::new, |claim| claim.cancelled_because.clone());
            self.cancel(why);
        }
    }

    fn lost(&mut self, record: &HostRecord) {
        let other_claim = record.claim.as_ref().map(|claim| claim.number) != self.pen.number();
        let end = if self.pen.want == Some(Want::Free) && other_claim {
            End::Freed {
                outcome: self.outcome(),
            }
        } else if self.pen.arrived {
            End::TakenOver
        } else {
            End::NotClaimed
        };
        self.finish(end);
    }

    /// The kill switch as it was seen (L3).
    pub(super) fn gate_seen(&mut self, gate: Entry<Gate>) {
        if gate.revision < self.pen.gate.revision {
            return;
        }
        self.pen.gate = gate;
        let gate = &self.pen.gate.value;
        let at_claim = match (&self.pen.want, self.pen.claim()) {
            (Some(Want::Claim(claim, _)), _) => claim.freezes,
            (_, Some(claim)) => claim.freezes,
            _ => gate.freezes,
        };
        let why = match &gate.frozen {
            Some(frozen) => format!("frozen by {}: {}", frozen.by, frozen.reason),
            None if gate.freezes != at_claim => String::from("frozen and thawed since the claim"),
            None => return,
        };
        self.give_up(why);
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.pen.claim() {
            Some(claim) if claim.phase == Phase::Stopped => Outcome::Stopped,
            claim => Outcome::Cancelled {
                reason: claim.map_or_else(String::new, |claim| claim.cancelled_because.clone()),
            },
        }
    }
}
