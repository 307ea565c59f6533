//! What can be wrong with a policy, in words that name the setting.

use super::{ANSWER_LIMIT_MS, MOST_CONCURRENT, ROUND_TRIP_MS};
use alloc::string::String;
use core::fmt;

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PolicyMistake {
    /// A duration that must not be zero.
    Zero {
        /// Which.
        name: &'static str,
    },
    /// A duration beyond [`LONGEST_MS`](super::LONGEST_MS).
    TooLong {
        /// Which.
        name: &'static str,
        /// How long it was to be.
        ms: u64,
    },
    /// Not Q > F + E + L: a stop could take effect after the watch over it has ended.
    QuarantineTooShort {
        /// Q.
        quarantine_ms: u64,
        /// F + E + L.
        way_ms: u64,
    },
    /// Verify window and plugin time-out leave no time for the way there and back before the answer is no
    /// longer waited for: no answer could be fresh.
    VerificationTooSlow {
        /// Window and time-out together.
        asked_ms: u64,
        /// For how long an answer is waited for: F, or [`ANSWER_LIMIT_MS`](super::ANSWER_LIMIT_MS) where
        /// that is shorter.
        limit_ms: u64,
    },
    /// Not T > 2·B: one late beat would lose a claim.
    TakeoverTooShort {
        /// T.
        takeover_ms: u64,
        /// B.
        beat_ms: u64,
    },
    /// A quorum of nobody.
    EmptyQuorum,
    /// A threshold that nothing or everything reaches.
    BadThreshold {
        /// What was given.
        threshold: f64,
    },
    /// A weight that is negative or no number.
    BadWeight {
        /// Whose.
        voter: String,
        /// What was given.
        weight: f64,
    },
    /// No host may ever be on its way down.
    NoConcurrency,
    /// More than [`MOST_CONCURRENT`](super::MOST_CONCURRENT).
    TooConcurrent {
        /// How many.
        limit: u32,
    },
    /// A tag without a name.
    EmptyTag,
}

impl fmt::Display for PolicyMistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero { name } => write!(out, "{name} must be more than zero"),
            Self::TooLong { name, ms } => write!(out, "{name} of {ms} ms is more than ten years"),
            Self::QuarantineTooShort {
                quarantine_ms,
                way_ms,
            } => write!(
                out,
                "quarantine ({quarantine_ms} ms) must be more than freshness, signature life and application together ({way_ms} ms)"
            ),
            Self::VerificationTooSlow { asked_ms, limit_ms } => write!(
                out,
                "verify_window and plugin_timeout together ({asked_ms} ms) must be more than {ROUND_TRIP_MS} ms below freshness and below {ANSWER_LIMIT_MS} ms ({limit_ms} ms)"
            ),
            Self::TakeoverTooShort { takeover_ms, beat_ms } => write!(
                out,
                "takeover ({takeover_ms} ms) must be more than two beats ({beat_ms} ms each)"
            ),
            Self::EmptyQuorum => write!(out, "a quorum must be at least 1"),
            Self::BadThreshold { threshold } => {
                write!(
                    out,
                    "the weighted threshold must be a number above 0, not {threshold}"
                )
            }
            Self::BadWeight { voter, weight } => {
                write!(
                    out,
                    "the weight of {voter} must be a number not below 0, not {weight}"
                )
            }
            Self::NoConcurrency => write!(
                out,
                "max_concurrent_stops must be at least 1; to stop nothing, set the mode to observe"
            ),
            Self::TooConcurrent { limit } => write!(
                out,
                "max_concurrent_stops must be at most {MOST_CONCURRENT}, not {limit}"
            ),
            Self::EmptyTag => write!(out, "a tag needs a name"),
        }
    }
}

impl core::error::Error for PolicyMistake {}
