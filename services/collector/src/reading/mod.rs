//! The registry of readings that the kernel answers at once; one file per reading.
//!
//! Everything here reads `/proc` and `/sys` below an injected root. On a plain kernel nothing of that can
//! wait, but a container's `/proc/stat` and its like may be files of LXCFS, a program that can hang. So all
//! of them share one [lane](crate::lane), where each other kind of reading has one of its own. Why not
//! `sysinfo`: it cannot be pointed at another root, it turns what it cannot read into zeros or leaves the old
//! value, it counts virtual interfaces and its CPU figure runs from its own last refresh. The tests
//! use it as a second opinion instead.

mod between;
mod cpu;
mod devices;
mod disk;
mod load;
mod memory;
mod network;
mod pressure;

use crate::{Root, Unreadable, took::Stopwatch};
use snooze_schemas::sample::{Reading, Unit};
use std::{collections::BTreeMap, fmt::Debug};

/// A value with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Value {
    pub(crate) value: f64,
    pub(crate) unit: Unit,
}

impl Value {
    pub(crate) fn new(value: f64, unit: Unit) -> Value {
        Value { value, unit }
    }
}

/// What one look found: each name that the reader answers for, known or not.
pub(crate) type Found = Vec<(&'static str, Result<Value, Unreadable>)>;

/// One reader of the registry.
pub(crate) trait Gauge: Debug + Send {
    /// What it answers for.
    fn names(&self) -> &'static [&'static str];

    /// Looks once, at this time of the monotonic clock.
    fn look(&mut self, root: &Root, monotonic_ms: u64) -> Found;
}

/// All readers that answer at once, with what they remember of their last look.
#[derive(Debug)]
pub struct Gauges(Vec<Box<dyn Gauge>>);

impl Gauges {
    /// All of them, without a memory: their first look only counts for the next one.
    #[must_use]
    pub fn new() -> Gauges {
        Gauges(vec![
            Box::new(cpu::Cpu::default()),
            Box::new(memory::Memory::default()),
            Box::new(network::Network::default()),
            Box::new(disk::Disk::default()),
            Box::new(load::Load::default()),
            Box::new(pressure::Pressure::default()),
        ])
    }

    #[cfg(test)]
    pub(crate) fn of(gauges: Vec<Box<dyn Gauge>>) -> Gauges {
        Gauges(gauges)
    }

    /// What is known of everything that they answer for when they did not answer in time.
    pub(crate) fn unknown(&self, why: &Unreadable, took_ms: u64) -> BTreeMap<String, Reading> {
        let unknown = why.reason();
        let names = self.0.iter().flat_map(|gauge| gauge.names());
        names
            .map(|name| {
                let unknown = unknown.clone();
                ((*name).to_owned(), Reading::Unknown { unknown, took_ms })
            })
            .collect()
    }

    /// Looks at everything once.
    pub fn look(&mut self, root: &Root, monotonic_ms: u64) -> BTreeMap<String, Reading> {
        let mut readings = BTreeMap::new();
        for gauge in &mut self.0 {
            let watch = Stopwatch::start();
            let found = gauge.look(root, monotonic_ms);
            let took_ms = watch.took_ms();
            readings.extend(
                found
                    .into_iter()
                    .map(|(name, result)| (name.to_owned(), reading(result, took_ms))),
            );
        }
        readings
    }
}

impl Default for Gauges {
    fn default() -> Gauges {
        Gauges::new()
    }
}

/// A result as it goes into the sample. What is not a number is unknown.
pub(crate) fn reading(result: Result<Value, Unreadable>, took_ms: u64) -> Reading {
    match result {
        Ok(Value { value, unit }) if value.is_finite() => Reading::Known { value, unit, took_ms },
        Ok(Value { value, .. }) => Reading::Unknown {
            unknown: format!("{value} is no number"),
            took_ms,
        },
        Err(error) => Reading::Unknown {
            unknown: error.reason(),
            took_ms,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gauges_answer_for_is_what_they_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Root::open(folder.path()).expect("opens");
        let mut gauges = Gauges::new();
        let found = gauges.look(&root, 0);
        let unknown = gauges.unknown(&Unreadable::FirstLook, 1);
        assert!(found.keys().eq(unknown.keys()), "{found:?} {unknown:?}");
    }

    #[test]
    fn what_is_not_a_number_is_unknown() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(reading(Ok(Value::new(value, Unit::Count)), 1).value(), None);
        }
    }
}
