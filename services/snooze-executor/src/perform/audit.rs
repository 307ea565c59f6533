//! The entries that a claim files, each acknowledged by the stream before the next step, and each once: an
//! entry that may stand in the trail already is looked for before it is filed again.

use super::{Performer, chain};
use crate::convert;
use snooze_bus::{Bus, Expect, FileError, Stream, Subject};
use snooze_decision::claim::{AuditEntry, AuditKind};
use snooze_schemas::{audit::AuditRecord, event::Scope};
use std::time::Duration;

/// How an entry is told from another one of its claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// A claim has one of its kind, whoever files it: its holder, or whoever took it over before it was free.
    ByKind,
    ByText,
}

impl Performer {
    pub(super) async fn file(&self, entry: &AuditEntry, within: Duration) -> Result<(), String> {
        let told = match entry.kind {
            AuditKind::Stopped | AuditKind::Cancelled => Told::ByKind,
            _ => Told::ByText,
        };
        let is_unsure = self.learn(|learnt| learnt.unsure.as_ref() == Some(entry));
        if (is_unsure || told == Told::ByKind) && self.is_filed(entry, told).await? {
            return Ok(());
        }
        // Before it is sent: this may be cut off at any time.
        self.learn(|learnt| learnt.unsure = Some(entry.clone()));
        let filed = file(&self.bus, &self.record_of(entry), within).await;
        if filed.is_ok() {
            self.learn(|learnt| learnt.unsure = None);
        }
        filed.map_err(|error| chain(&error))
    }

    fn record_of(&self, entry: &AuditEntry) -> AuditRecord {
        let mut details = serde_json::Map::new();
        // Where a hibernation is wished for and the instance cannot, it is stopped: the trail says which it was.
        let action = self.learn(|learnt| learnt.action);
        if let (AuditKind::Notice | AuditKind::Call, Some(action)) = (entry.kind, action) {
            let action = serde_json::to_value(action).unwrap_or_default();
            details.insert("action".to_owned(), action);
        }
        AuditRecord {
            at: self.clocks.wall(),
            host: Scope::Host(self.host.clone()),
            kind: convert::audit_kind(entry.kind),
            actor: self.actor.clone(),
            claim: Some(entry.claim.0),
            message: entry.message.clone(),
            details,
        }
    }

    /// Whether the trail's last entry of this kind is this one.
    async fn is_filed(&self, entry: &AuditEntry, told: Told) -> Result<bool, String> {
        let subject = Subject::Audit {
            scope: Scope::Host(self.host.clone()),
            kind: convert::audit_kind(entry.kind),
        };
        let last = self.bus.last::<AuditRecord>(Stream::Audit, &subject).await;
        let last = last.map_err(|error| chain(&error))?;
        Ok(last.is_some_and(|stored| {
            let last = stored.message;
            let same_text = last.message == entry.message && last.actor == self.actor;
            last.claim == Some(entry.claim.0) && (told == Told::ByKind || same_text)
        }))
    }
}

/// Files an entry and waits for the stream's acknowledgement.
pub(crate) async fn file(bus: &Bus, record: &AuditRecord, within: Duration) -> Result<(), FileError> {
    let subject = Subject::Audit {
        scope: record.host.clone(),
        kind: record.kind,
    };
    let filed = bus.file(&subject, record, Expect::Anything, within).await;
    filed.map(|_| ())
}
