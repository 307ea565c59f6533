//! What the parts of one executor share. It holds handles and settings, and does nothing.

use crate::{mirror::Mirror, provider::Clouds, reach::Reach, store::Store};
use snooze_bus::{Bus, FileError};
use snooze_decision::Now;
use snooze_schemas::{
    HostId,
    audit::{AuditKind, AuditRecord},
    event::Scope,
};
use snooze_service_runtime::Clocks;
use std::time::Duration;

/// For how long an entry of the audit trail that no step waits for may take.
const FILE_WITHIN: Duration = Duration::from_secs(5);

/// Shared by all parts; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) mirror: Mirror,
    pub(crate) clouds: Clouds,
    pub(crate) reach: Reach,
    pub(crate) clocks: Clocks,
    /// As `executor 8f3a…`: who this process is in the audit trail.
    pub(crate) actor: String,
    /// The machine that this process runs on, where it is a watched host itself, and its boot.
    pub(crate) own: Option<OwnHost>,
}

/// The host that this very process runs on.
#[derive(Debug, Clone)]
pub(crate) struct OwnHost {
    pub(crate) host: HostId,
    pub(crate) boot_id: String,
}

impl Context {
    pub(crate) fn now(&self) -> Now {
        crate::perform::now(&self.clocks)
    }

    /// The boot id of this machine, where it is this host (P10).
    pub(crate) fn boot_of(&self, host: &HostId) -> Option<String> {
        self.own
            .as_ref()
            .filter(|own| own.host == *host)
            .map(|own| own.boot_id.clone())
    }

    /// Files what was done, and logs where that fails: nothing waits for this entry.
    pub(crate) async fn file(&self, host: Scope, kind: AuditKind, message: String) {
        if let Err(error) = self.try_file(host, kind, message).await {
            tracing::warn!(
                kind = kind.as_str(),
                error = %crate::perform::chain(&error),
                "an entry of the audit trail was not acknowledged"
            );
        }
    }

    /// Files what was done; whoever asks for this files it again where that fails.
    pub(crate) async fn try_file(
        &self,
        host: Scope,
        kind: AuditKind,
        message: String,
    ) -> Result<(), FileError> {
        let record = AuditRecord {
            at: self.clocks.wall(),
            host,
            kind,
            actor: self.actor.clone(),
            claim: None,
            message,
            details: serde_json::Map::new(),
        };
        crate::perform::file(&self.bus, &record, FILE_WITHIN).await
    }
}
