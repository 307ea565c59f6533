//! CPU: time used between two looks, percent of all cores. Waiting for a disk is none of it: the disk reading sees that.

use super::{Found, Gauge, Value, between::Between};
use crate::{Root, Unreadable};
use snooze_schemas::sample::{Unit, name};
use snooze_service_runtime::cpu_time::{Ticks, UnknownTime};

const FILE: &str = "proc/stat";

#[derive(Debug, Default)]
pub(super) struct Cpu {
    last: Between<Ticks>,
    buffer: Vec<u8>,
}

impl Gauge for Cpu {
    fn names(&self) -> &'static [&'static str] {
        &[name::CPU_PERCENT]
    }

    fn look(&mut self, root: &Root, monotonic_ms: u64) -> Found {
        let now = root.text(FILE, &mut self.buffer);
        let now = now.and_then(|text| {
            Ticks::parse(text).map_err(|malformed| Unreadable::malformed(FILE, malformed.0))
        });
        let percent = self.last.step(monotonic_ms, now, |before, now, _| {
            now.percent_since(before).map_err(unknown)
        });
        vec![(
            name::CPU_PERCENT,
            percent.map(|value| Value::new(value, Unit::Percent)),
        )]
    }
}

fn unknown(error: UnknownTime) -> Unreadable {
    match error {
        UnknownTime::Backwards(counter) => Unreadable::Backwards {
            counter: format!("cpu {counter}"),
        },
        UnknownTime::NoTimePassed => Unreadable::NoTimePassed,
    }
}
