//! How long it took from when something happened to when the first handler was asked, by severity. What does not say when
//! it happened is counted from when it was noticed.
//!
//! It is for people and decides nothing: an event of another machine carries that machine's time, and what the
//! two clocks differ by is part of it; where that makes it negative it counts as nothing. The work before a stop, for
//! which the runner itself asks, and what an earlier runner had begun are not counted.

use crate::latencies::Latencies;
use snooze_schemas::{
    event::{Event, HandlerOutcome, Severity},
    plugin::inspection::EventLatency,
};
use std::time::Duration;

/// As long as events are kept: one that waited for its host for days is seen as it is.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Since the runner started.
#[derive(Debug)]
pub(crate) struct FirstHandlers([Latencies; Severity::DESCENDING.len()]);

impl Default for FirstHandlers {
    fn default() -> Self {
        FirstHandlers(std::array::from_fn(|_| Latencies::up_to(LONGEST)))
    }
}

impl FirstHandlers {
    /// Counts an event by those of its handlers that were asked; nothing where none was.
    pub(super) fn add(&self, event: &Event, handlers: &[HandlerOutcome]) {
        let first = handlers.iter().filter_map(|handler| handler.started_at).min();
        if let Some(first) = first {
            let took = Duration::try_from(first.duration_since(event.own_time()));
            self.of(event.severity).add(took.unwrap_or_default());
        }
    }

    /// What was counted, the most urgent first.
    pub(crate) fn report(&self) -> Vec<EventLatency> {
        let each = Severity::DESCENDING.into_iter().filter_map(|severity| {
            let latencies = self.of(severity);
            Some(EventLatency {
                severity,
                events: latencies.count(),
                latency: latencies.quantiles()?,
            })
        });
        each.collect()
    }

    fn of(&self, severity: Severity) -> &Latencies {
        &self.0[usize::from(u8::from(severity))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_event_counts_by_its_first_handler_and_one_without_not_at_all() {
        let event = |severity: u8| -> Event {
            serde_json::from_value(json!({
                "id": "e1", "type": "custom.backup", "severity": severity, "source": "custom.test", "host": "h1",
                "noticed_at": "2026-01-01T00:00:10Z",
            }))
            .expect("an event")
        };
        let asked = |at: Value| -> HandlerOutcome {
            let outcome =
                json!({"plugin": "a", "handled": true, "succeeded": true, "took_ms": 1, "started_at": at});
            serde_json::from_value(outcome).expect("an outcome")
        };
        let mut long_ago = event(2);
        long_ago.happened_at = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
        let mut ahead = event(2);
        ahead.happened_at = Some("2026-01-01T00:00:12Z".parse().expect("a time"));
        let never = asked(Value::Null);
        let (early, late) = (
            asked(json!("2026-01-01T00:00:11Z")),
            asked(json!("2026-01-01T01:00:10Z")),
        );
        let before = asked(json!("2026-01-01T00:00:00Z"));
        let first = FirstHandlers::default();
        first.add(&event(3), std::slice::from_ref(&never));
        first.add(&event(3), &[]);
        assert_eq!(first.report(), []);
        first.add(&event(3), &[never, late.clone(), early]);
        first.add(&event(1), &[late]);
        first.add(&event(0), &[before]);
        let told: Vec<(u8, u64, u64)> = first
            .report()
            .iter()
            .map(|told| (told.severity.into(), told.events, told.latency.max_us / 100_000))
            .collect();
        assert_eq!(told[0], (3, 1, 10));
        assert_eq!((told[1].0, told[1].1), (1, 1));
        assert!(
            told[1].2.abs_diff(36_000) <= 360,
            "an hour within two digits: {}",
            told[1].2
        );
        assert_eq!(told[2], (0, 1, 0), "clocks differ");
        let first = FirstHandlers::default();
        let at = asked(json!("2026-01-01T00:00:11Z"));
        for (event, seconds) in [(ahead, 1), (long_ago, 11)] {
            first.add(&event, std::slice::from_ref(&at));
            let longest = first.report()[0].latency.max_us;
            assert!(
                longest.abs_diff(seconds * 1_000_000) <= seconds * 10_000,
                "{longest}"
            );
        }
    }
}
