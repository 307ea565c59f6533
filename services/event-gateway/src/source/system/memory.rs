//! Memory: what is available to new programs, percent.
//!
//! Source: `MemTotal` and `MemAvailable` of `/proc/meminfo`, proc_meminfo(5). Caches that the kernel would give
//! back are available. Kernels before 3.14 do not say; there it is unknown.

use super::unreadable::Unreadable;

pub(super) const FILE: &str = "/proc/meminfo";

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Of all, KiB.
    pub(super) total_kib: u64,
    /// Of it available, KiB.
    pub(super) available_kib: u64,
}

impl Memory {
    /// What is available, percent.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage needs no more than 52 bits"
    )]
    pub(super) fn available_percent(&self) -> f64 {
        100.0 * self.available_kib as f64 / self.total_kib as f64
    }
}

/// Reads the file's text.
pub(super) fn parse(text: &str) -> Result<Memory, Unreadable> {
    let malformed = |problem| Unreadable::malformed(FILE, problem);
    let amount = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let amount = lines.next()?.strip_suffix(" kB")?.trim().parse::<u64>();
        amount.ok()
    };
    let (total_kib, available_kib) = amount("MemTotal:")
        .zip(amount("MemAvailable:"))
        .ok_or_else(|| malformed("it does not say how much there is, or is available"))?;
    if total_kib == 0 || available_kib > total_kib {
        return Err(malformed("more available than there is"));
    }
    Ok(Memory {
        total_kib,
        available_kib,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_that_would_be_given_back_are_available() {
        let text = "MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:  800 kB\nCached: 700 kB\n";
        assert_eq!(parse(text).expect("known").available_percent(), 80.0);
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
            "MemTotal: 10 kB\nMemAvailable: 1\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
