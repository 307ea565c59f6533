//! Pressure: the share of the last ten seconds in which something waited for CPU, memory or IO, percent.
//!
//! Source: `/proc/pressure/*`, Documentation/accounting/psi.rst. `some` is the time in which at least one task
//! waited, `full` that in which all that had work did. The averages are read at every look. Triggers, which the
//! kernel would wake us by, are not used: without CAP_SYS_RESOURCE their windows are multiples of two seconds
//! and older kernels refuse them, and every one keeps a timer of the kernel running, for a condition that has to
//! hold for longer than any window anyway. A kernel without PSI makes these readings unknown.

use super::unreadable::Unreadable;

pub(super) const CPU: &str = "/proc/pressure/cpu";
pub(super) const MEMORY: &str = "/proc/pressure/memory";
pub(super) const IO: &str = "/proc/pressure/io";

/// The shares of the last ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pressure {
    /// Something waited, percent.
    pub(super) some: f64,
    /// All that had work waited, percent; kernels before 5.13 do not say it of the CPU.
    pub(super) full: Option<f64>,
}

/// Reads a file's text.
pub(super) fn parse(file: &str, text: &str) -> Result<Pressure, Unreadable> {
    let malformed = || Unreadable::malformed(file, "no share of ten seconds");
    let mut lines = text.lines();
    let some = share(lines.next(), "some").ok_or_else(malformed)?;
    let full = match lines.next() {
        None => None,
        line => Some(share(line, "full").ok_or_else(malformed)?),
    };
    Ok(Pressure { some, full })
}

fn share(line: Option<&str>, kind: &str) -> Option<f64> {
    let mut words = line?.split(' ');
    if words.next() != Some(kind) {
        return None;
    }
    let mut number = |name| words.next()?.strip_prefix(name)?.strip_prefix('=');
    let avg10 = number("avg10")?.parse::<f64>().ok()?;
    // The rest is looked at so that a line that was cut off is not taken for a whole one.
    for name in ["avg60", "avg300"] {
        number(name)?.parse::<f64>().ok()?;
    }
    number("total")?.parse::<u64>().ok()?;
    (0.0..=100.0).contains(&avg10).then_some(avg10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_share_of_the_last_ten_seconds() {
        let some = "some avg10=2.20 avg60=4.20 avg300=1.60 total=30438211\n";
        let text = format!("{some}full avg10=1.00 avg60=0.00 avg300=0.00 total=0\n");
        let both = Pressure {
            some: 2.2,
            full: Some(1.0),
        };
        assert_eq!(parse(MEMORY, &text).expect("known"), both);
        assert_eq!(parse(CPU, some).expect("known").full, None);
    }

    #[test]
    fn what_is_no_share_is_unknown() {
        for text in [
            "",
            "some",
            "some avg10=1.00",
            "some avg10=1.00 avg60=0 avg300=0",
            "some avg10=1.00 avg60=0 avg300=0 total=",
            "some avg10=NaN avg60=0 avg300=0 total=0",
            "some avg10=-1 avg60=0 avg300=0 total=0",
            "some avg10=101 avg60=0 avg300=0 total=0",
            "full avg10=1 avg60=0 avg300=0 total=0",
            "some avg10=1 avg60=0 avg300=0 total=0\nfull avg10=",
        ] {
            assert!(parse(IO, text).is_err(), "{text}");
        }
    }
}
