//! Time used of all cores between two looks, from the text of `/proc/stat`. It reads no file.
//!
//! Source: the first line of that file, proc_stat(5). Guest time is in user time already and is not counted twice. Time
//! stolen by the hypervisor counts as used: the machine had work for it. Waiting for a disk does not.

/// The names of the counters that count as used, as the page calls them.
const USED: [&str; 6] = ["user", "nice", "system", "irq", "softirq", "steal"];

/// The times of all cores together, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    used: [u64; 6],
    /// idle and iowait. The latter alone may go backwards, says the page; the sum hardly ever.
    unused: u64,
}

/// Why the text is none of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Why the time used between two looks is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownTime {
    /// A counter is lower than it was.
    #[error("the counter cpu {0} went backwards")]
    Backwards(&'static str),
    /// No tick has passed since the last look.
    #[error("no time has passed since the last look")]
    NoTimePassed,
}

impl Ticks {
    /// What the file's text says.
    ///
    /// # Errors
    /// When it is no text of the kernel's.
    pub fn parse(text: &str) -> Result<Ticks, Malformed> {
        let line = text.lines().next().and_then(|line| line.strip_prefix("cpu "));
        let line = line.ok_or(Malformed("the first line is not that of all cores"))?;
        let mut ticks = [0u64; 8];
        let mut count = 0;
        for (slot, word) in ticks.iter_mut().zip(line.split_ascii_whitespace()) {
            *slot = word.parse().map_err(|_| Malformed("a time is not a number"))?;
            count += 1;
        }
        if count < 4 {
            return Err(Malformed("fewer than four times"));
        }
        let [user, nice, system, idle, iowait, irq, softirq, steal] = ticks;
        let unused = idle.checked_add(iowait);
        Ok(Ticks {
            used: [user, nice, system, irq, softirq, steal],
            unused: unused.ok_or(Malformed("impossibly large times"))?,
        })
    }

    /// Percent of all cores that were used since an earlier look.
    ///
    /// # Errors
    /// When a counter went backwards or no time has passed.
    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks of one interval are far below 2^52"
    )]
    pub fn percent_since(&self, before: &Ticks) -> Result<f64, UnknownTime> {
        let moved = |before: u64, now: u64, name| now.checked_sub(before).ok_or(UnknownTime::Backwards(name));
        let mut used = 0u64;
        for ((before, now), name) in before.used.iter().zip(&self.used).zip(USED) {
            used = used.saturating_add(moved(*before, *now, name)?);
        }
        let unused = moved(before.unused, self.unused, "idle")?;
        match used.saturating_add(unused) {
            0 => Err(UnknownTime::NoTimePassed),
            all => Ok(100.0 * used as f64 / all as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    fn between(before: &str, now: &str) -> Result<f64, UnknownTime> {
        let parse = |text| Ticks::parse(text).expect("the kernel's");
        parse(now).percent_since(&parse(before))
    }

    #[test]
    fn guest_time_is_not_counted_twice() {
        // 100 ticks of user time, all of them as a guest's; 100 idle.
        let percent = between("cpu  0 0 0 0 0 0 0 0 0 0\n", "cpu  100 0 0 100 0 0 0 0 100 0\n");
        assert_eq!(percent, Ok(50.0));
    }

    #[test]
    fn stolen_time_is_used_and_waiting_for_a_disk_is_not() {
        assert_eq!(
            between("cpu  0 0 0 0 0 0 0 0\n", "cpu  0 0 0 50 25 0 0 25\n"),
            Ok(25.0)
        );
    }

    #[test]
    fn waiting_that_goes_backwards_alone_is_the_kernels_way() {
        assert_eq!(
            between("cpu  0 0 0 100 10 0 0 0\n", "cpu  5 0 0 105 5 0 0 0\n"),
            Ok(100.0)
        );
    }

    #[test]
    fn a_counter_that_goes_backwards_is_unknown() {
        let before = "cpu  100 0 0 100 0 0 0 0\n";
        for (now, name) in [
            ("cpu  99 0 0 200 0 0 0 0\n", "user"),
            ("cpu  100 0 0 99 0 0 0 0\n", "idle"),
        ] {
            assert_eq!(between(before, now), Err(UnknownTime::Backwards(name)));
        }
    }

    #[test]
    fn without_a_tick_it_is_unknown_and_not_zero() {
        let line = "cpu  1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(between(line, line), Err(UnknownTime::NoTimePassed));
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
            "cpu  1 -2 3 4\n",
            "cpu  1 2 3 99999999999999999999\n",
            "cpu  0 0 0 18446744073709551615 1\n",
        ] {
            assert!(Ticks::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn no_numbers_make_it_panic_or_more_than_all() {
        let mut random = StdRng::seed_from_u64(3);
        let mut known = 0;
        for _ in 0..10_000 {
            let mut line = || {
                let numbers = (0..random.random_range(0..12)).map(|_| match random.random_range(0..3) {
                    0 => random.random_range(0..10),
                    1 => random.random::<u64>() >> 2,
                    _ => random.random::<u64>(),
                });
                let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
                format!("cpu  {}\n", numbers.join(" "))
            };
            let (before, now) = (line(), line());
            if let (Ok(before), Ok(now)) = (Ticks::parse(&before), Ticks::parse(&now))
                && let Ok(percent) = now.percent_since(&before)
            {
                known += 1;
                assert!((0.0..=100.0).contains(&percent), "{percent}");
            }
        }
        assert!(known > 10, "{known}");
    }
}
