//! `snooze history`: the audit trail, event outcomes included.

use crate::{
    arguments::{History, Since},
    print,
    session::{Session, of_bus},
    view::text,
};
use snooze_bus::{Stored, Stream, SubjectFilter};
use snooze_schemas::{Timestamp, audit::AuditRecord, event::Scope};
use snooze_service_runtime::{Clocks, Failure};

/// Prints the newest entries, the oldest of them first.
pub(super) async fn history(session: &Session, arguments: History) -> Result<(), Failure> {
    let filter = match arguments.host {
        Some(host) => SubjectFilter::AuditOf(Scope::Host(host)),
        None => SubjectFilter::AllAudit,
    };
    let limit = usize::from(arguments.limit);
    let found = session
        .bus
        .history::<AuditRecord>(Stream::Audit, &filter, limit)
        .await;
    let mut entries = found.map_err(|error| of_bus(&error))?;
    if let Some(since) = arguments.since {
        let since = start_of(since, Clocks::real().wall());
        entries.retain(|entry| entry.filed_at >= since);
    }
    if arguments.output.json {
        let records: Vec<&AuditRecord> = entries.iter().map(|entry| &entry.message).collect();
        return print::json(&records);
    }
    print::lines(entries.iter().map(line))
}

fn start_of(since: Since, now: Timestamp) -> Timestamp {
    match since {
        Since::Time(time) => time,
        // Further back than time goes is all there is.
        Since::Ago(duration) => now.checked_sub(duration).unwrap_or(Timestamp::MIN),
    }
}

fn line(entry: &Stored<AuditRecord>) -> String {
    let record = &entry.message;
    let (day, rest) = (record.at.strftime("%Y-%m-%d"), text::audit(record));
    format!(
        "{day} {rest}  ({} by {})",
        record.host,
        text::printable(&record.actor)
    )
}
