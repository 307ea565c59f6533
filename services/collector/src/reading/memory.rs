//! Memory: what is not available to new programs, percent.
//!
//! Source: `MemTotal` and `MemAvailable` of `/proc/meminfo`, proc_meminfo(5). Caches that the kernel
//! would give back are available. Kernels before 3.14 do not say; there it is unknown.

use super::{Found, Gauge, Value};
use crate::{Root, Unreadable};
use snooze_schemas::sample::{Unit, name};

const FILE: &str = "proc/meminfo";

#[derive(Debug, Default)]
pub(super) struct Memory {
    buffer: Vec<u8>,
}

impl Gauge for Memory {
    fn names(&self) -> &'static [&'static str] {
        &[name::MEMORY_PERCENT]
    }

    fn look(&mut self, root: &Root, _monotonic_ms: u64) -> Found {
        let percent = root.text(FILE, &mut self.buffer).and_then(parse);
        vec![(
            name::MEMORY_PERCENT,
            percent.map(|value| Value::new(value, Unit::Percent)),
        )]
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage needs no more than 52 bits"
)]
fn parse(text: &str) -> Result<f64, Unreadable> {
    let malformed = |problem| Unreadable::malformed(FILE, problem);
    let (mut total, mut available) = (None, None);
    for line in text.lines() {
        let slot = match line.split_once(':') {
            Some(("MemTotal", _)) => &mut total,
            Some(("MemAvailable", _)) => &mut available,
            _ => continue,
        };
        let number = line
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|word| word.parse::<u64>().ok());
        *slot = Some(number.ok_or_else(|| malformed("an amount is not a number"))?);
        if total.is_some() && available.is_some() {
            break;
        }
    }
    let total = total
        .filter(|total| *total > 0)
        .ok_or_else(|| malformed("it does not say how much there is"))?;
    let available = available.ok_or_else(|| malformed("it does not say how much is available"))?;
    let used = total
        .checked_sub(available)
        .ok_or_else(|| malformed("more available than there is"))?;
    Ok(100.0 * used as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn caches_that_would_be_given_back_are_available() {
        let text = "MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:  800 kB\nCached: 700 kB\n";
        assert_eq!(parse(text).expect("known"), 20.0);
    }

    #[test]
    fn what_it_does_not_say_is_unknown_and_not_zero() {
        for text in [
            "",
            "MemTotal: 1000 kB\nMemFree: 100 kB\n",
            "MemAvailable: 100 kB\n",
            "MemTotal: 0 kB\nMemAvailable: 0 kB\n",
            "MemTotal: 10 kB\nMemAvailable: 11 kB\n",
            "MemTotal: x kB\nMemAvailable: 11 kB\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(MemTotal|MemAvailable|x|:| |[0-9]{0,25}|\n|.){0,40}") {
            if let Ok(percent) = parse(&text) {
                prop_assert!((0.0..=100.0).contains(&percent));
            }
        }
    }
}
