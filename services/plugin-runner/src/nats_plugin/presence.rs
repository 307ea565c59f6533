//! Whether somebody answers for a plugin on the bus, as far as what became of the last question shows it.
//!
//! **Invariant:** nobody is *absent* who merely took long: that is said only where nobody listens.

use snooze_bus::{PluginMethod, RequestError};

/// What is known of who answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// Nobody could be asked yet, or any more: the bus is away, or does not let the question through.
    #[default]
    Unknown,
    /// Nobody listens.
    Absent,
    /// Somebody listened, and did not answer in time.
    Slow,
    /// Somebody answered, whatever it was.
    Here,
}

impl Presence {
    /// What it is called where people see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Slow => "slow",
            Self::Here => "running",
        }
    }

    /// What a question shows; nothing where silence is everybody's right. A plugin need not listen to every method:
    /// whether it is there shows in the two that all have.
    pub(super) fn shown_by<A>(method: PluginMethod, outcome: &Result<A, RequestError>) -> Option<Presence> {
        let presence = match outcome {
            Ok(_) | Err(RequestError::Undecodable { .. } | RequestError::Refused { .. }) => {
                return Some(Self::Here);
            }
            Err(RequestError::NoResponders { .. }) => Self::Absent,
            Err(RequestError::TimedOut { .. }) => Self::Slow,
            Err(RequestError::Bus(_)) => Self::Unknown,
        };
        matches!(method, PluginMethod::CheckIdle | PluginMethod::Info).then_some(presence)
    }
}
