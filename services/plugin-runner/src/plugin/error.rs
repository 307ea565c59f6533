//! Why a plugin has not answered a question, whatever it runs in.

use crate::stdio::CallError;
use snooze_bus::RequestError;
use snooze_schemas::EventType;

/// Why a plugin has not answered a question.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// A child process failed.
    #[error("{0}")]
    Process(#[from] CallError),
    /// Nobody answers for it on the bus.
    #[error("nobody answers for it on the bus")]
    Absent,
    /// The bus was away, or went away before it answered.
    #[error("it could not be heard, the bus is away")]
    BusAway,
    /// It is at work for the stop that is being prepared, and cannot be asked meanwhile.
    #[error("it is at work before the stop")]
    Preparing,
    /// That it is given an event could not be noted first, so that it was not given it.
    #[error("it was not asked: {0}")]
    NotBegun(String),
    /// It has not taken its newest configuration yet.
    #[error("its new configuration is on its way")]
    Configuring,
    /// It does not take its newest configuration, or cannot have it.
    #[error("{0}")]
    Misconfigured(String),
    /// It failed on the bus.
    #[error("{0}")]
    Bus(String),
    /// Its answer came in time and is not one.
    #[error("{0}")]
    Odd(String),
    /// It says that it failed.
    #[error("{0}")]
    Said(String),
    /// Nobody granted it events of this type; it was not asked.
    #[error("it is not given events of the type {0}: nobody granted it any")]
    Withheld(EventType),
    /// It does not know the method, which is its right.
    #[error("it does not know the method")]
    UnknownMethod,
}

impl AskError {
    pub(super) fn of_call(error: CallError) -> AskError {
        match error {
            error if error.is_unknown_method() => AskError::UnknownMethod,
            CallError::NotBegun(why) => AskError::NotBegun(why),
            error => AskError::Process(error),
        }
    }

    pub(crate) fn of_request(error: &RequestError) -> AskError {
        match error {
            RequestError::NoResponders { .. } => AskError::Absent,
            RequestError::TimedOut { within_ms, .. } => {
                AskError::Bus(format!("it did not answer within {within_ms} ms"))
            }
            RequestError::Bus(error) if error.is_unreachable() => AskError::BusAway,
            other => AskError::Bus(snooze_service_runtime::exit::one_line(other)),
        }
    }

    /// Whether this says nothing of the plugin: it could not be heard, is being started by a runner that was
    /// started itself, or is busy with what it was asked before, as an event to handle.
    pub(crate) fn is_unheard(&self) -> bool {
        matches!(
            self,
            Self::BusAway | Self::Preparing | Self::Process(CallError::Occupied(_) | CallError::Starting)
        )
    }

    /// Whether its process was never given the question, and may be given it when it runs again.
    pub(crate) fn is_unasked(&self) -> bool {
        matches!(self, Self::Process(error) if error.is_unasked())
    }

    /// Whether its process ended over the question, so that it is not known what it did.
    pub(crate) fn is_crash(&self) -> bool {
        matches!(self, Self::Process(error) if error.is_crash())
    }

    /// Whether its work was ended before it had answered, so that it is not known what it did.
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self, Self::Process(error) if error.is_interruption())
    }

    /// Whether it may be because of the work that it was given.
    pub(super) fn is_of_work(&self) -> bool {
        match self {
            Self::Preparing | Self::Configuring | Self::Process(CallError::Occupied(_)) => true,
            Self::Bus(_) => self.is_time_out(),
            _ => false,
        }
    }

    pub(super) fn is_time_out(&self) -> bool {
        match self {
            Self::Preparing
            | Self::Process(
                CallError::TimedOut(_) | CallError::AnsweredElse { .. } | CallError::Occupied(_),
            ) => true,
            Self::Bus(text) => text.contains("did not answer within"),
            _ => false,
        }
    }
}
