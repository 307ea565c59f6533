//! Whether a batch of writes may be sent: the host's key, its slots, and the commit past the gate.

use super::phases::{Heir, begins, follows, inherits};
use super::{Checker, Violation};
use crate::claim::{AuditKind, Batch, Claim, Gate, HostRecord, Key, Phase, Revision, Value};
use crate::policy::Mode;
use crate::time::Now;

impl Checker {
    pub(super) fn inspect_write(&self, now: Now, batch: &Batch) -> Result<(), Violation> {
        self.alone_in_flight()?;
        if self.doubt {
            return Err(Violation::WriteInDoubt);
        }
        let (record, expected) = host_write(batch)?;
        if expected != self.known.revision {
            return Err(Violation::WriteAtUnknownRevision);
        }
        self.slots_and_claim(batch, record)?;
        let before = self.known.value.claim.as_ref();
        let Some(after) = &record.claim else {
            let over = matches!(
                before.map(|claim| claim.phase),
                Some(Phase::Stopped | Phase::Cancelled)
            );
            return if over {
                Ok(())
            } else {
                Err(Violation::ForbiddenPhase)
            };
        };
        if after.phase == Phase::Committed && before.map(|claim| claim.phase) != Some(Phase::Committed) {
            self.inspect_commit(now, batch, after)?;
        }
        match before {
            Some(before) if before.holder != self.holder => {
                let heir = match &self.self_boot {
                    Some(boot) if *boot != before.boot_id => Heir::NextBoot,
                    _ => Heir::Other,
                };
                inherits(before, after, heir)
            }
            Some(before) => follows(before, after),
            None => {
                self.may_act()?;
                begins(after)
            }
        }
    }

    /// S1 and S25, whatever was decided.
    fn may_act(&self) -> Result<(), Violation> {
        if self.policy.mode != Mode::Act {
            return Err(Violation::ClaimWhileObserving);
        }
        if self.self_boot.is_some() && !self.policy.self_stop {
            return Err(Violation::SelfStopForbidden);
        }
        Ok(())
    }

    fn inspect_commit(&self, now: Now, batch: &Batch, claim: &Claim) -> Result<(), Violation> {
        self.may_act()?;
        self.after(AuditKind::Verified)?;
        let verified_at = self.verified_at.ok_or(Violation::CommitWithoutVerification)?;
        if now.boot.since(verified_at) >= self.policy.freshness_ms {
            return Err(Violation::CommitOnStaleVerification);
        }
        let gate = batch.writes.iter().find(|write| write.key == Key::Gate);
        match gate.map(|write| (&write.value, write.expected)) {
            Some((
                Value::Gate(Gate {
                    frozen: None,
                    freezes,
                    ..
                }),
                expected,
            )) if *freezes == claim.freezes && self.gate.is_none_or(|known| known <= expected) => Ok(()),
            _ => Err(Violation::CommitPastTheGate),
        }
    }

    fn slots_and_claim(&self, batch: &Batch, record: &HostRecord) -> Result<(), Violation> {
        let slots = |kind: fn(&Value) -> bool| {
            let of_kind = batch
                .writes
                .iter()
                .filter(|write| matches!(write.key, Key::Slot { .. }) && kind(&write.value));
            of_kind.count()
        };
        let taken = slots(|value| matches!(value, Value::Slot(_)));
        let given_back = slots(|value| matches!(value, Value::Delete));
        let before = self.known.value.claim.as_ref();
        let together = match (before, &record.claim) {
            (None, Some(claim)) => given_back == 0 && taken == claim.slots.len(),
            // After a read, a slot that is no longer this host's is left alone.
            (Some(claim), None) => taken == 0 && given_back <= claim.slots.len(),
            _ => taken == 0 && given_back == 0,
        };
        if together {
            Ok(())
        } else {
            Err(Violation::SlotsApart)
        }
    }
}

pub(super) fn host_write(batch: &Batch) -> Result<(&HostRecord, Revision), Violation> {
    let hosts = batch.writes.iter().filter(|write| write.key == Key::Host).count();
    match batch
        .writes
        .last()
        .map(|write| (&write.key, &write.value, write.expected))
    {
        Some((Key::Host, Value::Host(record), expected)) if hosts == 1 => Ok((record, expected)),
        _ => Err(Violation::HostKeyNotLast),
    }
}
