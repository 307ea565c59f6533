//! Readings that were recorded and made up, one after the other. What it says of them is its own affair; that it says
//! something, in time, and goes on, is the law.

use super::{Findings, trial::Trial};
use snooze_conformance::recordings;
use snooze_plugin_runner::asking::{AskError, CallError, PluginSaid};
use snooze_schemas::metrics::Metrics;
use std::time::Duration;
use tokio::time::Instant;

/// As long as a runner waits for a vote.
const LIMIT: Duration = Duration::from_secs(5);

/// 2026-01-31T12:00:00Z
const TIME: i64 = 1_769_860_800;

/// How its answers were.
#[derive(Default)]
struct Tally {
    idle: usize,
    busy: usize,
    errors: usize,
    slowest: Duration,
    last_error: Option<String>,
}

/// Asks about all of them.
pub(super) async fn ask(tried: &impl Trial, findings: &mut Findings) {
    let mut tally = Tally::default();
    let law = "Whatever is read, CheckIdle is answered in time with an opinion or an error.";
    for (name, series) in all() {
        let begun = findings.begin("readings", &name);
        let mut kept = Ok(());
        for reading in &series {
            match tally.count(tried, reading).await {
                Ok(true) => {}
                Ok(false) => {
                    findings.note(tried.without_vote());
                    return;
                }
                Err(came) => {
                    let asked = serde_json::to_string(reading).unwrap_or_default();
                    kept = Err((format!("an opinion on {asked}"), came));
                    break;
                }
            }
        }
        findings.add_with_log(("readings", &name, law), begun, kept, || tried.last_words());
    }
    findings.note(&tally.text());
}

impl Tally {
    /// Asks about one, and says whether it votes at all.
    async fn count(&mut self, tried: &impl Trial, reading: &Metrics) -> Result<bool, String> {
        let begun = Instant::now();
        let said = tried.plugin().check_idle(reading, &tried.host(), LIMIT).await;
        self.slowest = self.slowest.max(begun.elapsed());
        match said {
            Ok(opinion) if opinion.is_idle => self.idle += 1,
            Ok(_) => self.busy += 1,
            // On the bus nobody has to listen to it.
            Err(AskError::Absent) if tried.answers().await => return Ok(false),
            Err(AskError::UnknownMethod) => return Ok(false),
            Err(AskError::Process(CallError::Said(PluginSaid { text, .. })) | AskError::Said(text)) => {
                self.errors += 1;
                self.last_error = Some(text);
            }
            Err(other) => return Err(other.to_string()),
        }
        Ok(true)
    }

    fn text(&self) -> String {
        let error = self
            .last_error
            .as_ref()
            .map_or_else(String::new, |text| format!(" (the last one: {text})"));
        format!(
            "of readings it said idle {} times, busy {} times, and {} times that it cannot tell{error}; the slowest answer took {:.1} ms",
            self.idle,
            self.busy,
            self.errors,
            self.slowest.as_secs_f64() * 1000.0
        )
    }
}

/// Each series with its name.
fn all() -> Vec<(String, Vec<Metrics>)> {
    let recorded = recordings().into_iter();
    let recorded = recorded.map(|recording| (format!("recorded-{}", recording.name), recording.readings));
    recorded.chain(made_up()).collect()
}

fn made_up() -> Vec<(String, Vec<Metrics>)> {
    let of = |value: Option<f64>, timestamp| Metrics {
        cpu_usage: value,
        memory_usage: value,
        network_traffic: value,
        disk_io: value,
        gpu_usage: value,
        timestamp,
    };
    let usual = of(Some(12.5), Some(TIME));
    let one_unknown = (0..6).map(|at| {
        let mut reading = usual.clone();
        match at {
            0 => reading.cpu_usage = None,
            1 => reading.memory_usage = None,
            2 => reading.network_traffic = None,
            3 => reading.disk_io = None,
            4 => reading.gpu_usage = None,
            _ => reading.timestamp = None,
        }
        reading
    });
    let ramp = (0..=100).map(|percent| of(Some(f64::from(percent)), Some(TIME + 10 * i64::from(percent))));
    let turns = (0..20).map(|at| of(Some(if at % 2 == 0 { 0.0 } else { 100.0 }), Some(TIME + at)));
    [
        ("nothing-is-known", vec![of(None, None), of(None, Some(TIME))]),
        ("one-is-unknown", one_unknown.collect()),
        ("nothing-happens", vec![of(Some(0.0), Some(TIME)); 3]),
        (
            "everything-at-its-height",
            vec![of(Some(100.0), Some(TIME)), of(Some(1e9), Some(TIME))],
        ),
        (
            "beyond-all-measure",
            vec![
                of(Some(f64::MAX), Some(i64::MAX)),
                of(Some(f64::MIN_POSITIVE), Some(0)),
            ],
        ),
        (
            "a-clock-that-was-set-back",
            vec![of(Some(1.0), Some(TIME)), of(Some(1.0), Some(TIME - 86_400))],
        ),
        ("up-and-down", ramp.collect()),
        ("back-and-forth", turns.collect()),
    ]
    .map(|(name, series)| (name.to_owned(), series))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_recorded_and_made_up_and_each_can_be_unknown() {
        let all = all();
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            names.contains(&"recorded-cpu") && names.contains(&"nothing-is-known"),
            "{names:?}"
        );
        let (_, unknown) = all
            .iter()
            .find(|(name, _)| name == "one-is-unknown")
            .expect("it is there");
        for reading in unknown {
            let written = serde_json::to_value(reading).expect("data");
            let nulls = written
                .as_object()
                .expect("a map")
                .values()
                .filter(|value| value.is_null());
            assert_eq!(nulls.count(), 1, "{written}");
        }
        assert_eq!(unknown.len(), 6);
    }
}
