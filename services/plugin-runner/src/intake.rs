//! Which samples may be built upon, and over which span of time (T1, T2, I2).
//!
//! Pure: a sample and the current moment in, an admission or the reason against it out.
//!
//! **Invariant:** a sample of another boot, of a second collector under this host's id, with a
//! sequence number that was seen before, or from the future is never admitted.

use crate::{
    moment::{DriftWatch, Jump, Moment},
    runs::Span,
};
use serde::{Deserialize, Serialize};
use snooze_schemas::sample::Sample;
use std::collections::VecDeque;

/// How many collectors that went before are remembered, so that one that is still alive is recognised.
const PREDECESSORS: usize = 16;

/// For how long two collectors under one id keep everything unknown after the last sign of the second.
const CONFLICT_INTERVALS: u64 = 3;

/// The ends of a sample are rounded to milliseconds, and its covers too: so much may be between two
/// that abut. It is not counted as idle.
pub(crate) const CRACK_MS: u64 = 10;

/// A sample may end this much after "now": the clock is read a moment after the message was made,
/// so anything beyond rounding is a lie or a fault.
const FUTURE_MS: u64 = 10;

/// Why a sample was not admitted. Every run breaks, and the votes say so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Objection {
    /// It was taken under another boot id.
    #[error("a sample came from another boot of this host: two machines may share its id")]
    OtherBoot,
    /// Two collectors are alive under this host's id.
    #[error("two collectors are alive under this host's id")]
    TwoCollectors,
    /// Its sequence number was seen before.
    #[error("a collector repeated sample {0}")]
    Repeated(u64),
    /// Its interval ends after now, or begins before the boot.
    #[error("a sample covers time that has not been")]
    Impossible,
}

/// A sample that may be built upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admission {
    /// What it covers.
    pub span: Span,
    /// What the clocks say happened before it; every run breaks and boot grace starts again.
    pub jump: Option<Jump>,
    /// How far the span may be from the last one without a hole between them.
    pub crack_ms: u64,
}

/// What is remembered of the samples so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intake {
    collector: Option<Collector>,
    predecessors: VecDeque<String>,
    /// Until when two collectors count as alive, on the monotonic clock.
    conflict_until_ms: u64,
    drift: DriftWatch,
    /// After a restart of the runner one hole of less than this is bridged (T4).
    #[serde(skip)]
    bridge_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Collector {
    agent: String,
    seq: u64,
}

impl Intake {
    /// Looks at this host's own clocks, between samples.
    pub(crate) fn look(&mut self, now: Moment) -> Option<Jump> {
        self.drift.observe(now)
    }

    /// Bridges one hole of less than two intervals, because the runner itself was away (T4).
    pub(crate) fn bridge_once(&mut self, interval_ms: u64) {
        self.bridge_ms = Some(crate::tally::hole_limit_ms(interval_ms));
    }

    /// Whether two collectors were seen alive not long ago.
    #[must_use]
    pub(crate) fn in_conflict(&self, now: Moment) -> bool {
        now.monotonic_ms < self.conflict_until_ms
    }

    /// Says whether a sample may be built upon.
    ///
    /// # Errors
    /// What speaks against it. Every run has to be broken then.
    pub(crate) fn admit(
        &mut self,
        sample: &Sample,
        boot_id: &str,
        now: Moment,
        interval_ms: u64,
    ) -> Result<Admission, Objection> {
        if sample.boot_id != boot_id {
            return Err(Objection::OtherBoot);
        }
        let end = Moment::end_of(sample);
        if end.monotonic_ms > now.monotonic_ms.saturating_add(FUTURE_MS)
            || sample.covers_ms > end.monotonic_ms
        {
            return Err(Objection::Impossible);
        }
        self.follow(sample, now, interval_ms)?;
        let jump = self.drift.observe(end);
        Ok(Admission {
            span: Span {
                from_ms: end.monotonic_ms - sample.covers_ms,
                to_ms: end.monotonic_ms,
            },
            jump,
            crack_ms: self.bridge_ms.take().unwrap_or(CRACK_MS),
        })
    }

    /// Keeps track of which collector speaks, and refuses a second one and repetitions (I2).
    fn follow(&mut self, sample: &Sample, now: Moment, interval_ms: u64) -> Result<(), Objection> {
        let same = self
            .collector
            .as_ref()
            .is_some_and(|known| known.agent == sample.agent);
        if !same {
            if self.predecessors.contains(&sample.agent) {
                // The one that was thought to be gone speaks again: both are alive.
                let lasts = interval_ms.saturating_mul(CONFLICT_INTERVALS);
                self.conflict_until_ms = now.monotonic_ms.saturating_add(lasts);
            }
            if let Some(old) = self.collector.take() {
                self.predecessors.retain(|agent| *agent != old.agent);
                self.predecessors.push_back(old.agent);
                if self.predecessors.len() > PREDECESSORS {
                    self.predecessors.pop_front();
                }
            }
        } else if let Some(known) = &self.collector
            && sample.seq <= known.seq
        {
            return Err(Objection::Repeated(sample.seq));
        }
        self.collector = Some(Collector {
            agent: sample.agent.clone(),
            seq: sample.seq,
        });
        if self.in_conflict(now) {
            return Err(Objection::TwoCollectors);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::Timestamp;

    const BOOT: &str = "boot";
    const INTERVAL: u64 = 1_000;

    fn sample(agent: &str, seq: u64, end: u64) -> Sample {
        Sample {
            host: "h1".parse().expect("a host id"),
            boot_id: BOOT.to_owned(),
            agent: agent.to_owned(),
            seq,
            taken_at: Timestamp::from_millisecond(i64::try_from(end).expect("small")).expect("in range"),
            covers_ms: INTERVAL,
            ends_monotonic_ms: end,
            ends_boottime_ms: end,
            readings: std::collections::BTreeMap::new(),
            gpus: Vec::new(),
        }
    }

    fn at(ms: u64) -> Moment {
        Moment {
            monotonic_ms: ms,
            boottime_ms: ms,
            real_ms: i64::try_from(ms).expect("small"),
        }
    }

    fn admit(intake: &mut Intake, sample: &Sample) -> Result<Admission, Objection> {
        intake.admit(sample, BOOT, at(sample.ends_monotonic_ms), INTERVAL)
    }

    #[test]
    fn t2_a_late_sample_counts_for_the_time_that_it_covers() {
        let mut intake = Intake::default();
        let admitted = intake
            .admit(&sample("a", 1, 2_000), BOOT, at(60_000), INTERVAL)
            .expect("admitted");
        assert_eq!(
            admitted.span,
            Span {
                from_ms: 1_000,
                to_ms: 2_000
            }
        );
        assert_eq!(admitted.crack_ms, CRACK_MS);
    }

    #[test]
    fn i2_a_repeated_sequence_is_refused() {
        let mut intake = Intake::default();
        admit(&mut intake, &sample("a", 7, 2_000)).expect("the first");
        assert_eq!(
            admit(&mut intake, &sample("a", 7, 3_000)),
            Err(Objection::Repeated(7))
        );
        assert_eq!(
            admit(&mut intake, &sample("a", 6, 3_000)),
            Err(Objection::Repeated(6))
        );
        admit(&mut intake, &sample("a", 8, 3_000)).expect("the next");
    }

    #[test]
    fn i2_two_collectors_under_one_id_are_refused_until_one_is_silent() {
        let mut intake = Intake::default();
        admit(&mut intake, &sample("a", 1, 2_000)).expect("the first");
        admit(&mut intake, &sample("b", 1, 2_500)).expect("a restart looks like this");
        let both = [("a", 2, 3_000), ("b", 2, 3_500), ("a", 3, 4_000), ("b", 3, 4_500)];
        for (agent, seq, end) in both {
            let refused = admit(&mut intake, &sample(agent, seq, end));
            assert_eq!(refused, Err(Objection::TwoCollectors), "{agent} {seq}");
        }
        for (seq, end) in [(4, 5_500), (5, 6_500)] {
            assert_eq!(
                admit(&mut intake, &sample("b", seq, end)),
                Err(Objection::TwoCollectors)
            );
        }
        admit(&mut intake, &sample("b", 6, 7_600)).expect("the other one is gone");
    }

    #[test]
    fn i2_a_sample_of_another_boot_is_refused() {
        let mut intake = Intake::default();
        let refused = intake.admit(&sample("a", 1, 2_000), "another", at(2_000), INTERVAL);
        assert_eq!(refused, Err(Objection::OtherBoot));
    }

    #[test]
    fn a_sample_from_the_future_or_from_before_the_boot_is_refused() {
        let mut intake = Intake::default();
        let future = intake.admit(&sample("a", 1, 9_000), BOOT, at(2_000), INTERVAL);
        assert_eq!(future, Err(Objection::Impossible));
        assert_eq!(
            admit(&mut intake, &sample("a", 1, 500)),
            Err(Objection::Impossible)
        );
    }

    #[test]
    fn t1_a_suspend_shows_in_the_samples_themselves() {
        let mut intake = Intake::default();
        admit(&mut intake, &sample("a", 1, 2_000)).expect("the first");
        let mut woken = sample("a", 2, 3_000);
        woken.ends_boottime_ms += 60_000;
        let admitted = admit(&mut intake, &woken).expect("admitted");
        assert_eq!(admitted.jump, Some(Jump::Suspended { ms: 60_000 }));
    }

    #[test]
    fn t4_only_the_first_sample_after_a_restart_may_leave_a_hole() {
        let mut intake = Intake::default();
        intake.bridge_once(INTERVAL);
        assert_eq!(
            admit(&mut intake, &sample("a", 1, 2_000))
                .expect("first")
                .crack_ms,
            1_999
        );
        assert_eq!(
            admit(&mut intake, &sample("a", 2, 3_000))
                .expect("second")
                .crack_ms,
            CRACK_MS
        );
    }
}
