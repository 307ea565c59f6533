//! Whether the streams of events, and DEAD, have room left, told in the audit trail before and after they have not.
//!
//! A full stream drops its oldest events, which is right: nearly always they were dispatched long ago, and
//! refusing the next one would silence everybody for what one has filed. What is dropped before it was
//! dispatched ends neither handled nor in DEAD, so it is told of here. Every gateway looks and tells for
//! itself: one that has just started knows of no look before its first.

use super::Config;
use snooze_bus::{Bus, EventsKept, Expect, FileError, Stream, Subject};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{Scope, Severity},
};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{collections::BTreeMap, convert::Infallible, time::Duration};

/// The streams that are looked at.
const STREAMS: [Stream; 3] = [Stream::EventsUrgent, Stream::EventsRoutine, Stream::Dead];
/// From here on a stream is nearly full: there is time left to find out who fills it.
const NEARLY_FULL_PERCENT: u64 = 80;
/// Between two alarms that a stream is nearly full, which a large fleet may make it for good.
const FULL_AGAIN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two alarms that events of a severity were dropped; each tells of all since the one before.
const DROPPED_AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);
/// A synced write takes a millisecond or two.
const FILE_WITHIN: Duration = Duration::from_secs(5);

/// Looks until shutdown. A look that fails is made again.
pub(crate) async fn watch(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), Infallible> {
    let mut seen = STREAMS.map(|stream| (stream, Seen::default()));
    let mut tick = tokio::time::interval(config.room_interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let looks = async {
            tick.tick().await;
            for (stream, seen) in &mut seen {
                look(&config, &bus, *stream, seen).await;
            }
        };
        // A look that is cut off may leave an alarm untold; another gateway has seen the same.
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = looks => {}
        }
    }
}

async fn look(config: &Config, bus: &Bus, stream: Stream, seen: &mut Seen) {
    match bus.events_kept(stream).await {
        Ok(kept) => seen.see(&kept),
        Err(error) => {
            let (error, stream) = (one_line(&error), stream.name());
            return tracing::warn!(error, stream, "a stream of events was not looked at; tried again");
        }
    }
    let now_ms = config.clocks.boottime_ms();
    for alarm in seen.due(now_ms) {
        match tell(config, bus, stream, &alarm).await {
            Ok(_) => seen.told(&alarm, now_ms),
            Err(error) => tracing::warn!(
                error = one_line(&error),
                "an alarm about a stream of events was not filed; tried again"
            ),
        }
    }
}

async fn tell(config: &Config, bus: &Bus, stream: Stream, alarm: &Alarm) -> Result<u64, FileError> {
    let name = stream.name();
    let (message, what) = match alarm {
        Alarm::NearlyFull { percent } => {
            let text = format!("{name} is {percent} % full: it drops its oldest events to make room");
            (text, ("percent", *percent))
        }
        Alarm::Dropped { severity, at_most } => {
            let severity = u8::from(*severity);
            let text = format!(
                "{name} was full: events of severity {severity} were dropped before they were dispatched, \
                 {at_most} at most"
            );
            (text, ("at_most", *at_most))
        }
    };
    tracing::error!(stream = name, message, "a stream of events has no room left");
    let record = AuditRecord {
        at: config.clocks.wall(),
        host: Scope::Fleet,
        kind: AuditKind::Alarm,
        actor: config.name.clone(),
        claim: None,
        message,
        details: [
            ("stream".to_owned(), name.into()),
            (what.0.to_owned(), what.1.into()),
        ]
        .into_iter()
        .collect(),
    };
    let subject = Subject::Audit {
        scope: Scope::Fleet,
        kind: AuditKind::Alarm,
    };
    bus.file(&subject, &record, Expect::Anything, FILE_WITHIN).await
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Alarm {
    NearlyFull { percent: u64 },
    Dropped { severity: Severity, at_most: u64 },
}

/// What one gateway has seen of one stream.
#[derive(Debug, Default)]
struct Seen {
    percent: u64,
    full_told_ms: Option<u64>,
    lanes: BTreeMap<Severity, Lane>,
}

/// What it has seen of one severity.
#[derive(Debug, Default)]
struct Lane {
    /// Every event up to this sequence was acked, or is counted as dropped; none before the first look.
    settled: Option<u64>,
    /// Dropped, at most, since it was last told.
    untold: u64,
    told_ms: Option<u64>,
}

impl Seen {
    fn see(&mut self, kept: &EventsKept) {
        self.percent = kept
            .max_bytes
            .map_or(0, |most| kept.bytes.saturating_mul(100) / most);
        let gone = kept.first_sequence.saturating_sub(1);
        for progress in &kept.lanes {
            let lane = self.lanes.entry(progress.severity).or_default();
            let acked = match progress.is_behind() {
                true => progress.ack_floor,
                false => kept.last_sequence,
            };
            // What counts is how far it had come at the look before: by now the server takes for acked what
            // it has dropped from somebody's hands. At the first look there is nothing better than the floor.
            let before = lane.settled.unwrap_or(acked);
            lane.untold = lane.untold.saturating_add(gone.saturating_sub(before));
            lane.settled = Some(before.max(acked).max(gone));
        }
    }

    /// What is to be told now.
    fn due(&self, now_ms: u64) -> Vec<Alarm> {
        let is_time = |told: Option<u64>, again_after: Duration| {
            told.is_none_or(|told| Duration::from_millis(now_ms.saturating_sub(told)) >= again_after)
        };
        let is_nearly_full =
            self.percent >= NEARLY_FULL_PERCENT && is_time(self.full_told_ms, FULL_AGAIN_AFTER);
        let full = is_nearly_full.then_some(Alarm::NearlyFull {
            percent: self.percent,
        });
        let dropped = self.lanes.iter().filter_map(|(severity, lane)| {
            let is_due = lane.untold > 0 && is_time(lane.told_ms, DROPPED_AGAIN_AFTER);
            is_due.then_some(Alarm::Dropped {
                severity: *severity,
                at_most: lane.untold,
            })
        });
        full.into_iter().chain(dropped).collect()
    }

    fn told(&mut self, alarm: &Alarm, now_ms: u64) {
        match alarm {
            Alarm::NearlyFull { .. } => self.full_told_ms = Some(now_ms),
            Alarm::Dropped { severity, at_most } => {
                let lane = self.lanes.entry(*severity).or_default();
                lane.untold = lane.untold.saturating_sub(*at_most);
                lane.told_ms = Some(now_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_bus::LaneProgress;

    const HOUR_MS: u64 = 60 * 60 * 1000;

    /// A look at a stream of a hundred bytes: its first and last sequence, how far the critical ones are
    /// acked, and how many of them are not.
    fn kept(bytes: u64, first_sequence: u64, last_sequence: u64, ack_floor: u64, behind: u64) -> EventsKept {
        EventsKept {
            stream: Stream::EventsUrgent,
            bytes,
            max_bytes: Some(100),
            first_sequence,
            last_sequence,
            lanes: vec![LaneProgress {
                severity: Severity::Critical,
                ack_floor,
                waiting: behind,
                in_hand: 0,
            }],
        }
    }

    fn dropped(at_most: u64) -> Vec<Alarm> {
        vec![Alarm::Dropped {
            severity: Severity::Critical,
            at_most,
        }]
    }

    #[test]
    fn what_was_dispatched_before_it_was_dropped_is_no_loss() {
        let mut seen = Seen::default();
        // A severity of which nothing comes: its floor stays where its last event was.
        seen.see(&kept(50, 1, 100, 3, 0));
        seen.see(&kept(50, 90, 150, 3, 0));
        assert_eq!(seen.due(0), []);
        // One comes, while all that is gone was there and settled at the look before.
        seen.see(&kept(50, 140, 190, 3, 1));
        assert_eq!(seen.due(0), []);
    }

    #[test]
    fn what_is_dropped_while_its_lane_is_behind_is_told_with_how_many_at_most() {
        let mut seen = Seen::default();
        seen.see(&kept(50, 1, 100, 10, 5));
        assert_eq!(seen.due(0), []);
        // The server takes what it has dropped for acked, and nothing is behind any more.
        seen.see(&kept(50, 31, 130, 130, 0));
        assert_eq!(seen.due(0), dropped(20));
    }

    #[test]
    fn what_was_dropped_while_no_gateway_was_there_is_told_at_the_first_look() {
        let mut seen = Seen::default();
        seen.see(&kept(50, 31, 130, 10, 5));
        assert_eq!(seen.due(0), dropped(20));
    }

    #[test]
    fn an_alarm_is_told_again_after_a_while_with_all_that_came_since() {
        let mut seen = Seen::default();
        seen.see(&kept(80, 31, 130, 10, 5));
        let first = seen.due(0);
        assert_eq!(first[0], Alarm::NearlyFull { percent: 80 });
        assert_eq!(first[1..], dropped(20));
        for alarm in &first {
            seen.told(alarm, 0);
        }
        seen.see(&kept(80, 41, 140, 10, 5));
        seen.see(&kept(80, 46, 140, 10, 5));
        assert_eq!(seen.due(HOUR_MS - 1), []);
        assert_eq!(seen.due(HOUR_MS), dropped(15));
        assert_eq!(seen.due(24 * HOUR_MS)[0], Alarm::NearlyFull { percent: 80 });
    }
}
