//! Disks: bytes read and written by whole disks, KiB a second.
//!
//! Source: `/proc/diskstats`, Documentation/admin-guide/iostats.rst; sectors there are 512 bytes whatever
//! the disk's own are. Partitions are not in `/sys/block` and are left out; so are disks made of others
//! or of memory (loop, ram, zram, device mapper, md, network block devices), which lie in
//! `/sys/devices/virtual`: their traffic counts once, at the disk below. NVMe disks with several paths lie
//! there too and are real; their paths (`nvme0c1n1`) are not counted besides.

use super::{
    Found, Gauge, Value,
    between::Between,
    devices::{Chosen, Device, kib_per_second},
};
use crate::{Root, Unreadable};
use snooze_schemas::sample::{Unit, name};

const FILE: &str = "proc/diskstats";

/// Unit of the kernel's counters.
const SECTOR: u64 = 512;

#[derive(Debug, Default)]
pub(super) struct Disk {
    last: Between<Vec<Device>>,
    chosen: Chosen,
    buffer: Vec<u8>,
}

impl Gauge for Disk {
    fn names(&self) -> &'static [&'static str] {
        &[name::DISK_IO_KBPS]
    }

    fn look(&mut self, root: &Root, monotonic_ms: u64) -> Found {
        let chosen = &mut self.chosen;
        let now = root.text(FILE, &mut self.buffer).and_then(|text| {
            let disks = parse(text, |index, name| {
                chosen.counts(index, name, || is_whole_disk(root, name))
            })?;
            chosen.keep(text.lines().count());
            Ok(disks)
        });
        let rate = self.last.step(monotonic_ms, now, |before, now, seconds| {
            kib_per_second(before, now, seconds)
        });
        vec![(
            name::DISK_IO_KBPS,
            rate.map(|value| Value::new(value, Unit::KibPerSecond)),
        )]
    }
}

fn parse(
    text: &str,
    mut counts: impl FnMut(usize, &str) -> Result<bool, Unreadable>,
) -> Result<Vec<Device>, Unreadable> {
    let malformed = |problem| Unreadable::malformed(FILE, problem);
    let mut disks = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        let name = words.nth(2).ok_or_else(|| malformed("a line without a disk"))?;
        if !counts(index, name)? {
            continue;
        }
        let mut sectors = |skip| words.nth(skip).and_then(|word| word.parse::<u64>().ok());
        // After the name: reads, merged, sectors read, ms; writes, merged, sectors written, …
        let (read, written) = sectors(2)
            .zip(sectors(3))
            .ok_or_else(|| malformed("a counter is not a number"))?;
        let bytes = [read.saturating_mul(SECTOR), written.saturating_mul(SECTOR)];
        disks.push(Device {
            name: name.to_owned(),
            bytes,
        });
    }
    if disks.is_empty() {
        return Err(Unreadable::Nothing { what: "whole disk" });
    }
    Ok(disks)
}

fn is_whole_disk(root: &Root, name: &str) -> Result<bool, Unreadable> {
    if is_nvme_path(name) {
        return Ok(false);
    }
    // `/` cannot be in a file's name; the kernel writes `!` instead, as in `cciss!c0d0`.
    match root.link(&format!("sys/block/{}", name.replace('/', "!"))) {
        Ok(place) => Ok(!place.contains("/virtual/") || place.contains("/virtual/nvme-subsystem/")),
        Err(error) if error.is_absent() && root.exists("sys/block") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether this is one path to an NVMe disk, as `nvme0c1n1`.
fn is_nvme_path(name: &str) -> bool {
    name.strip_prefix("nvme").is_some_and(|rest| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.starts_with('c')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sectors_are_the_third_and_seventh_number_after_the_name() {
        let text = " 259 0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11\n 259 1 nvme0n1p1 9 9 9 9 9 9 9 9 9 9 9\n";
        let disks = parse(text, |_, name| Ok(name == "nvme0n1")).expect("known");
        assert_eq!(
            disks,
            [Device {
                name: "nvme0n1".to_owned(),
                bytes: [3 * 512, 7 * 512]
            }]
        );
    }

    #[test]
    fn one_path_of_a_disk_is_not_a_disk() {
        assert!(is_nvme_path("nvme0c1n1"));
        assert!(!is_nvme_path("nvme0n1"));
        assert!(!is_nvme_path("sdc1"));
    }

    #[test]
    fn without_a_disk_it_is_unknown_and_not_zero() {
        assert!(matches!(
            parse("", |_, _| Ok(true)),
            Err(Unreadable::Nothing { .. })
        ));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(sda| |[0-9]{0,25}|\n|.){0,60}") {
            let result = parse(&text, |_, _| Ok(true));
            prop_assert!(result.is_err() || !text.is_empty());
        }
    }
}
