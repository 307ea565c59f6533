//! From values to edges: raised once when a value stays beyond its threshold, cleared once when it stays back
//! behind a second one.
//!
//! It reads nothing and has no clock: value and time are handed in. What is unknown is no edge, clears none,
//! and takes nothing from what was held before: only time between two known looks counts.

/// Two thresholds for one value, so that one that wavers around the first gives one edge and no more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// Beyond this it is raised.
    pub(super) raise: f64,
    /// Here it is cleared: on the good side of the other.
    pub(super) clear: f64,
    bad: Bad,
}

/// Which side of a threshold is the bad one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    Above,
    Below,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Beyond the first threshold.
    Beyond,
    /// Neither.
    Between,
    /// Back behind the second one.
    Within,
}

impl Limits {
    /// For a percentage that may not rise above this; 100 is off. It clears when it has fallen by this margin,
    /// in percent of the threshold.
    pub(super) fn above(percent: f64, margin_percent: f64) -> Limits {
        let (raise, clear) = if percent >= 100.0 {
            (f64::INFINITY, f64::INFINITY)
        } else {
            (percent, percent * (1.0 - margin_percent / 100.0))
        };
        Limits {
            raise,
            clear,
            bad: Bad::Above,
        }
    }

    /// For a percentage that may not fall below this; 0 is off. It clears when it has risen by this margin, in
    /// percent of the threshold, but never only beyond what it can reach.
    pub(super) fn below(percent: f64, margin_percent: f64) -> Limits {
        let (raise, clear) = if percent <= 0.0 {
            (f64::NEG_INFINITY, f64::NEG_INFINITY)
        } else {
            let halfway_to_all = f64::midpoint(percent, 100.0);
            (
                percent,
                halfway_to_all.min(percent * (1.0 + margin_percent / 100.0)),
            )
        };
        Limits {
            raise,
            clear,
            bad: Bad::Below,
        }
    }

    /// Where this value stands.
    pub(super) fn side(&self, value: f64) -> Side {
        let (beyond, within) = match self.bad {
            Bad::Above => (value > self.raise, value <= self.clear),
            Bad::Below => (value < self.raise, value >= self.clear),
        };
        match (beyond, within) {
            (true, _) => Side::Beyond,
            (false, true) => Side::Within,
            (false, false) => Side::Between,
        }
    }
}

/// That something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// It has been beyond for long enough.
    Raised,
    /// It has been back for long enough.
    Cleared,
}

/// Watches one value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Detector {
    raised: bool,
    /// For how long it is known to have been on the side that would be an edge.
    held_ms: u64,
    /// When it was last seen there, if the last look saw it there.
    last_ms: Option<u64>,
}

impl Detector {
    /// As it stood when somebody watched before.
    pub(super) fn standing(raised: bool) -> Detector {
        Detector {
            raised,
            ..Detector::default()
        }
    }

    /// Whether it is raised.
    pub(super) fn is_raised(&self) -> bool {
        self.raised
    }

    /// Takes the next look; `None` is unknown. Times are those of one clock that never goes back.
    pub(super) fn step(&mut self, side: Option<Side>, for_ms: u64, now_ms: u64) -> Option<Edge> {
        let Some(side) = side else {
            self.last_ms = None;
            return None;
        };
        let turns = if self.raised { Side::Within } else { Side::Beyond };
        if side != turns {
            (self.held_ms, self.last_ms) = (0, None);
            return None;
        }
        if let Some(last_ms) = self.last_ms.replace(now_ms) {
            self.held_ms = self.held_ms.saturating_add(now_ms.saturating_sub(last_ms));
        }
        if self.held_ms < for_ms {
            return None;
        }
        *self = Detector::standing(!self.raised);
        Some(if self.raised { Edge::Raised } else { Edge::Cleared })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    const FOR_MS: u64 = 30_000;
    const EVERY_MS: u64 = 10_000;

    fn edges(values: impl IntoIterator<Item = Option<f64>>) -> Vec<Edge> {
        let limits = Limits::above(80.0, 20.0);
        let mut detector = Detector::default();
        let looks = values.into_iter().zip(0u64..);
        looks
            .filter_map(|(value, n)| {
                let side = value.map(|value| limits.side(value));
                detector.step(side, FOR_MS, n * EVERY_MS)
            })
            .collect()
    }

    #[test]
    fn a_value_that_wavers_around_the_threshold_gives_one_edge() {
        let mut random = StdRng::seed_from_u64(5);
        let beyond = [Some(90.0); 4];
        let wavers = (0..10_000).map(|_| Some(random.random_range(65.0..95.0)));
        assert_eq!(edges(beyond.into_iter().chain(wavers)), [Edge::Raised]);
    }

    #[test]
    fn a_value_that_is_beyond_for_a_moment_only_gives_none() {
        let peaks = [Some(99.0), Some(99.0), Some(99.0), Some(79.0)];
        assert_eq!(edges(peaks.into_iter().cycle().take(10_000)), []);
    }

    #[test]
    fn it_is_raised_and_cleared_once_each_when_it_stays_there_for_the_time() {
        let (beyond, back) = ([Some(81.0); 50], [Some(64.0); 50]);
        assert_eq!(edges([Some(81.0); 3]), [], "seen there for 20 s");
        assert_eq!(edges([Some(81.0); 4]), [Edge::Raised], "seen there for 30 s");
        assert_eq!(
            edges(beyond.into_iter().chain(back).chain(beyond)),
            [Edge::Raised, Edge::Cleared, Edge::Raised]
        );
    }

    #[test]
    fn what_is_unknown_changes_nothing() {
        let (beyond, back, unknown) = ([Some(81.0); 4], [Some(64.0); 4], [None; 100]);
        assert_eq!(edges(unknown), []);
        let raised = beyond.into_iter().chain(unknown);
        assert_eq!(edges(raised.clone()), [Edge::Raised], "it clears nothing");
        assert_eq!(edges(raised.chain(back)), [Edge::Raised, Edge::Cleared]);
        // Each round is two looks, 10 s apart, and a hole.
        let rounds = [Some(81.0), Some(81.0)].into_iter().chain(unknown).cycle();
        assert_eq!(edges(rounds.clone().take(205)), [], "no hole counts as time seen");
        assert_eq!(edges(rounds.take(206)), [Edge::Raised], "and none takes from it");
    }

    #[test]
    fn a_threshold_that_is_off_is_never_passed() {
        for limits in [Limits::above(100.0, 20.0), Limits::below(0.0, 20.0)] {
            for value in [0.0, 50.0, 100.0] {
                assert_eq!(limits.side(value), Side::Within);
            }
        }
    }

    #[test]
    fn every_threshold_can_be_cleared_again() {
        for tenth in 0..=1_000 {
            let percent = f64::from(tenth) / 10.0;
            for margin in [0.0, 20.0, 90.0] {
                assert_eq!(
                    Limits::above(percent, margin).side(0.0),
                    Side::Within,
                    "{percent}"
                );
                assert_eq!(
                    Limits::below(percent, margin).side(100.0),
                    Side::Within,
                    "{percent}"
                );
            }
        }
    }
}
