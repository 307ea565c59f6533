//! Following what was decided and done, from a durable position, for whoever tells others of it.
//!
//! All who publish share one consumer of AUDIT: what one has taken and not acked comes again after a while, to
//! any of them, across restarts of both sides. Outcomes of events and what plugins were told stay out of it:
//! there are as many as there are events, and they decide nothing.

use super::{
    pull::{Pull, Pulled, Ticket},
    streams::{Stream, nanoseconds},
};
use crate::{
    Bus,
    error::BusError,
    headers,
    subject::{Subject, SubjectFilter},
    subscription::read_body,
};
use async_nats::Message as NatsMessage;
use serde_json::{Value, json};
use snooze_schemas::{
    ErrorCode, Refusal, Timestamp,
    audit::{AuditKind, AuditRecord},
};
use std::time::Duration;

/// What those who tell others of decisions can be told of: all of AUDIT but the outcomes of events and what
/// plugins were told, of which there are many and which decide nothing.
pub const DECISIONS: [AuditKind; 14] = [
    AuditKind::Decision,
    AuditKind::Intent,
    AuditKind::Notice,
    AuditKind::Verified,
    AuditKind::Committed,
    AuditKind::Call,
    AuditKind::Stopped,
    AuditKind::Cancelled,
    AuditKind::Takeover,
    AuditKind::Alarm,
    AuditKind::Gate,
    AuditKind::Lease,
    AuditKind::Wake,
    AuditKind::Tags,
];

/// The durable consumer of decisions, the same for every gateway that publishes them.
pub(super) const PUBLISHED: &str = "published-aws";

/// Asked for at once: who tells of them may have to wait for long, and what would wait here meanwhile would come to
/// somebody else as well.
const BATCH: usize = 1;

/// Entries of the audit trail, each for one of those who ask.
pub struct DecisionConsumer(Pull);

/// One entry that was taken. Dropped without a word, it comes again after the ack wait (120 s).
#[derive(Debug)]
pub struct DecisionDelivery {
    ticket: Ticket,
    /// The entry.
    ///
    /// # Errors
    /// Why it cannot be read. With [`ErrorCode::UnknownVersion`], a later version of this program may.
    pub record: Result<AuditRecord, Refusal>,
    /// What it was filed under.
    pub filed_under: String,
}

impl Bus {
    /// Takes decisions from the consumer that the set-up has made.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn decisions(&self) -> Result<DecisionConsumer, BusError> {
        let pull = Pull::begin(self, Stream::Audit.name(), PUBLISHED, BATCH).await?;
        Ok(DecisionConsumer(pull))
    }
}

impl DecisionConsumer {
    /// The next entry, whether it can be read or not; waits while there is none, and while there is no server.
    /// Cancelling loses nothing.
    ///
    /// # Errors
    /// When there is no such consumer, as where the set-up was made by an earlier version
    /// ([`BusError::is_missing`]), or the connection is closed.
    pub async fn next(&mut self) -> Result<DecisionDelivery, BusError> {
        let Pulled { message, ticket } = self.0.next().await?;
        let record = read_record(&message);
        if record.is_err() {
            ticket.bus.inner.counters.add_undecodable();
        }
        Ok(DecisionDelivery {
            ticket,
            record,
            filed_under: message.subject.chars().take(256).collect(),
        })
    }

    /// No more is wanted: what was taken and not handed out goes to others at once.
    ///
    /// # Errors
    /// When the connection is closed; then it comes again after the ack wait.
    pub async fn give_back(self) -> Result<(), BusError> {
        self.0.give_back().await
    }
}

impl DecisionDelivery {
    /// How many times it was taken, this one included.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.ticket.deliveries
    }

    /// Its number in the stream.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.ticket.sequence
    }

    /// When the server took it, on the server's clock; the same at every delivery.
    #[must_use]
    pub fn filed_at(&self) -> Timestamp {
        self.ticket.filed_at
    }

    /// It was told, or never will be: it does not come again, unless the ack is lost. A server that is killed
    /// forgets the latest acks, whatever it syncs.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn ack(self) -> Result<(), BusError> {
        self.ticket.ack().await
    }

    /// Let it come again after so long.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn retry_after(self, delay: Duration) -> Result<(), BusError> {
        self.ticket.retry_after(delay).await
    }
}

/// The durable consumer of decisions. The set-up makes it wherever it runs, since nobody else may make one; where
/// nobody publishes it costs nothing, and who begins to publishes from it skips what is too old.
pub(super) fn published_config() -> Value {
    json!({
        "durable_name": PUBLISHED,
        "name": PUBLISHED,
        "filter_subjects": DECISIONS.map(|kind| SubjectFilter::AuditOfKind(kind).to_string()),
        "deliver_policy": "all",
        "ack_policy": "explicit",
        // Longer than the longest pause of who tells of them (a minute), and any call of a cloud.
        "ack_wait": nanoseconds(Duration::from_secs(120)),
        "max_deliver": -1,
        // In hand or put off, for all gateways together: while what is told takes nothing, no more is taken.
        "max_ack_pending": 1_000,
        "max_waiting": 512,
        "replay_policy": "instant",
    })
}

/// The entry, where headers, subject and body agree on what it is.
fn read_record(message: &NatsMessage) -> Result<AuditRecord, Refusal> {
    headers::check_kind::<AuditRecord>(message.headers.as_ref())?;
    let bad = |text: String| Refusal::new(ErrorCode::BadRequest, text);
    let subject: Subject = message
        .subject
        .as_str()
        .parse()
        .map_err(|cause: crate::InvalidSubject| bad(cause.to_string()))?;
    let record: AuditRecord = read_body(&message.payload)?;
    let says = Subject::Audit {
        scope: record.host.clone(),
        kind: record.kind,
    };
    if says == subject {
        Ok(record)
    } else {
        Err(bad("its subject and its body name different entries".to_owned()))
    }
}
