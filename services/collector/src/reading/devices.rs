//! Byte counters of several devices: how much passed all of them between two looks.
//!
//! A device that came or went, or that counts backwards, makes the interval unknown, never huge and never
//! less: what a new one has counted may be its history, and may be this interval's.

use super::between::moved;
use crate::Unreadable;

/// A device with its two byte counters: received and sent, or read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) bytes: [u64; 2],
}

/// KiB a second through all devices together.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of one interval are far below 2^52"
)]
pub(super) fn kib_per_second(before: &[Device], now: &[Device], seconds: f64) -> Result<f64, Unreadable> {
    const WAYS: [&str; 2] = ["in", "out"];
    let mut bytes = 0u64;
    for (index, was) in before.iter().enumerate() {
        // The kernel lists devices in the same order each time, so this hits at once.
        let is = now
            .get(index)
            .filter(|is| is.name == was.name)
            .or_else(|| now.iter().find(|is| is.name == was.name))
            .ok_or_else(|| Unreadable::Vanished {
                device: was.name.clone(),
            })?;
        for ((before, now), way) in was.bytes.iter().zip(&is.bytes).zip(WAYS) {
            bytes = bytes.saturating_add(moved(*before, *now, || format!("{} {way}", was.name))?);
        }
    }
    let is_new = |is: &&Device| !before.iter().any(|was| was.name == is.name);
    if now.len() > before.len()
        && let Some(new) = now.iter().find(is_new)
    {
        return Err(Unreadable::Appeared {
            device: new.name.clone(),
        });
    }
    Ok(bytes as f64 / 1024.0 / seconds)
}

/// Which names are counted, remembered as long as the same names are there.
///
/// Asking `/sys` about each device costs more than reading all counters; what a device is made of
/// does not change while it has its name.
#[derive(Debug, Default)]
pub(super) struct Chosen(Vec<(String, bool)>);

impl Chosen {
    /// Whether this name, the next in the kernel's list, is counted.
    pub(super) fn counts(
        &mut self,
        index: usize,
        name: &str,
        ask: impl FnOnce() -> Result<bool, Unreadable>,
    ) -> Result<bool, Unreadable> {
        if let Some((known, counts)) = self.0.get(index) {
            if known == name {
                return Ok(*counts);
            }
            // The list has changed: everything from here on is asked about again.
            self.0.truncate(index);
        }
        let counts = ask()?;
        self.0.push((name.to_owned(), counts));
        Ok(counts)
    }

    /// Forgets what is not in the kernel's list any more.
    pub(super) fn keep(&mut self, count: usize) {
        self.0.truncate(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, r#in: u64, out: u64) -> Device {
        Device {
            name: name.to_owned(),
            bytes: [r#in, out],
        }
    }

    #[test]
    fn both_ways_of_all_devices_count() {
        let before = [device("a", 0, 0), device("b", 1024, 0)];
        let now = [device("b", 2048, 1024), device("a", 1024, 1024)];
        assert_eq!(kib_per_second(&before, &now, 2.0).expect("known"), 2.0);
    }

    #[test]
    fn a_device_that_appeared_makes_the_interval_unknown() {
        let before = [device("a", 0, 0)];
        let now = [device("a", 0, 0), device("b", 1 << 40, 1 << 40)];
        assert!(
            matches!(kib_per_second(&before, &now, 1.0), Err(Unreadable::Appeared { device }) if device == "b")
        );
        assert_eq!(kib_per_second(&now, &now, 1.0).expect("known"), 0.0);
    }

    #[test]
    fn a_device_that_vanished_makes_the_interval_unknown() {
        let before = [device("a", 0, 0), device("b", 5, 5)];
        let now = [device("a", 0, 0)];
        assert!(
            matches!(kib_per_second(&before, &now, 1.0), Err(Unreadable::Vanished { device }) if device == "b")
        );
    }

    #[test]
    fn a_counter_that_goes_backwards_is_unknown_not_huge() {
        let before = [device("a", 10, 10)];
        for now in [[device("a", 9, 20)], [device("a", 20, 9)]] {
            assert!(matches!(
                kib_per_second(&before, &now, 1.0),
                Err(Unreadable::Backwards { .. })
            ));
        }
    }

    #[test]
    fn a_name_is_asked_about_once_as_long_as_the_list_stays() {
        let mut chosen = Chosen::default();
        let mut asked = Vec::new();
        for names in [
            vec!["a", "b"],
            vec!["a", "b"],
            vec!["a", "c", "b"],
            vec!["a"],
            vec!["a", "b"],
        ] {
            for (index, name) in names.iter().enumerate() {
                let counts = chosen.counts(index, name, || {
                    asked.push(*name);
                    Ok(true)
                });
                assert!(counts.expect("answers"));
            }
            chosen.keep(names.len());
        }
        assert_eq!(asked, ["a", "b", "c", "b", "b"]);
    }
}
