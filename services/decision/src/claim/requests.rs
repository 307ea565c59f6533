//! What others may do to a host's key and to the kill switch: leases, vetoes, postponements, wakes,
//! freezes. Each is a pure change of a record; the caller writes it at the revision that it read, and
//! reads and asks again where that revision has moved.
//!
//! P5: such a change wins if it lands before the commit. A change that keeps a claimed host awake gives
//! the claim up in the same write; after the commit the answer is "too late", and since when.

use super::record::{Claim, Entry, Frozen, Gate, HostRecord, Lease, Phase, Postponement, Wake};
use crate::time::{WALL_TOLERANCE_MS, Wall};
use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// How many leases a host may have at once.
pub const MAX_LEASES: usize = 32;

/// The longest lease or postponement: whoever wants more asks again.
pub const LONGEST_HOLD_MS: u64 = 31 * 24 * 3_600_000;

/// After its end a lease or postponement stays in the key for so long. Whoever tidies up knows the end only by
/// its own wall clock: one that runs hours ahead ignores a lease too early for as long as it is wrong,
/// but does not take it away from everybody else. A clock that is a day ahead does.
pub const KEEP_ENDED_MS: u64 = 24 * 3_600_000;

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestRefused {
    /// The stop call may have been made.
    TooLate {
        /// Since when.
        since: Wall,
    },
    /// More than [`MAX_LEASES`].
    TooManyLeases,
    /// A duration of nothing, or beyond [`LONGEST_HOLD_MS`].
    BadDuration {
        /// What was asked for.
        duration_ms: u64,
    },
}

impl fmt::Display for RequestRefused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLate { .. } => write!(out, "too late: the stop call may already have been made"),
            Self::TooManyLeases => write!(out, "the host already has {MAX_LEASES} leases"),
            Self::BadDuration { duration_ms } => write!(
                out,
                "{duration_ms} ms is no duration for this: it must be more than zero and at most 31 days"
            ),
        }
    }
}

impl core::error::Error for RequestRefused {}

/// Adds a lease, or replaces the one with its id; gives up a claim that is not committed (P5).
///
/// # Errors
/// Too late, too many, or a duration that is none.
pub fn apply_lease(entry: &Entry<HostRecord>, lease: Lease, now: Wall) -> Result<HostRecord, RequestRefused> {
    check_duration(lease.until, now)?;
    let why = format!("lease {} of {}: {}", lease.id, lease.holder, lease.reason);
    let mut after = give_up(entry, why)?;
    after.leases.retain(|other| other.id != lease.id);
    tidy_up(&mut after, now);
    let holding = after.leases.iter().filter(|other| other.until.left_at(now) > 0);
    if holding.count() >= MAX_LEASES {
        return Err(RequestRefused::TooManyLeases);
    }
    after.leases.push(lease);
    after.leases.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(after)
}

/// Postpones every stop; gives up a claim that is not committed (P5). Of two postponements the later end
/// holds: nobody shortens what another asked for.
///
/// # Errors
/// Too late, or a duration that is none.
pub fn apply_postponement(
    entry: &Entry<HostRecord>,
    postponement: Postponement,
    now: Wall,
) -> Result<HostRecord, RequestRefused> {
    check_duration(postponement.until, now)?;
    let mut after = give_up(entry, format!("postponed: {}", postponement.reason))?;
    let longer = |there: &Postponement| there.until >= postponement.until;
    if !after.postponement.as_ref().is_some_and(longer) {
        after.postponement = Some(postponement);
    }
    Ok(after)
}

/// Gives up a claim that is not committed, because somebody on the host or a busy vote says so (S12).
///
/// # Errors
/// Too late.
pub fn apply_veto(entry: &Entry<HostRecord>, reason: String) -> Result<HostRecord, RequestRefused> {
    give_up(entry, reason)
}

/// Writes down that the host is to be started (P2).
///
/// Before the commit it gives the claim up. Later it waits in the key, which is no failure: it blocks new
/// claims until the machine is seen running. What a caller tells the person is in [`wake_is_late`].
#[must_use]
pub fn apply_wake(entry: &Entry<HostRecord>, wake: Wake) -> HostRecord {
    let why = format!("wake by {}: {}", wake.by, wake.reason);
    let mut after = give_up(entry, why).unwrap_or_else(|_| numbered(entry));
    after.wake = Some(wake);
    after
}

/// Since when a wake on this record has to wait for the stop to end; none where it does not.
#[must_use]
pub fn wake_is_late(record: &HostRecord) -> Option<Wall> {
    record.claim.as_ref().and_then(too_late)
}

/// Whether the instance is to be started now: somebody wants it, and no claim is on it.
#[must_use]
pub fn start_is_due(record: &HostRecord) -> bool {
    record.wake.is_some() && record.claim.is_none()
}

/// Notes that the machine was seen running and came up at `at`: a wake is done (P2).
///
/// Somebody who starts a machine wants it: a claim from before its start, or from within the tolerance of
/// two clocks after it, is given up where it is not committed (P5).
#[must_use]
pub fn note_running(entry: &Entry<HostRecord>, at: Wall) -> HostRecord {
    let older = |claim: &Claim| claim.claimed_at < at.plus(WALL_TOLERANCE_MS);
    let mut after = match &entry.value.claim {
        Some(claim) if older(claim) => {
            let why = String::from("the machine was started since the claim");
            give_up(entry, why).unwrap_or_else(|_| numbered(entry))
        }
        _ => numbered(entry),
    };
    after.last_start = Some(at);
    if after.claim.is_none() {
        after.wake = None;
    }
    after
}

/// Closes the kill switch (L3). Closing a closed one counts again: what was on its way is cancelled.
#[must_use]
pub fn apply_freeze(gate: &Gate, frozen: Frozen) -> Gate {
    Gate {
        frozen: Some(frozen),
        freezes: gate.freezes.saturating_add(1),
        commits: gate.commits,
    }
}

/// Opens the kill switch. The count of freezes stays, so that nothing from before it goes on (L3).
#[must_use]
pub fn apply_thaw(gate: &Gate) -> Gate {
    Gate {
        frozen: None,
        ..gate.clone()
    }
}

fn check_duration(until: Wall, now: Wall) -> Result<(), RequestRefused> {
    let duration_ms = until.0.saturating_sub(now.0);
    if duration_ms == 0 || duration_ms > LONGEST_HOLD_MS {
        return Err(RequestRefused::BadDuration { duration_ms });
    }
    Ok(())
}

/// Drops what ended long ago; and of what ended at all, the first to end where there is too much of it.
pub(super) fn tidy_up(record: &mut HostRecord, now: Wall) {
    let is_kept = |until: Wall| until.plus(KEEP_ENDED_MS).left_at(now) > 0;
    record.leases.retain(|lease| is_kept(lease.until));
    record
        .postponement
        .take_if(|postponement| !is_kept(postponement.until));
    let mut ended: Vec<Wall> = record.leases.iter().map(|lease| lease.until).collect();
    ended.retain(|until| until.left_at(now) == 0);
    ended.sort_unstable();
    if let Some(too_many) = ended.len().checked_sub(MAX_LEASES + 1)
        && let Some(last) = ended.get(too_many)
    {
        record.leases.retain(|lease| lease.until > *last);
    }
}

/// The record with its claim given up where there is one that is not committed.
fn give_up(entry: &Entry<HostRecord>, why: String) -> Result<HostRecord, RequestRefused> {
    let mut after = numbered(entry);
    if let Some(claim) = &mut after.claim {
        if let Some(since) = too_late(claim) {
            return Err(RequestRefused::TooLate { since });
        }
        if claim.phase != Phase::Cancelled {
            claim.phase = Phase::Cancelled;
            claim.cancelled_because = why;
        }
    }
    Ok(after)
}

/// The record as it may be written again: a claim's number is the revision that made it, so whoever
/// writes over that very record must put the number in.
pub(super) fn numbered(entry: &Entry<HostRecord>) -> HostRecord {
    let mut record = entry.value.clone();
    if let Some(claim) = &mut record.claim {
        claim.number = claim.number_at(entry.revision);
    }
    record
}

fn too_late(claim: &Claim) -> Option<Wall> {
    match claim.phase {
        Phase::Claimed(_) | Phase::Cancelled => None,
        Phase::Committed | Phase::Stopping | Phase::Unknown | Phase::Stopped => {
            Some(claim.committed_at.unwrap_or(claim.claimed_at))
        }
    }
}
