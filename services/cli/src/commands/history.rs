//! `snooze history`: the audit trail, event outcomes included.

use super::host::refuse_unknown;
use crate::{
    arguments::{History, Since},
    print,
    session::{Session, of_bus},
    view::text,
};
use snooze_bus::{Stored, Stream, SubjectFilter};
use snooze_schemas::{Timestamp, audit::AuditRecord, event::Scope};
use snooze_service_runtime::{Clocks, Failure};

/// How many entries are shown where nobody says how many.
const SHOWN: u16 = 20;
/// How many are looked through where somebody says since when: as many as one look returns.
const SEARCHED: u16 = 10_000;

/// Prints the newest entries, the oldest of them first.
pub(super) async fn history(session: &Session, arguments: History) -> Result<(), Failure> {
    let limit = usize::from(limit_of(&arguments));
    let filter = match arguments.host.clone() {
        Some(host) => SubjectFilter::AuditOf(Scope::Host(host)),
        None => SubjectFilter::AllAudit,
    };
    let found = session
        .bus
        .history::<AuditRecord>(Stream::Audit, &filter, limit)
        .await;
    let mut entries = found.map_err(|error| of_bus(&error))?;
    // One that is not enrolled any more still has its history.
    if let (Some(host), true) = (&arguments.host, entries.is_empty()) {
        refuse_unknown(session, host).await?;
    }
    if let Some(since) = arguments.since {
        let since = start_of(since, Clocks::real().wall());
        let all = entries.len();
        entries.retain(|entry| entry.filed_at >= since);
        if all == limit && entries.len() == all {
            print::talk("there are older ones since then; -n shows more");
        }
    }
    if arguments.output.json {
        let records: Vec<&AuditRecord> = entries.iter().map(|entry| &entry.message).collect();
        return print::json(&records);
    }
    print::lines(entries.iter().map(line))
}

fn limit_of(arguments: &History) -> u16 {
    let unsaid = match arguments.since {
        Some(_) => SEARCHED,
        None => SHOWN,
    };
    arguments.limit.unwrap_or(unsaid)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn since_is_not_cut_to_the_newest_twenty() {
        let arguments = |limit, since| History {
            host: None,
            limit,
            since,
            output: crate::arguments::Output { json: false },
        };
        let week = Some(Since::Ago(Duration::from_secs(604_800)));
        assert_eq!(limit_of(&arguments(None, week)), SEARCHED);
        assert_eq!(limit_of(&arguments(Some(5), week)), 5);
        assert_eq!(limit_of(&arguments(None, None)), SHOWN);
    }
}
