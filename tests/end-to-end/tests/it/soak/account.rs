//! The reckoning: what was acknowledged beside what the handlers recorded, the audit trail and DEAD.

use super::{
    LIMIT,
    load::{Load, subject},
    records::HANDLERS,
    stage::Stage,
};
use crate::separate::host;
use serde_json::Value;
use snooze_bus::{Stream, SubjectFilter};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{DeadEvent, Event, EventOutcome, Scope, Severity},
};
use snooze_test_harness::{wait_for, wait_until};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

/// So far back the trail is looked at, and further where that does not reach what was seen before.
const FEW: usize = 256;
const MANY: usize = 10_000;
/// Who sweeps leaves a note alone for six minutes.
const SWEPT: Duration = Duration::from_secs(600);
/// So many of the last acknowledged events are looked for after the broker was killed.
const LAST: usize = 128;

const SECOND: i128 = 1_000_000_000;

/// One entry of the trail that tells how an event ended.
#[derive(Debug)]
struct Report {
    at: i128,
    outcome: EventOutcome,
}

/// What is known of all events.
#[derive(Debug, Default)]
pub(crate) struct Account {
    last_sequence: u64,
    reports: BTreeMap<String, Vec<Report>>,
    dead: BTreeMap<String, String>,
    lost: BTreeSet<String>,
}

impl Account {
    /// Reads what has come into the trail.
    pub(crate) async fn read_trail(&mut self, stage: &Stage) {
        let filter = SubjectFilter::AuditOf(Scope::Host(host()));
        let mut most = FEW;
        let trail = loop {
            let trail = wait_for(LIMIT, "the trail is read", async || {
                let read = stage.admin.history::<AuditRecord>(Stream::Audit, &filter, most);
                read.await.ok()
            })
            .await;
            let first = trail.first().map_or(0, |stored| stored.sequence);
            if trail.len() < most || first <= self.last_sequence {
                break trail;
            }
            most *= 4;
            assert!(most <= MANY, "the trail outran its reader");
        };
        for stored in trail {
            if stored.sequence <= self.last_sequence {
                continue;
            }
            self.last_sequence = stored.sequence;
            let record = stored.message;
            if record.kind != AuditKind::Event || record.details.contains_key("dead") {
                continue;
            }
            let outcome: EventOutcome =
                serde_json::from_value(Value::Object(record.details)).expect("an outcome");
            let at = record.at.as_nanosecond();
            self.reports
                .entry(outcome.id.to_string())
                .or_default()
                .push(Report { at, outcome });
        }
    }

    /// Looks, after the broker was killed, which of the last acknowledged events its streams do not have.
    pub(crate) async fn note_losses(&mut self, stage: &Stage, load: &Load) {
        for severity in Severity::DESCENDING {
            let acknowledged = load.of(severity).acknowledged.clone();
            let last = &acknowledged[acknowledged.len().saturating_sub(LAST)..];
            let mut missing = Vec::new();
            for id in last {
                let (stream, subject) = (Stream::of_events(severity), subject(severity, id));
                let found = wait_for(LIMIT, "the stream is back", async || {
                    stage.admin.last::<Event>(stream, &subject).await.ok()
                })
                .await;
                match found {
                    None => missing.push(id.clone()),
                    // Filed since.
                    Some(stored) if stored.filed_at.as_nanosecond() > stage.broker_killed_at => {}
                    // What was lost by an earlier kill stands before what was sent after it.
                    Some(_) if missing.iter().all(|id| self.lost.contains(id)) => missing.clear(),
                    Some(_) => {
                        panic!("{severity:?}: {missing:?} are lost and {id}, acknowledged after them, is not")
                    }
                }
            }
            assert!(
                severity < Severity::Urgent || missing.is_empty(),
                "E2: acknowledged as synced and lost: {missing:?}"
            );
            load.give_up(severity, &missing);
            self.lost.extend(missing);
        }
    }

    /// Waits until everything that was acknowledged and is not lost is handled and reported, or in DEAD.
    pub(crate) async fn settle(&mut self, stage: &Stage, load: &Load) {
        let left = |account: &Account| -> Vec<String> {
            let is_open = |id: &&String| {
                let is_over = stage.records.is_kept(id) && account.reports.contains_key(*id);
                !is_over && !account.dead.contains_key(*id) && !account.lost.contains(*id)
            };
            let of = |severity| {
                let sent = load.of(severity);
                sent.acknowledged
                    .iter()
                    .filter(is_open)
                    .cloned()
                    .collect::<Vec<_>>()
            };
            Severity::DESCENDING.into_iter().flat_map(of).collect()
        };
        let mut told = 0;
        wait_until(LIMIT, "all is handled", async || {
            self.read_trail(stage).await;
            self.read_dead(stage).await;
            let left = left(self);
            if left.len() != std::mem::replace(&mut told, left.len()) && left.len() < 5 {
                let reports = left.iter().map(|id| (id, self.reports.get(id)));
                println!(
                    "still open, with their reports: {:?}",
                    reports.collect::<Vec<_>>()
                );
            }
            left.is_empty()
        })
        .await;
    }

    /// Waits until no event comes again, and looks who still waits for something: only who was reported while no gateway
    /// was there to hear it, which whoever sweeps will find.
    pub(crate) async fn close(&mut self, stage: &Stage) -> usize {
        stage.until_all_is_dispatched().await;
        let open = stage.open().await;
        self.read_trail(stage).await;
        for id in &open {
            assert!(
                self.reports.contains_key(id),
                "E4: {id} waits for an outcome that nobody reported"
            );
        }
        open.len()
    }

    /// Waits until nobody waits for anything any more: what was reported unheard ends without a word.
    pub(crate) async fn until_swept(&mut self, stage: &Stage) {
        stage.until_nothing_is_open(SWEPT).await;
        self.read_trail(stage).await;
        self.read_dead(stage).await;
    }

    async fn read_dead(&mut self, stage: &Stage) {
        let filter = SubjectFilter::AllDead;
        let dead = stage
            .admin
            .history::<DeadEvent>(Stream::Dead, &filter, 10_000)
            .await;
        for stored in dead.expect("an administrator reads DEAD") {
            let DeadEvent { event, reason } = stored.message;
            self.dead.insert(event.id.to_string(), reason);
        }
    }

    /// Judges, and tells the counts.
    pub(crate) fn judge(&self, stage: &Stage, load: &Load) -> String {
        let mut told = String::new();
        for severity in Severity::DESCENDING {
            let sent = load.of(severity);
            let kept = |ids: &BTreeSet<&String>| ids.iter().filter(|id| stage.records.is_kept(id)).count();
            let all: BTreeSet<&String> = sent.acknowledged.iter().collect();
            assert_eq!(all.len(), sent.acknowledged.len(), "E1: two events have one id");
            let lost: BTreeSet<&String> = all.iter().copied().filter(|id| self.is_lost(stage, id)).collect();
            writeln!(
                told,
                "  severity {}: {} sent, {} of them again, {} acknowledged, {} handled, {} in DEAD, {} lost by the broker",
                u8::from(severity),
                sent.events,
                sent.again,
                all.len(),
                kept(&all),
                all.iter().filter(|id| self.dead.contains_key(id.as_str())).count(),
                lost.len(),
            )
            .expect("a text takes all");
            all.iter().for_each(|id| self.judge_one(stage, id));
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for result in self
            .reports
            .values()
            .flatten()
            .flat_map(|report| &report.outcome.handlers)
        {
            if !result.result.succeeded {
                *reasons.entry(&result.result.message).or_default() += 1;
            }
        }
        for (reason, count) in &reasons {
            writeln!(told, "  {count} handlers did not succeed: {reason}").expect("a text takes all");
        }
        for (id, reason) in &self.dead {
            writeln!(told, "  in DEAD: {id}: {reason}").expect("a text takes all");
        }
        told
    }

    fn is_lost(&self, stage: &Stage, id: &str) -> bool {
        self.lost.contains(id) && !stage.records.is_kept(id)
    }

    fn judge_one(&self, stage: &Stage, id: &str) {
        let no_reports = Vec::new();
        let reports = self.reports.get(id).unwrap_or(&no_reports);
        if let Some(reason) = self.dead.get(id) {
            let is_kept = stage.records.is_kept(id);
            assert!(
                !is_kept && reports.is_empty(),
                "{id} was handled and is in DEAD: {reason}"
            );
            return;
        }
        if self.is_lost(stage, id) {
            return;
        }
        assert_eq!(
            reports.len(),
            1,
            "E7: an outcome is filed once: {id}: {reports:?}"
        );
        for (handler, is_idempotent) in HANDLERS.into_iter().zip([true, false]) {
            let runs = stage.records.runs(handler, id);
            let said = |report: &&Report| {
                let mut all = report.outcome.handlers.iter();
                all.any(|one| one.plugin.as_str() == handler && one.result.succeeded)
            };
            let succeeded = reports.iter().find(said);
            if is_idempotent {
                assert!(
                    succeeded.is_some(),
                    "E6: {handler} was not asked until it succeeded: {id}: {reports:?}"
                );
            } else {
                assert!(
                    runs.begun.len() <= 1,
                    "E6: {handler} was asked twice: {id}: {runs:?}"
                );
            }
            if let Some(report) = succeeded {
                assert!(
                    !runs.ended.is_empty(),
                    "{handler} is said to have succeeded: {id}"
                );
                let again = runs.begun.iter().find(|at| **at > report.at);
                assert_eq!(
                    again, None,
                    "E6: {handler} succeeded and was asked again: {id}: {runs:?}"
                );
            }
            for (first, second) in runs.begun.iter().zip(runs.begun.iter().skip(1)) {
                // A handler whose runner was killed goes on for a moment.
                let is_excused = stage
                    .kills
                    .iter()
                    .any(|kill| *first <= kill + SECOND && kill <= second);
                assert!(
                    is_excused,
                    "E6: {handler} was asked twice without a crash: {id}: {runs:?}"
                );
            }
        }
    }
}
