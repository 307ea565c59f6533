//! CPU: time used between two looks, percent of all cores.
//!
//! Source: the first line of `/proc/stat`, proc_stat(5). Guest time is in user time already. Time stolen by the
//! hypervisor counts as used: the machine had work for it. Waiting for a disk does not.

use super::unreadable::Unreadable;

pub(super) const FILE: &str = "/proc/stat";

/// The times of all cores together, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticks {
    used: u64,
    unused: u64,
}

/// Reads the file's text.
pub(super) fn parse(text: &str) -> Result<Ticks, Unreadable> {
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
    let sum = |times: &[u64]| times.iter().try_fold(0u64, |sum, time| sum.checked_add(*time));
    sum(&[user, nice, system, irq, softirq, steal])
        .zip(sum(&[idle, iowait]))
        .map(|(used, unused)| Ticks { used, unused })
        .ok_or_else(|| malformed("impossibly large times"))
}

/// What was used between two looks; nothing where no time has passed or a counter went back.
#[expect(
    clippy::cast_precision_loss,
    reason = "ticks of one interval are far below 2^52"
)]
pub(super) fn percent(before: &Ticks, now: &Ticks) -> Option<f64> {
    let used = now.used.checked_sub(before.used)?;
    let all = now.unused.checked_sub(before.unused)?.checked_add(used)?;
    (all > 0).then(|| 100.0 * used as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(before: &str, now: &str) -> Option<f64> {
        percent(&parse(before).expect("known"), &parse(now).expect("known"))
    }

    #[test]
    fn stolen_time_is_used_and_a_guests_is_not_counted_twice() {
        let now = "cpu  100 0 0 200 0 0 0 100 100 0\n";
        assert_eq!(between("cpu  0 0 0 0 0 0 0 0 0 0\n", now), Some(50.0));
    }

    #[test]
    fn without_time_or_with_a_counter_that_went_back_it_is_unknown() {
        let line = "cpu  100 0 0 100 0 0 0 0\n";
        assert_eq!(between(line, line), None);
        assert_eq!(between(line, "cpu  99 0 0 200 0 0 0 0\n"), None);
        assert_eq!(between(line, "cpu  200 0 0 99 0 0 0 0\n"), None);
    }

    #[test]
    fn what_is_not_four_times_is_unknown() {
        for text in [
            "",
            "cpu \n",
            "cpu  1 2 3\n",
            "cpu  a b c d\n",
            "cpu0 1 2 3 4\n",
            "cpu  1 -2 3 4\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
