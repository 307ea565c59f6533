//! Load averages over one, five and fifteen minutes.
//!
//! Source: `/proc/loadavg`, proc_loadavg(5). A kernel that has no tasks, or has started none, does not
//! measure its load: gVisor's file is always `0.00 0.00 0.00 0/0 0`.

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
        let buffer = &mut self.buffer;
        match root.text(FILE, buffer).and_then(parse) {
            Ok(loads) => NAMES
                .into_iter()
                .zip(loads)
                .map(|(name, load)| (name, Ok(Value::new(load, Unit::Count))))
                .collect(),
            // Each name gets the reason; asking again is the simplest way to have it three times.
            Err(_) => NAMES
                .map(|name| {
                    let load = root.text(FILE, buffer).and_then(parse);
                    (name, load.map(|loads| Value::new(loads[0], Unit::Count)))
                })
                .into(),
        }
    }
}

fn parse(text: &str) -> Result<[f64; 3], Unreadable> {
    let malformed = |problem| Unreadable::malformed(FILE, problem);
    let mut words = text.split_ascii_whitespace();
    let mut loads = [0.0; 3];
    for load in &mut loads {
        *load = words
            .next()
            .and_then(|word| word.parse::<f64>().ok())
            .filter(|load| load.is_finite() && *load >= 0.0)
            .ok_or_else(|| malformed("a load is not a number"))?;
    }
    let is_some = |word: Option<&str>| {
        word.and_then(|word| word.parse::<u64>().ok())
            .is_some_and(|number| number > 0)
    };
    let tasks = words.next().and_then(|word| word.split_once('/'));
    if is_some(tasks.map(|(_, all)| all)) && is_some(words.next()) {
        Ok(loads)
    } else {
        Err(malformed("it counts no tasks, so nothing measures the load"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_loads_stand_in_a_row() {
        let text = "0.25 1.50 12.00 2/345 6789\n";
        assert_eq!(parse(text).expect("known"), [0.25, 1.5, 12.0]);
    }

    #[test]
    fn what_is_missing_is_unknown() {
        for text in ["", "-1 2 3 1/2 3", "inf", "NaN", "x", "0.1 0.2", "0.1 0.2 0.3"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_kernel_that_counts_no_tasks_measures_no_load() {
        for text in [
            "0.00 0.00 0.00 0/0 0\n",
            "0.00 0.00 0.00 0/0 7\n",
            "0.00 0.00 0.00 1/9 0\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([0-9.]{0,9}| |/|.){0,60}") {
            if let Ok(loads) = parse(&text) {
                prop_assert!(loads.iter().all(|load| *load >= 0.0));
            }
        }
    }
}
