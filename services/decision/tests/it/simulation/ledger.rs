//! What truly happened, beside what anybody believes, and the properties that must hold of it.

use super::Seen;
use crate::store::Store;
use snooze_decision::claim::{AuditKind, Batch, HostRecord, Lease, Phase, Postponement};
use std::collections::{BTreeMap, BTreeSet};

/// Which run of which executor.
pub(super) type Process = (usize, u64);

#[derive(Default)]
pub(super) struct Ledger {
    claims: BTreeMap<u64, Made>,
    commits: BTreeMap<u64, String>,
    questions: Vec<Question>,
    audits: BTreeSet<(u64, AuditKind)>,
    /// Claims whose instance was read as running and unprotected.
    cleared: BTreeSet<u64>,
    calls: BTreeMap<u64, u32>,
    pub(super) seen: Seen,
}

struct Made {
    at: u64,
    freezes: u64,
    leases: Vec<Lease>,
    postponement: Option<Postponement>,
}

struct Question {
    process: Process,
    host: usize,
    claim: u64,
    nonce: String,
    asked_at: u64,
    truly_idle: bool,
    received: bool,
}

impl Ledger {
    /// A batch landed: what it changed must be allowed by what lay there before.
    pub(super) fn landed(
        &mut self,
        store: &Store,
        before: &HostRecord,
        gate_freezes: Option<u64>,
        host: usize,
        now: u64,
    ) {
        let after = store.host(host);
        let number = after.value.claim_number(after.revision).map(|number| number.0);
        let was = before.claim.as_ref().map(|claim| claim.phase);
        let Some(claim) = &after.value.claim else {
            let over = matches!(was, None | Some(Phase::Stopped | Phase::Cancelled));
            assert!(over, "h{host} was freed from {was:?}");
            return;
        };
        let number = number.expect("a claim has a number");
        if was.is_none() {
            self.claims.insert(
                number,
                Made {
                    at: now,
                    freezes: claim.freezes,
                    leases: before.leases.clone(),
                    postponement: before.postponement.clone(),
                },
            );
        }
        if was == Some(claim.phase) {
            return;
        }
        match claim.phase {
            Phase::Committed => {
                let made = &self.claims[&number];
                let gate = gate_freezes.expect("a commit never lands while the kill switch is closed");
                assert_eq!(gate, made.freezes, "a commit landed past a freeze");
                assert!(before.wake.is_none(), "a commit landed past a wake");
                assert_eq!(before.leases, made.leases, "a commit landed past a lease");
                assert_eq!(
                    before.postponement, made.postponement,
                    "a commit landed past a postponement"
                );
                assert!(matches!(was, Some(Phase::Claimed(_))), "committed from {was:?}");
                let other = self.commits.insert(number, claim.holder.clone());
                assert!(other.is_none(), "claim {number} was committed twice");
            }
            Phase::Unknown => self.seen.note("unknown"),
            Phase::Cancelled => self.seen.note(cause(&claim.cancelled_because)),
            _ => {}
        }
        let held_before = before.claim.as_ref().map(|claim| &claim.holder);
        if held_before.is_some_and(|holder| *holder != claim.holder) {
            self.seen.note("takeover");
        }
    }

    /// When a claim was made.
    pub(super) fn made_at(&self, claim: u64) -> Option<u64> {
        self.claims.get(&claim).map(|made| made.at)
    }

    /// The cloud said of the claim's instance that it may be stopped.
    pub(super) fn cleared(&mut self, claim: u64) {
        self.cleared.insert(claim);
    }

    /// The audit trail has it.
    pub(super) fn filed(&mut self, claim: u64, kind: AuditKind) {
        self.audits.insert((claim, kind));
    }

    pub(super) fn asked(&mut self, process: Process, host: usize, claim: u64, nonce: &str, now: u64) {
        self.questions.push(Question {
            process,
            host,
            claim,
            nonce: nonce.to_owned(),
            asked_at: now,
            truly_idle: false,
            received: false,
        });
    }

    /// The host answered, and this is the truth about it.
    pub(super) fn answered(&mut self, nonce: &str, truly_idle: bool) {
        for question in self
            .questions
            .iter_mut()
            .filter(|question| question.nonce == nonce)
        {
            question.truly_idle |= truly_idle;
        }
    }

    pub(super) fn received(&mut self, process: Process, nonce: &str) {
        for question in &mut self.questions {
            question.received |= question.nonce == nonce && question.process == process;
        }
    }

    /// A call is about to be sent: the property that is never broken.
    pub(super) fn called(
        &mut self,
        process: Process,
        host: usize,
        claim: u64,
        holder: &str,
        fresh_ms: u64,
        now: u64,
    ) {
        let made = self.claims.get(&claim).expect("a call has a claim");
        let verified = self.questions.iter().any(|question| {
            question.process == process
                && question.host == host
                && question.claim == claim
                && question.received
                && question.truly_idle
                && question.asked_at >= made.at
                // Clocks run up to a thousandth fast or slow.
                && now - question.asked_at <= fresh_ms + fresh_ms / 500
        });
        assert!(
            verified,
            "call for h{host} without a fresh idle verification received by {process:?}"
        );
        let committed = self.commits.get(&claim).is_some_and(|by| by == holder);
        assert!(
            committed,
            "call for claim {claim} by {holder}, who has not committed it"
        );
        for kind in [
            AuditKind::Intent,
            AuditKind::Notice,
            AuditKind::Verified,
            AuditKind::Committed,
        ] {
            assert!(
                self.audits.contains(&(claim, kind)),
                "claim {claim} calls before {kind:?} is filed"
            );
        }
        assert!(
            self.cleared.contains(&claim),
            "claim {claim} calls, and its instance was never seen unprotected"
        );
        self.seen.note("call");
        self.seen.note(format!("call of h{host}"));
        let calls = self.calls.entry(claim).or_default();
        *calls += 1;
        assert_eq!(*calls, 1, "a second call for claim {claim}");
    }

    /// A call takes effect: never later than F + E + L after the question that it rests on.
    pub(super) fn applied(&self, claim: u64, way_ms: u64, now: u64) {
        let recent = |question: &Question| question.claim == claim && question.asked_at + way_ms >= now;
        assert!(
            self.questions.iter().any(recent),
            "claim {claim} took effect more than {way_ms} ms after its verification"
        );
    }
}

/// A claim's end as one of a few words, to count them.
fn cause(because: &str) -> &'static str {
    let causes = [
        ("its holder was lost", "cancelled after a takeover"),
        ("frozen", "cancelled by a freeze"),
        ("lease", "cancelled by a lease"),
        ("postponed", "cancelled by a postponement"),
        ("wake", "cancelled by a wake"),
        ("started since", "cancelled by a start"),
        ("Two agents", "cancelled for two agents"),
        ("policy changed", "cancelled by a change of policy"),
        ("is to end", "cancelled by a shutdown"),
        ("protected", "cancelled by a protection"),
        ("has the tag", "cancelled by a tag"),
        ("cannot say", "cancelled by an unknown vote"),
        ("another boot or agent", "cancelled for another agent"),
        ("after a boot", "cancelled after a boot"),
        ("seen running", "cancelled after the quarantine"),
    ];
    let known = causes.iter().find(|(words, _)| because.contains(words));
    known.map_or("cancelled otherwise", |(_, cause)| cause)
}

/// The count of freezes at an open kill switch; none where it is closed.
pub(super) fn open_gate(store: &Store) -> Option<u64> {
    store
        .gate
        .value
        .frozen
        .is_none()
        .then_some(store.gate.value.freezes)
}

/// Whether the batch touches the host's own claim at all.
pub(super) fn frees(batch: &Batch) -> bool {
    use snooze_decision::claim::Value;
    let host = batch.writes.last().map(|write| &write.value);
    matches!(host, Some(Value::Host(record)) if record.claim.is_none())
}
