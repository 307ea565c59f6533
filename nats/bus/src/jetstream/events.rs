//! Taking events from the durable consumer of their severity (rule E3).
//!
//! All dispatchers share one consumer a severity; what one has taken and not acked comes again after a
//! while, to any of them. Nothing here decides in which order the severities are served, and what cannot be
//! read is handed on like all else: nothing ends here without a word.

mod taken;

pub use taken::{EventDelivery, Taken, UnreadableEvent};

use super::{
    pull::{Pull, Pulled},
    streams::{Stream, consumer_name},
};
use crate::{Bus, error::BusError, trace};
use snooze_schemas::event::Severity;
use taken::read_event;

/// Events asked for at once. What is taken and waits here is taken from other dispatchers, so not many.
const BATCH: usize = 16;

/// The events of one severity.
pub struct EventConsumer {
    severity: Severity,
    pull: Pull,
}

impl Bus {
    /// Takes events of one severity from the consumer that the set-up has made.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn events(&self, severity: Severity) -> Result<EventConsumer, BusError> {
        let stream = Stream::of_events(severity).name();
        Ok(EventConsumer {
            severity,
            pull: Pull::begin(self, stream, consumer_name(severity), BATCH).await?,
        })
    }
}

impl EventConsumer {
    /// Whose events they are.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The next event, whether it can be read or not; waits while there is none, and while there is no server.
    /// Cancelling loses nothing.
    ///
    /// # Errors
    /// When there is no such consumer, which may only be so for a moment after the server's start
    /// ([`BusError::is_missing`]), or the connection is closed.
    pub async fn next(&mut self) -> Result<Taken, BusError> {
        let Pulled { message, ticket } = self.pull.next().await?;
        Ok(match read_event(&message) {
            Ok((subject, event)) => Taken::Event(EventDelivery {
                ticket,
                subject,
                event: event.into(),
                traceparent: trace::extract(message.headers.as_ref()).map(str::to_owned),
            }),
            Err(refusal) => {
                ticket.bus.inner.counters.add_undecodable();
                Taken::Unreadable(UnreadableEvent::new(ticket, self.severity, &message, refusal).into())
            }
        })
    }
}
