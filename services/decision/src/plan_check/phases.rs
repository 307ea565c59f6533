//! Which phase may follow which, by the table of the protocol.

use super::Violation;
use crate::claim::{Claim, ClaimNumber, Phase, Progress};

pub(super) fn begins(after: &Claim) -> Result<(), Violation> {
    allowed(after.phase == Phase::Claimed(Progress::Intent) && after.number == ClaimNumber(0))
}

/// Where a new holder runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heir {
    /// Anywhere.
    Other,
    /// On the host itself, in a later boot than the claim's (P10).
    NextBoot,
}

/// What a new holder may make of what it found.
pub(super) fn inherits(before: &Claim, after: &Claim, heir: Heir) -> Result<(), Violation> {
    allowed(match (before.phase, after.phase) {
        (Phase::Claimed(_) | Phase::Cancelled, Phase::Cancelled) => true,
        (Phase::Committed | Phase::Unknown, Phase::Unknown) => true,
        (Phase::Stopping, Phase::Stopping) => heir == Heir::Other,
        (Phase::Stopping, Phase::Stopped) => heir == Heir::NextBoot,
        (Phase::Stopped, Phase::Stopped) => true,
        _ => false,
    })
}

/// What a holder may do next to its own claim.
pub(super) fn follows(before: &Claim, after: &Claim) -> Result<(), Violation> {
    allowed(match (before.phase, after.phase) {
        (Phase::Claimed(before), Phase::Claimed(after)) => before <= after,
        // The beat that says how far it is may still be missing: what counts is what was filed.
        (Phase::Claimed(_), Phase::Committed) => true,
        // Somebody else's stop, seen where ours was being prepared.
        (Phase::Claimed(_), Phase::Stopping) => after.stopped_by_others,
        (Phase::Committed, Phase::Stopping | Phase::Unknown) => true,
        (Phase::Claimed(_) | Phase::Committed | Phase::Unknown, Phase::Cancelled) => true,
        (Phase::Stopping, Phase::Cancelled) => before.stopped_by_others,
        (Phase::Stopping, Phase::Unknown | Phase::Stopped) => true,
        (Phase::Unknown, Phase::Stopping | Phase::Stopped) => true,
        (before, after) => before == after,
    })
}

fn allowed(allowed: bool) -> Result<(), Violation> {
    if allowed {
        Ok(())
    } else {
        Err(Violation::ForbiddenPhase)
    }
}
