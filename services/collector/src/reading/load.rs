//! Load averages over one, five and fifteen minutes.
//!
//! Source: `/proc/loadavg`, proc_loadavg(5).

use super::{Found, Gauge, Value};
use crate::{Root, Unreadable};
use snooze_schemas::sample::{Unit, name};

const FILE: &str = "proc/loadavg";
const NAMES: [&str; 3] = [name::LOAD_1M, name::LOAD_5M, name::LOAD_15M];

#[derive(Debug, Default)]
pub(super) struct Load {
    buffer: Vec<u8>,
}

impl Gauge for Load {
    fn names(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn look(&mut self, root: &Root, _monotonic_ms: u64) -> Found {
        let names = NAMES;
        let buffer = &mut self.buffer;
        match root.text(FILE, buffer) {
            Ok(text) => (0..)
                .zip(names)
                .map(|(index, name)| (name, parse(text, index)))
                .collect(),
            // Each name gets the reason; asking again is the simplest way to have it three times.
            Err(_) => names
                .map(|name| (name, root.text(FILE, buffer).and_then(|text| parse(text, 0))))
                .into(),
        }
    }
}

fn parse(text: &str, index: usize) -> Result<Value, Unreadable> {
    text.split_ascii_whitespace()
        .nth(index)
        .and_then(|word| word.parse::<f64>().ok())
        .filter(|load| load.is_finite() && *load >= 0.0)
        .map(|load| Value::new(load, Unit::Count))
        .ok_or_else(|| Unreadable::malformed(FILE, "a load is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_loads_stand_in_a_row() {
        let text = "0.25 1.50 12.00 2/345 6789\n";
        assert_eq!(
            [0, 1, 2].map(|index| parse(text, index).expect("known").value),
            [0.25, 1.5, 12.0]
        );
    }

    #[test]
    fn what_is_missing_is_unknown() {
        for text in ["", "-1 2 3", "inf", "NaN", "x"] {
            assert!(parse(text, 0).is_err(), "{text}");
        }
        assert!(parse("0.1 0.2", 2).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", index in 0usize..3) {
            if let Ok(load) = parse(&text, index) {
                prop_assert!(load.value >= 0.0);
            }
        }
    }
}
