//! Why a gateway ends before it is asked to.

use crate::host::JournalError;
use snooze_bus::{BusError, BusErrorKind};
use snooze_service_runtime::TaskError;

/// Why the gateway ended.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The bus did not take a subscription.
    #[error("listen on {what}")]
    Subscribe {
        /// To what.
        what: &'static str,
        /// Why.
        source: BusError,
    },
    /// The events of a severity cannot be taken.
    #[error("take the events of severity {severity}")]
    Consume {
        /// Which.
        severity: u8,
        /// Why.
        source: BusError,
    },
    /// The bus denied what the gateway needs.
    #[error("the bus denied what the gateway needs: {why}")]
    Denied {
        /// What the server said.
        why: String,
    },
    /// The journal of a host's gateway is of no use.
    #[error("open the journal of what was noticed")]
    Journal(#[source] JournalError),
    /// A part of it failed or ended.
    #[error("run the gateway")]
    Run(#[source] TaskError),
}

impl GatewayError {
    /// What a program does about it: whether trying again helps.
    #[must_use]
    pub fn kind(&self) -> BusErrorKind {
        match self {
            Self::Subscribe { source, .. } | Self::Consume { source, .. } => source.kind(),
            Self::Denied { .. } => BusErrorKind::Denied,
            Self::Run(TaskError::Failed { source, .. }) => source
                .downcast_ref()
                .map_or(BusErrorKind::Failed, GatewayError::kind),
            Self::Journal(_) | Self::Run(_) => BusErrorKind::Failed,
        }
    }
}
