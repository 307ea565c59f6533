//! CPU: time used between two looks, percent of all cores.
//!
//! Source: the first line of `/proc/stat`, proc_stat(5). Guest time is in user time already and is
//! not counted twice. Time stolen by the hypervisor counts as used: the machine had work for it.
//! Waiting for a disk does not: the disk reading sees it.

use super::{
    Found, Gauge, Value,
    between::{Between, moved},
};
use crate::{Root, Unreadable};
use snooze_schemas::sample::{Unit, name};

const FILE: &str = "proc/stat";

/// The times of all cores together, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    /// user, nice, system, irq, softirq, steal.
    used: [u64; 6],
    /// idle and iowait. The latter alone may go backwards, says proc_stat(5); the sum hardly ever.
    unused: u64,
}

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
        let now = root.text(FILE, &mut self.buffer).and_then(parse);
        let percent = self
            .last
            .step(monotonic_ms, now, |before, now, _| percent(before, now));
        vec![(
            name::CPU_PERCENT,
            percent.map(|value| Value::new(value, Unit::Percent)),
        )]
    }
}

fn parse(text: &str) -> Result<Ticks, Unreadable> {
    let malformed = |problem| Unreadable::malformed(FILE, problem);
    let line = text.lines().next().and_then(|line| line.strip_prefix("cpu "));
    let line = line.ok_or_else(|| malformed("the first line is not that of all cores"))?;
    let mut ticks = [0u64; 8];
    let mut count = 0;
    for (slot, word) in ticks.iter_mut().zip(line.split_ascii_whitespace()) {
        *slot = word.parse().map_err(|_| malformed("a time is not a number"))?;
        count += 1;
    }
    if count < 4 {
        return Err(malformed("fewer than four times"));
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] = ticks;
    let unused = idle
        .checked_add(iowait)
        .ok_or_else(|| malformed("impossibly large times"))?;
    Ok(Ticks {
        used: [user, nice, system, irq, softirq, steal],
        unused,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "ticks of one interval are far below 2^52"
)]
fn percent(before: &Ticks, now: &Ticks) -> Result<f64, Unreadable> {
    const NAMES: [&str; 6] = ["user", "nice", "system", "irq", "softirq", "steal"];
    let mut used = 0u64;
    for ((before, now), name) in before.used.iter().zip(&now.used).zip(NAMES) {
        used = used.saturating_add(moved(*before, *now, || format!("cpu {name}"))?);
    }
    let unused = moved(before.unused, now.unused, || "cpu idle".to_owned())?;
    match used.saturating_add(unused) {
        0 => Err(Unreadable::NoTimePassed),
        all => Ok(100.0 * used as f64 / all as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn between(before: &str, now: &str) -> Result<f64, Unreadable> {
        percent(&parse(before)?, &parse(now)?)
    }

    #[test]
    fn guest_time_is_not_counted_twice() {
        // 100 ticks of user time, all of them as a guest's; 100 idle.
        let percent = between("cpu  0 0 0 0 0 0 0 0 0 0\n", "cpu  100 0 0 100 0 0 0 0 100 0\n");
        assert_eq!(percent.expect("known"), 50.0);
    }

    #[test]
    fn stolen_time_is_used_and_waiting_for_a_disk_is_not() {
        assert_eq!(
            between("cpu  0 0 0 0 0 0 0 0\n", "cpu  0 0 0 50 25 0 0 25\n").expect("known"),
            25.0
        );
    }

    #[test]
    fn waiting_that_goes_backwards_alone_is_the_kernels_way() {
        assert_eq!(
            between("cpu  0 0 0 100 10 0 0 0\n", "cpu  5 0 0 105 5 0 0 0\n").expect("known"),
            100.0
        );
    }

    #[test]
    fn a_counter_that_goes_backwards_is_unknown() {
        for now in ["cpu  99 0 0 200 0 0 0 0\n", "cpu  100 0 0 99 0 0 0 0\n"] {
            assert!(
                matches!(
                    between("cpu  100 0 0 100 0 0 0 0\n", now),
                    Err(Unreadable::Backwards { .. })
                ),
                "{now}"
            );
        }
    }

    #[test]
    fn without_a_tick_it_is_unknown_and_not_zero() {
        let line = "cpu  1 2 3 4 5 6 7 8 9 10\n";
        assert!(matches!(between(line, line), Err(Unreadable::NoTimePassed)));
    }

    #[test]
    fn garbage_is_unknown() {
        for text in [
            "",
            "cpu",
            "cpu \n",
            "cpu  1 2 3\n",
            "cpu  a b c d\n",
            "cpu0 1 2 3 4\n",
            "cpu  1 2 3 99999999999999999999\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(before in ".{0,80}", now in ".{0,80}", numbers in prop::collection::vec(any::<u64>(), 0..12)) {
            let line = numbers.iter().fold("cpu ".to_owned(), |line, number| format!("{line} {number}"));
            for (one, two) in [(&before, &now), (&line, &now), (&line, &line)] {
                if let (Ok(one), Ok(two)) = (parse(one), parse(two))
                    && let Ok(percent) = percent(&one, &two) {
                    prop_assert!((0.0..=100.0).contains(&percent));
                }
            }
        }
    }
}
