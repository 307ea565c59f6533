//! Looks at every plan before it is carried out: whoever carries plans out refuses one that is wrong.
//!
//! It keeps its own small account of what was written, filed, asked and answered, apart from the
//! machine's, so that a mistake in the machine cannot excuse itself. It never plans anything.

mod guarded;
mod idle;
mod phases;
mod violation;
mod writes;

use crate::claim::{
    Action, Answer, AuditEntry, AuditKind, Batch, ClaimNumber, Entry, GRACE_MS, HostRecord, Input, Permit,
    Phase, Planned, Revision, Terms, Ticket,
};
use crate::policy::Policy;
use crate::time::{Boot, Now};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
pub use guarded::Guarded;
use idle::says_idle;
pub use violation::Violation;
use writes::host_write;

#[derive(Debug)]
struct Pending {
    planned_at: Boot,
    due: Boot,
    action: Action,
}

impl Pending {
    fn is_of_keys(&self) -> bool {
        matches!(self.action, Action::Write(_) | Action::ReadState { .. })
    }
}

/// The account of one machine's plans.
#[derive(Debug)]
pub struct Checker {
    policy: Policy,
    self_boot: Option<String>,
    holder: String,
    /// The host's key as last written or read.
    known: Entry<HostRecord>,
    gate: Option<Revision>,
    last_ticket: Option<Ticket>,
    pending: BTreeMap<Ticket, Pending>,
    /// Planned for the audit trail and not acknowledged yet.
    unfiled: Vec<AuditEntry>,
    doubt: bool,
    committed: bool,
    filed: Vec<AuditKind>,
    /// The last question; an answer to one before it counts for nothing.
    asked: Option<Ticket>,
    /// When the last question was asked, where its answer says idle.
    verified_at: Option<Boot>,
    claimed: Option<ClaimNumber>,
    calls: u32,
    ended: bool,
}

impl Checker {
    /// An account that begins with the host's key as the machine was given it.
    #[must_use]
    pub fn new(terms: &Terms, holder: String, key: Entry<HostRecord>) -> Checker {
        Checker {
            policy: terms.policy.clone(),
            self_boot: terms.self_boot.clone(),
            holder,
            known: key,
            gate: None,
            last_ticket: None,
            pending: BTreeMap::new(),
            unfiled: Vec::new(),
            doubt: false,
            committed: false,
            filed: Vec::new(),
            asked: None,
            verified_at: None,
            claimed: None,
            calls: 0,
            ended: false,
        }
    }

    /// Notes what the machine is told, before it is told.
    pub fn heard(&mut self, now: Now, input: &Input) {
        let Input::Answer { ticket, answer } = input else {
            if let Input::KeyChanged(entry) = input
                && entry.revision > self.known.revision
            {
                self.adopt(entry);
            }
            return;
        };
        let Some(Pending {
            planned_at, action, ..
        }) = self.pending.remove(ticket)
        else {
            return;
        };
        match (action, answer) {
            (Action::Write(batch), Answer::Written { revision }) => self.written(&batch, *revision),
            (Action::Write(_), Answer::Conflict) => {}
            (Action::Write(_), _) => self.doubt = true,
            (Action::ReadState { .. }, Answer::State(state)) => {
                self.doubt = false;
                self.gate = Some(state.gate.revision);
                self.adopt(&state.host);
            }
            (Action::Audit(entry), Answer::Filed) => {
                self.unfiled.retain(|other| *other != entry);
                self.filed.push(entry.kind);
            }
            (Action::Verify { claim, nonce, .. }, Answer::Verified(answer))
                if self.asked == Some(*ticket) =>
            {
                let age_ms = now.boot.since(planned_at);
                let to_it = claim == answer.claim && nonce == answer.nonce;
                let fresh = age_ms < self.policy.freshness_ms;
                let ours = self.known.value.claim.as_ref();
                let idle = ours.is_some_and(|ours| says_idle(&self.policy, ours, answer, age_ms));
                let counts = to_it && fresh && idle && self.claimed == Some(claim);
                self.verified_at = counts.then_some(planned_at);
            }
            _ => {}
        }
    }

    /// Says whether a plan may be carried out, and notes it.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn inspect(&mut self, now: Now, planned: &Planned) -> Result<(), Violation> {
        if self.ended {
            return Err(Violation::PlanAfterEnd);
        }
        if self.last_ticket.is_some_and(|last| planned.ticket <= last) {
            return Err(Violation::TicketUsedTwice);
        }
        self.last_ticket = Some(planned.ticket);
        self.forget_overdue(now);
        match &planned.action {
            Action::Write(batch) => self.inspect_write(now, batch)?,
            Action::ReadState { .. } => self.alone_in_flight()?,
            Action::Audit(entry) if self.unfiled.contains(entry) => {}
            Action::Audit(entry) => self.unfiled.push(entry.clone()),
            Action::Call(permit) => self.inspect_call(now, permit)?,
            Action::Finished(_) => self.ended = true,
            Action::Prepare { .. } => self.after(AuditKind::Intent)?,
            Action::ReadProtections => self.after(AuditKind::Notice)?,
            Action::Verify { .. } => {
                self.after(AuditKind::Notice)?;
                self.asked = Some(planned.ticket);
                self.verified_at = None;
            }
            Action::ReadInstance | Action::WriteTags(_) | Action::Cancel { .. } => self.nothing_unfiled()?,
        }
        let pending = Pending {
            planned_at: now.boot,
            due: now.boot.plus(planned.within_ms).plus(GRACE_MS),
            action: planned.action.clone(),
        };
        self.pending.insert(planned.ticket, pending);
        Ok(())
    }

    /// What was never answered is not in flight any more; a write of which nobody told leaves a doubt.
    fn forget_overdue(&mut self, now: Now) {
        let overdue = |pending: &Pending| pending.is_of_keys() && now.boot >= pending.due;
        let writes = |pending: &Pending| overdue(pending) && matches!(pending.action, Action::Write(_));
        self.doubt |= self.pending.values().any(writes);
        self.pending.retain(|_, pending| !overdue(pending));
    }

    fn inspect_call(&mut self, now: Now, permit: &Permit) -> Result<(), Violation> {
        if self.calls > 0 {
            return Err(Violation::SecondCall);
        }
        if !self.committed || self.claimed != Some(permit.claim) {
            return Err(Violation::CallWithoutCommit);
        }
        self.after(AuditKind::Committed)?;
        let verified_at = self.verified_at.ok_or(Violation::CallWithoutVerification)?;
        let stale = verified_at.plus(self.policy.freshness_ms);
        if now.boot >= stale || permit.not_after > stale {
            return Err(Violation::CallOnStaleVerification);
        }
        self.calls += 1;
        Ok(())
    }

    fn alone_in_flight(&self) -> Result<(), Violation> {
        if self.pending.values().any(Pending::is_of_keys) {
            return Err(Violation::TwoWritesInFlight);
        }
        Ok(())
    }

    fn nothing_unfiled(&self) -> Result<(), Violation> {
        if self.unfiled.is_empty() {
            Ok(())
        } else {
            Err(Violation::StepBeforeAudit)
        }
    }

    fn after(&self, kind: AuditKind) -> Result<(), Violation> {
        self.nothing_unfiled()?;
        if self.filed.contains(&kind) {
            Ok(())
        } else {
            Err(Violation::StepBeforeAudit)
        }
    }

    fn written(&mut self, batch: &Batch, revision: Revision) {
        if let Ok((record, _)) = host_write(batch) {
            let value = record.clone();
            self.adopt(&Entry { revision, value });
        }
    }

    fn adopt(&mut self, entry: &Entry<HostRecord>) {
        self.known = entry.clone();
        let Some(claim) = &entry.value.claim else {
            return;
        };
        if claim.holder == self.holder {
            self.claimed = Some(claim.number_at(entry.revision));
            self.committed = claim.phase == Phase::Committed;
        }
    }
}
