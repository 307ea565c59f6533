//! Decisions and obstacles as sentences for people. Text only; nothing is decided here, and programs are
//! to read the types instead.

use crate::combine::{Blocking, Blocks, Idleness, MAX_VOTES};
use crate::decide::{Decision, Explained};
use crate::obstacle::Obstacle;
use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// A duration as people say it: `1 h 5 min`, `12 s`, `300 ms`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, rest) = (ms / 1_000 % 60, ms % 1_000);
    match (hours, minutes, seconds) {
        (0, 0, 0) => format!("{rest} ms"),
        (0, 0, _) if rest == 0 || seconds >= 10 => format!("{seconds} s"),
        (0, 0, _) => format!("{seconds}.{} s", rest / 100),
        (0, _, 0) => format!("{minutes} min"),
        (0, _, _) => format!("{minutes} min {seconds} s"),
        (_, 0, _) => format!("{hours} h"),
        (_, _, _) => format!("{hours} h {minutes} min"),
    }
}

/// The decision in one sentence.
#[must_use]
pub fn summary(explained: &Explained) -> String {
    let naptime = duration(explained.naptime_ms);
    match explained.decision {
        Decision::Claim => format!(
            "Idle for {} (naptime {naptime}): it is to be stopped.",
            duration(explained.idleness.ms())
        ),
        Decision::ObserveOnly => format!(
            "Idle for {} (naptime {naptime}): it would be stopped, but the policy only observes.",
            duration(explained.idleness.ms())
        ),
        Decision::Wait { ms } => format!(
            "It stays up for at least {} more: {}",
            duration(ms),
            first(&explained.obstacles)
        ),
        Decision::Stay => format!("It stays up: {}", first(&explained.obstacles)),
        Decision::Claimed => {
            let claim = |one: &&Obstacle| matches!(one, Obstacle::Claimed { .. });
            let claim = explained.obstacles.iter().find(claim);
            claim.map_or_else(|| String::from("It is being stopped."), |one| format!("{one}"))
        }
    }
}

/// A weight as the policy writes it.
fn weight(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Every obstacle as a sentence.
#[must_use]
pub fn sentences(explained: &Explained) -> Vec<String> {
    explained.obstacles.iter().map(|one| format!("{one}")).collect()
}

/// Every obstacle but a claim, as a sentence: what speaks against a claim that is on the host. That it is being
/// stopped is no reason not to stop it.
#[must_use]
pub fn sentences_against_claim(explained: &Explained) -> Vec<String> {
    let others = explained.obstacles.iter();
    let others = others.filter(|one| !matches!(one, Obstacle::Claimed { .. }));
    others.map(|one| format!("{one}")).collect()
}

/// The obstacle that matters most to a reader: the first that does not end by itself, else the longest.
fn first(obstacles: &[Obstacle]) -> String {
    let lasting = obstacles.iter().find(|one| one.ends_in().is_none());
    let longest = || obstacles.iter().max_by_key(|one| one.ends_in());
    lasting
        .or_else(longest)
        .map_or_else(String::new, |one| format!("{one}"))
}

impl fmt::Display for Blocking {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.voter, self.why)?;
        if self.reason.is_empty() {
            Ok(())
        } else {
            // The sentence around it ends with a full stop of its own.
            write!(out, ": {}", self.reason.trim_end_matches('.'))
        }
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Busy => "is busy",
            Self::Unknown => "cannot say",
            Self::Missing => "is missing",
            Self::Twice => "is there twice",
        })
    }
}

impl fmt::Display for Idleness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(ms) => write!(out, "idle for {}", duration(*ms)),
            Self::Busy => write!(out, "busy"),
            Self::Unknown => write!(out, "unknown"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnrolled => write!(out, "The host is not in the roster."),
            Self::NoVerdict => write!(out, "Nothing was heard from the host."),
            Self::Voter(blocking) => write!(out, "Voter {blocking}."),
            Self::NoVoter => write!(out, "Nobody whose vote counts says anything."),
            Self::TooFewIdle { idle, needed } => write!(
                out,
                "Of the voters that make up a quorum {idle} are idle; {needed} are needed."
            ),
            Self::TooLittleWeight {
                idle_micros,
                needed_micros,
            } => write!(
                out,
                "The idle voters weigh {} together; {} is needed.",
                weight(*idle_micros),
                weight(*needed_micros)
            ),
            Self::TooManyVotes { votes } => write!(
                out,
                "It sends {votes} votes; more than {MAX_VOTES} are not looked at."
            ),
            Self::NoSample => write!(out, "It has taken no sample yet since it came up."),
            Self::Naptime { left_ms } => {
                write!(out, "The naptime is not over for another {}.", duration(*left_ms))
            }
            Self::Stale { age_ms, limit_ms } => write!(
                out,
                "The newest sample that it told of is {} old by now; at most {} is allowed. It tells when a vote changes, and at each heartbeat.",
                duration(*age_ms),
                duration(*limit_ms)
            ),
            Self::OtherPolicy { theirs, ours } => write!(
                out,
                "The votes were made under policy {theirs}; this executor has {ours}."
            ),
            Self::TwoAgents => write!(out, "Two agents speak under this host's id."),
            Self::RepeatedVerdict => write!(out, "The last verdict was an old one come again."),
            Self::BootGrace { left_ms } => {
                write!(
                    out,
                    "It came up not long ago: grace for another {}.",
                    duration(*left_ms)
                )
            }
            Self::NotOptedIn { tag } => write!(out, "It does not have the tag {tag}."),
            Self::OptedOut { tag } => write!(out, "It has the tag {tag}."),
            Self::Frozen { reason, by } => write!(out, "Stopping is frozen by {by}: {reason}."),
            Self::Lease {
                reason,
                holder,
                left_ms,
            } => write!(
                out,
                "{holder} keeps it awake for another {}: {reason}.",
                duration(*left_ms)
            ),
            Self::Postponed { reason, left_ms } => {
                write!(
                    out,
                    "Its stop is postponed for another {}: {reason}.",
                    duration(*left_ms)
                )
            }
            Self::WakeWanted { by } => write!(out, "{by} wants it started."),
            Self::CoolDown { left_ms } => {
                write!(out, "It cools down for another {}.", duration(*left_ms))
            }
            Self::Claimed { phase, reason } => write!(out, "It is being stopped ({phase}): {reason}."),
            Self::Undoing { reason } => {
                write!(out, "Its stop was given up and is being undone: {reason}.")
            }
            Self::NoSlot { limit } => {
                write!(
                    out,
                    "As many hosts of its group as may be ({limit}) are on their way down."
                )
            }
            Self::CarriesExecutor => write!(
                out,
                "Broker and executor run on it, and the policy does not say self_stop."
            ),
        }
    }
}
