//! What was done about plugins, on its way into the audit trail.
//!
//! It keeps a few entries while the bus is away, in memory: a runner that ends before it comes back takes them with
//! it, and says so in its log.

use snooze_bus::{Bus, Expect, FileError, Subject};
use snooze_schemas::{
    HostId, PluginName,
    audit::{AuditKind, AuditRecord},
    event::Scope,
};
use snooze_service_runtime::{CancellationToken, Clocks, exit::one_line};
use std::time::Duration;
use tokio::sync::mpsc;

/// So many entries wait for the bus.
const WAITING: usize = 256;

/// How long the stream may take to acknowledge one entry.
const FILE_LIMIT: Duration = Duration::from_secs(5);

/// Between two attempts: a broker that is away comes back within seconds, or not for a while.
const RETRY: Duration = Duration::from_secs(2);

/// Where entries are handed in.
#[derive(Debug, Clone)]
pub(crate) struct Trail {
    host: HostId,
    clocks: Clocks,
    entries: mpsc::Sender<AuditRecord>,
}

impl Trail {
    /// A trail, and what has to be filed by [`file`].
    pub(crate) fn new(host: HostId, clocks: Clocks) -> (Trail, mpsc::Receiver<AuditRecord>) {
        let (entries, waiting) = mpsc::channel(WAITING);
        let trail = Trail {
            host,
            clocks,
            entries,
        };
        (trail, waiting)
    }

    /// Notes what happened to a plugin.
    pub(crate) fn note(&self, plugin: &PluginName, what: &str) {
        tracing::info!(%plugin, what, "something was done about a plugin");
        let record = AuditRecord {
            at: self.clocks.wall(),
            host: Scope::Host(self.host.clone()),
            kind: AuditKind::Plugin,
            actor: "plugin-runner".to_owned(),
            claim: None,
            message: format!("{plugin}: {what}"),
            details: [("plugin".to_owned(), plugin.as_str().into())]
                .into_iter()
                .collect(),
        };
        if self.entries.try_send(record).is_err() {
            tracing::warn!(%plugin, what, "too much waits for the audit trail, and this is not filed");
        }
    }
}

/// Files the entries, for ever until shutdown.
pub(crate) async fn file(mut waiting: mpsc::Receiver<AuditRecord>, bus: Bus, shutdown: CancellationToken) {
    let all = async {
        while let Some(record) = waiting.recv().await {
            file_one(&bus, &record).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = all => {}
        () = shutdown.cancelled() => {}
    }
    while let Ok(record) = waiting.try_recv() {
        tracing::warn!(message = record.message, "this is not in the audit trail");
    }
}

async fn file_one(bus: &Bus, record: &AuditRecord) {
    let subject = Subject::Audit {
        scope: record.host.clone(),
        kind: record.kind,
    };
    let mut told = false;
    while let Err(error) = bus.file(&subject, record, Expect::Anything, FILE_LIMIT).await {
        if matches!(error, FileError::Refused { .. }) {
            tracing::error!(
                error = one_line(&error),
                message = record.message,
                "the audit trail refuses an entry"
            );
            return;
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!(
                error = one_line(&error),
                "an entry of the audit trail waits for the bus"
            );
        }
        tokio::time::sleep(RETRY).await;
    }
}
