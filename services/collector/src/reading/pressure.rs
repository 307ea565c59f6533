//! Pressure: the share of the last ten seconds in which something waited for CPU, memory or IO, percent.
//!
//! Source: the `some` line of `/proc/pressure/*`, Documentation/accounting/psi.rst. A kernel without it
//! (before 4.20, or `psi=0`) makes these readings unknown with that reason.

use super::{Found, Gauge, Value};
use crate::{Root, Unreadable};
use snooze_schemas::sample::{Unit, name};

const FILES: [(&str, &str); 3] = [
    (name::PRESSURE_CPU_PERCENT, "proc/pressure/cpu"),
    (name::PRESSURE_MEMORY_PERCENT, "proc/pressure/memory"),
    (name::PRESSURE_IO_PERCENT, "proc/pressure/io"),
];

#[derive(Debug, Default)]
pub(super) struct Pressure {
    buffer: Vec<u8>,
}

impl Gauge for Pressure {
    fn names(&self) -> &'static [&'static str] {
        &[
            name::PRESSURE_CPU_PERCENT,
            name::PRESSURE_MEMORY_PERCENT,
            name::PRESSURE_IO_PERCENT,
        ]
    }

    fn look(&mut self, root: &Root, _monotonic_ms: u64) -> Found {
        let buffer = &mut self.buffer;
        let mut one = |file| match root.text(file, buffer) {
            Ok(text) => parse(file, text),
            Err(error) if error.is_absent() => Err(Unreadable::Nothing {
                what: "pressure information (PSI)",
            }),
            Err(error) => Err(error),
        };
        FILES.map(|(name, file)| (name, one(file))).into()
    }
}

fn parse(file: &str, text: &str) -> Result<Value, Unreadable> {
    text.lines()
        .find_map(|line| line.strip_prefix("some "))
        .and_then(|line| {
            line.split_ascii_whitespace()
                .find_map(|word| word.strip_prefix("avg10="))
        })
        .and_then(|number| number.parse::<f64>().ok())
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| Value::new(percent, Unit::Percent))
        .ok_or_else(|| Unreadable::malformed(file, "no share of ten seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_the_share_of_ten_seconds_in_which_some_waited() {
        let text = "some avg10=2.20 avg60=4.20 avg300=1.60 total=30438211\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(parse("x", text).expect("known").value, 2.2);
    }

    #[test]
    fn garbage_is_unknown() {
        for text in [
            "",
            "some",
            "some avg10=",
            "some avg10=NaN",
            "some avg10=-1",
            "some avg10=101",
            "full avg10=1.0",
        ] {
            assert!(parse("x", text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(some |avg10=|[0-9.]{0,9}| |\n|.){0,20}") {
            if let Ok(percent) = parse("x", &text) {
                prop_assert!((0.0..=100.0).contains(&percent.value));
            }
        }
    }
}
