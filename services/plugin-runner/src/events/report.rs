//! Files outcomes of events in the audit trail, by themselves, as soon as the bus takes them (E4).

use super::{Desk, JournalError, journal::Finished, one_line};
use snooze_bus::{Bus, BusError, FileError, Subject};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{EventOutcome, Scope, Severity},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the stream may take to acknowledge one entry.
const FILE_LIMIT: Duration = Duration::from_secs(5);

/// Between two attempts: a broker that is away comes back within seconds, or not for a while.
const RETRY: Duration = Duration::from_secs(2);
/// The longest pause, well within the time after which an outcome counts as missing.
const LONGEST_RETRY: Duration = Duration::from_secs(32);

pub(super) async fn run(desk: &Desk, bus: &Bus, agent: &str, shutdown: CancellationToken) {
    let all = async {
        loop {
            match desk.journal.look(|journal| journal.unreported()).await? {
                Some(finished) => report(desk, bus, agent, finished).await,
                // What ends from here on leaves word.
                None => desk.unreported.notified().await,
            }
        }
    };
    // What is cancelled here is in the journal as not reported.
    let ended: Result<(), JournalError> = tokio::select! {
        ended = all => ended,
        () = shutdown.cancelled() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::error!(
            error = one_line(&error),
            "nothing is reported any more until the next start"
        );
    }
}

/// Files an outcome, and notes that it was.
async fn report(desk: &Desk, bus: &Bus, agent: &str, finished: Finished) {
    file(desk, bus, agent, &finished).await;
    let id = finished.outcome.id;
    // Nobody waits for it.
    let noted = desk
        .journal
        .write(Severity::Info, move |journal| journal.reported(&id));
    if let Err(error) = noted.await {
        tracing::error!(
            error = one_line(&error),
            "a report cannot be journalled; it is sent again after a restart"
        );
    }
}

/// Files an outcome, for ever until it is filed. One that is too large is filed without what its handlers said, and given
/// up where it is so even then: it keeps none behind it waiting. A stream that refuses one may be full, or have lost its
/// leader, and takes it later as it is. Whether one that nobody acknowledged is filed, nobody knows; filed again it is known
/// by its name, for two minutes.
async fn file(desk: &Desk, bus: &Bus, agent: &str, finished: &Finished) {
    let Finished { outcome, report } = finished;
    let scope = Scope::Host(desk.host.clone());
    let subject = Subject::Audit {
        scope: scope.clone(),
        kind: AuditKind::Event,
    };
    let mut record = AuditRecord {
        at: desk.clocks.wall(),
        host: scope,
        kind: AuditKind::Event,
        actor: format!("plugin-runner {}", agent.get(..8).unwrap_or(agent)),
        claim: None,
        message: sentence(outcome),
        details: details(outcome),
    };
    let (mut told, mut is_short) = (false, false);
    let mut pause = RETRY;
    while let Err(error) = bus.file_once(&subject, &record, report, FILE_LIMIT).await {
        match (is_of_the_record(&error), is_short) {
            (true, true) => {
                tracing::error!(event = %outcome.id, error = one_line(&error), "an outcome cannot be filed");
                return;
            }
            (true, false) => {
                tracing::warn!(event = %outcome.id, error = one_line(&error), "an outcome is filed without what its handlers said");
                record.details = details(&shortened(outcome));
                is_short = true;
            }
            (false, _) => {
                if !told {
                    tracing::info!(event = %outcome.id, error = one_line(&error), "an outcome waits for the bus");
                    told = true;
                }
                tokio::time::sleep(pause).await;
                pause = pause_after(&error, pause);
            }
        }
    }
}

/// The next pause. A broker that takes an entry and does not acknowledge it in time has more to do than it can: all
/// that the hosts of a fleet send again it does once more, so that they do so ever more rarely.
fn pause_after(error: &FileError, pause: Duration) -> Duration {
    match error {
        FileError::Ambiguous { .. } => (pause * 2).min(LONGEST_RETRY),
        _ => RETRY,
    }
}

/// Whether it is the record that cannot be filed, and no other time will do.
fn is_of_the_record(error: &FileError) -> bool {
    matches!(
        error,
        FileError::TooLarge { .. } | FileError::NotSent(BusError::Encode { .. })
    )
}

fn details(outcome: &EventOutcome) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(outcome) {
        Ok(serde_json::Value::Object(details)) => details,
        Ok(_) | Err(_) => serde_json::Map::new(),
    }
}

/// Who was asked and how it ended, and nothing of what they said.
fn shortened(outcome: &EventOutcome) -> EventOutcome {
    let mut short = outcome.clone();
    for handler in &mut short.handlers {
        handler.result.message.clear();
        handler.result.details.clear();
    }
    short
}

fn sentence(outcome: &EventOutcome) -> String {
    let handled = outcome
        .handlers
        .iter()
        .filter(|handler| handler.result.is_done())
        .count();
    let failed: Vec<&str> = outcome
        .handlers
        .iter()
        .filter(|handler| !handler.result.succeeded)
        .map(|handler| handler.plugin.as_str())
        .collect();
    let event = format!("{} {}", outcome.event_type, outcome.id);
    let more = outcome.not_asked.as_ref();
    let more = more.map_or_else(String::new, |why| format!("; {why}"));
    match (outcome.handlers.len(), failed.is_empty()) {
        (0, _) => match &outcome.not_asked {
            Some(why) => format!("{event}: {why}"),
            None => format!("{event}: no plugin handles it"),
        },
        (count, true) => format!("{event}: {handled} of {count} plugins handled it{more}"),
        (count, false) => {
            format!(
                "{event}: {handled} of {count} plugins handled it, failed: {}{more}",
                failed.join(" ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e4_a_broker_that_is_too_slow_is_asked_ever_more_rarely_and_one_that_is_away_is_not() {
        let slow = FileError::Ambiguous { template: "audit" };
        let pauses: Vec<u64> = std::iter::successors(Some(RETRY), |pause| Some(pause_after(&slow, *pause)))
            .map(|pause| pause.as_secs())
            .take(7)
            .collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 32, 32]);
        let away = FileError::NotSent(BusError::Disconnected { operation: "asking" });
        assert_eq!(pause_after(&away, LONGEST_RETRY), RETRY);
    }
}
