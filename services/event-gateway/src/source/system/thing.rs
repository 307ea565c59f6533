//! The things that are watched, each with its parts and their thresholds.
//!
//! One thing may have several parts: memory is short when too little is available or when too much waits for it,
//! and that is one happening, raised with the first and cleared with the last. Each disk is two things, space and
//! inodes, since what helps against one does not help against the other.

use super::{
    Thresholds,
    edge::{Detector, Edge, Limits, Side},
};
use crate::happening::State;

pub(super) const CPU: &str = "cpu";
pub(super) const MEMORY: &str = "memory";
pub(super) const NETWORK: &str = "network";
pub(super) const SPACE: &str = "disk_free_percent";
pub(super) const INODES: &str = "inodes_free_percent";

/// What a part of a thing was seen to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen {
    Unknown,
    Value(f64),
    /// What it was measured on is not there any more.
    Gone,
}

impl From<Option<f64>> for Seen {
    fn from(value: Option<f64>) -> Seen {
        value.map_or(Seen::Unknown, Seen::Value)
    }
}

/// One reading with its thresholds.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) reading: &'static str,
    pub(super) limits: Limits,
    pub(super) detector: Detector,
}

/// What is raised and cleared as one.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) event_type: &'static str,
    /// For how long a value has to stay.
    pub(super) for_ms: u64,
    pub(super) parts: Vec<Part>,
}

impl Thing {
    /// The thing of that name; what is none of the host's is a disk's.
    pub(super) fn of(what: &str, set: &Thresholds) -> Thing {
        let margin = set.hysteresis_percent;
        let above = |reading, percent| Part::new(reading, Limits::above(percent, margin));
        let below = |reading, percent| Part::new(reading, Limits::below(percent, margin));
        let (event_type, hold, parts) = match what {
            CPU => (
                "system.cpu.high",
                set.cpu_hold,
                vec![
                    above("cpu_percent", set.cpu_percent),
                    above("cpu_pressure_percent", set.cpu_pressure_percent),
                ],
            ),
            MEMORY => (
                "system.memory.pressure",
                set.hold,
                vec![
                    below("memory_available_percent", set.memory_available_percent),
                    above("memory_pressure_percent", set.memory_pressure_percent),
                    above("memory_stall_percent", set.memory_stall_percent),
                ],
            ),
            NETWORK => (
                "system.network.lost",
                set.hold,
                vec![Part::new(NETWORK, Limits::below(50.0, 0.0))],
            ),
            disk if disk.starts_with(INODES) => (
                "system.disk.low",
                set.hold,
                vec![below(INODES, set.inodes_free_percent)],
            ),
            _ => (
                "system.disk.low",
                set.hold,
                vec![below(SPACE, set.disk_free_percent)],
            ),
        };
        Thing {
            event_type,
            for_ms: u64::try_from(hold.as_millis()).unwrap_or(u64::MAX),
            parts,
        }
    }

    pub(super) fn is_raised(&self) -> bool {
        self.parts.iter().any(|part| part.detector.is_raised())
    }

    /// Where the whole stands now if that changed, and the part that changed it.
    pub(super) fn step(&mut self, seen: &[Seen], now_ms: u64) -> Option<(State, &Part, Seen)> {
        let before = self.is_raised();
        let mut last = None;
        for (index, (part, seen)) in self.parts.iter_mut().zip(seen).enumerate() {
            let side = match seen {
                Seen::Unknown => None,
                Seen::Value(value) => Some(part.limits.side(*value)),
                Seen::Gone => Some(Side::Within),
            };
            let edge = part.detector.step(side, self.for_ms, now_ms);
            let turns = if before { Edge::Cleared } else { Edge::Raised };
            if edge == Some(turns) {
                last = Some((index, *seen));
            }
        }
        let (index, seen) = last.filter(|_| before != self.is_raised())?;
        let state = if before { State::Cleared } else { State::Raised };
        Some((state, &self.parts[index], seen))
    }
}

impl Part {
    fn new(reading: &'static str, limits: Limits) -> Part {
        Part {
            reading,
            limits,
            detector: Detector::default(),
        }
    }
}

/// Which of the two things of which disk this is.
pub(super) fn disk_of(what: &str) -> Option<(&'static str, &str)> {
    [SPACE, INODES].into_iter().find_map(|kind| {
        let point = what.strip_prefix(kind)?.strip_prefix(' ')?;
        Some((kind, point))
    })
}
