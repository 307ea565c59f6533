//! What a claim's batches hold: the writes before the host's key, and the record that is written there.
//!
//! Every write has the revision that its key must have; what others wrote into the host's record is kept.

use super::action::{Key, Value, Write};
use super::holder::Holder;
use super::pen::{Carries, Want, Whose};
use super::record::{Claim, HostRecord, LastStop, Phase, Revision, Slot};
use super::requests::tidy_up;
use super::terms::SlotOffer;
use crate::time::{Now, Wall};
use alloc::vec::Vec;

impl Holder {
    /// The record as it is, with a sign of life and how far the machine is.
    pub(super) fn beat(&self) -> HostRecord {
        let mut record = self.pen.base.value.clone();
        if let Some(claim) = &mut record.claim {
            claim.beat = claim.beat.saturating_add(1);
            claim.holder.clone_from(&self.drawn.holder);
            claim.tagged = self.tagged;
            if let Phase::Claimed(progress) = claim.phase {
                claim.phase = Phase::Claimed(self.progress(progress));
            }
        }
        record
    }

    /// The writes before the host's key, and the record that is written there.
    pub(super) fn batch_for(&self, want: &Want, now: Now) -> (Vec<Write>, Carries) {
        let mut writes = Vec::new();
        let mut record = self.beat();
        let mut gate_after = None;
        match want {
            Want::Claim(claim, slot) => {
                record.claim = Some(Claim::clone(claim));
                writes.push(self.take_slot(slot));
            }
            Want::Free => {
                writes = self.give_slots_back();
                record = self.freed(now);
            }
            Want::Commit => {
                let mut gate = self.pen.gate.value.clone();
                gate.commits = gate.commits.saturating_add(1);
                writes.push(Write {
                    key: Key::Gate,
                    value: Value::Gate(gate.clone()),
                    expected: self.pen.gate.revision,
                });
                gate_after = Some(gate);
            }
            _ => {}
        }
        if let Some(claim) = &mut record.claim {
            render(claim, want, now);
            if *want == Want::Stopped(Whose::Ours) {
                // A claim that is taken over when the stop is in the record already keeps its date.
                let dated = self.pen.phase() == Some(Phase::Stopped) && record.last_stop.is_some();
                if !dated {
                    record.last_stop = Some(LastStop {
                        at: self.stopped_at(claim, now),
                        reason: claim.reason.clone(),
                    });
                }
            }
        }
        (writes, Carries::Wanted(record, gate_after))
    }

    fn take_slot(&self, slot: &SlotOffer) -> Write {
        Write {
            key: Key::Slot {
                group: self.terms.group.clone(),
                n: slot.n,
            },
            value: Value::Slot(Slot {
                host: self.terms.host.clone(),
                holder: self.drawn.holder.clone(),
            }),
            expected: slot.revision,
        }
    }

    /// L1: slots are given back in the batch that frees the host, never alone.
    fn give_slots_back(&self) -> Vec<Write> {
        let Some(claim) = self.pen.claim() else {
            return Vec::new();
        };
        let computed = claim
            .slots
            .iter()
            .enumerate()
            .map(|(index, n)| (*n, claim.slot_revision(claim.number, index)));
        let slots: Vec<(u32, Revision)> = match &self.pen.slots {
            Some(seen) => seen.clone(),
            None => computed.collect(),
        };
        slots
            .into_iter()
            .map(|(n, expected)| Write {
                key: Key::Slot {
                    group: claim.group.clone(),
                    n,
                },
                value: Value::Delete,
                expected,
            })
            .collect()
    }

    /// When it was stopped: now, where that is seen; who was stopped himself knows when it was asked for.
    fn stopped_at(&self, claim: &Claim, now: Now) -> Wall {
        if self.came_back() {
            claim.committed_at.unwrap_or(now.wall)
        } else {
            now.wall
        }
    }

    fn freed(&self, now: Now) -> HostRecord {
        let mut record = self.pen.base.value.clone();
        record.claim = None;
        tidy_up(&mut record, now.wall);
        let cooldown_ms = self.terms.policy.cooldown_ms;
        record.not_before = (cooldown_ms > 0).then(|| now.wall.plus(cooldown_ms));
        record
    }
}

fn render(claim: &mut Claim, want: &Want, now: Now) {
    match want {
        Want::Claim(..) | Want::ConfirmClaim | Want::ConfirmCommit | Want::Free => {}
        Want::Commit => {
            claim.phase = Phase::Committed;
            claim.committed_at = Some(now.wall);
        }
        Want::Stopping(whose) => {
            claim.phase = Phase::Stopping;
            claim.stopped_by_others = *whose == Whose::Others;
        }
        Want::Unknown => {
            claim.phase = Phase::Unknown;
            // Whose the next stop is, nobody can tell any more: the call may bring it about.
            claim.stopped_by_others = false;
        }
        Want::Stopped(whose) => {
            claim.phase = Phase::Stopped;
            claim.stopped_by_others = *whose == Whose::Others;
        }
        Want::Cancelled(why) => {
            claim.phase = Phase::Cancelled;
            claim.cancelled_because.clone_from(why);
        }
    }
}
