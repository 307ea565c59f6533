//! The rules that a plan can break.

use core::fmt;

/// A plan that must not be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A call by a holder that has not committed this claim itself.
    CallWithoutCommit,
    /// A call that does not rest on an idle verification asked for after the claim.
    CallWithoutVerification,
    /// A call on a verification that is, or will be allowed to get, older than F.
    CallOnStaleVerification,
    /// A second call.
    SecondCall,
    /// A step before the one before it is acknowledged by the audit trail.
    StepBeforeAudit,
    /// A commit that does not rewrite the open kill switch with the claim's count of freezes (L3).
    CommitPastTheGate,
    /// A commit without a verification.
    CommitWithoutVerification,
    /// A commit on a verification that is older than F.
    CommitOnStaleVerification,
    /// A claim under a policy that only observes (S1).
    ClaimWhileObserving,
    /// A claim on the machine that runs this executor, which the policy does not allow (S25).
    SelfStopForbidden,
    /// A batch whose last write is not the host's key, or that writes it twice.
    HostKeyNotLast,
    /// A write at another revision than the one last known.
    WriteAtUnknownRevision,
    /// A second write or read of the keys while one is in flight.
    TwoWritesInFlight,
    /// A write after an ambiguous one without a read between them (L7).
    WriteInDoubt,
    /// Slots given back without the change to free, or the other way round (L1).
    SlotsApart,
    /// A change of phase that the protocol does not have.
    ForbiddenPhase,
    /// A ticket that was used before.
    TicketUsedTwice,
    /// A plan after the end.
    PlanAfterEnd,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::CallWithoutCommit => "a call without a commit by this holder",
            Self::CallWithoutVerification => "a call without an idle verification",
            Self::CallOnStaleVerification => "a call on a verification that is too old",
            Self::SecondCall => "a second call for one claim",
            Self::StepBeforeAudit => "a step before the audit trail acknowledged the one before",
            Self::CommitPastTheGate => "a commit that does not go through the open kill switch",
            Self::CommitWithoutVerification => "a commit without a verification",
            Self::CommitOnStaleVerification => "a commit on a verification that is too old",
            Self::ClaimWhileObserving => "a claim under a policy that only observes",
            Self::SelfStopForbidden => "a claim on the executor's own machine without self_stop",
            Self::HostKeyNotLast => "a batch that does not end with the host's key",
            Self::WriteAtUnknownRevision => "a write at a revision that is not the last known",
            Self::TwoWritesInFlight => "two writes in flight",
            Self::WriteInDoubt => "a write after an ambiguous one without reading in between",
            Self::SlotsApart => "slots and claim that are not freed together",
            Self::ForbiddenPhase => "a change of phase that the protocol does not have",
            Self::TicketUsedTwice => "a ticket used twice",
            Self::PlanAfterEnd => "a plan after the end",
        })
    }
}

impl core::error::Error for Violation {}
