//! Disks: which file systems there are, and what is free on them, bytes and inodes.
//!
//! Source: `/proc/self/mountinfo`, proc_pid_mountinfo(5), and statvfs(3). Counted are file systems on a block
//! device of this host that can be written, each once however often it is mounted. So tmpfs, overlays of
//! containers, network and FUSE file systems are left out (they have no device number of their own, and a server
//! that is away would hang whoever asks), and so is what is mounted read-only, as squashfs is. Free is what a
//! program without privileges may still take, as df(1) shows it.

use super::unreadable::Unreadable;
use std::{collections::BTreeMap, io, path::Path};

pub(super) const FILE: &str = "/proc/self/mountinfo";

/// These have no device number of their own either, and are real.
const REAL_WITHOUT_DEVICE: [&str; 3] = ["btrfs", "zfs", "bcachefs"];

/// A file system where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where.
    pub(super) point: String,
    /// What is mounted, as `/dev/nvme0n1p1`.
    pub(super) device: String,
    /// Its kind, as `ext4`.
    pub(super) file_system: String,
}

/// What one file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    /// Bytes in a block.
    pub(super) block: u64,
    /// All blocks.
    pub(super) blocks: u64,
    /// Those that nothing is in.
    pub(super) free: u64,
    /// Those of them that anybody may take.
    pub(super) available: u64,
    /// All inodes; 0 where the file system does not count them.
    pub(super) inodes: u64,
    /// Those of them that anybody may take.
    pub(super) inodes_available: u64,
}

impl Space {
    /// Asks the kernel. It may hang where the device does.
    pub(super) fn of(path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Space {
            block: found.f_frsize,
            blocks: found.f_blocks,
            free: found.f_bfree,
            available: found.f_bavail,
            inodes: found.f_files,
            inodes_available: found.f_favail,
        })
    }

    /// What is free of what programs can use, percent.
    pub(super) fn free_percent(&self) -> Option<f64> {
        let used = self.blocks.checked_sub(self.free)?;
        part(self.available, used.checked_add(self.available)?)
    }

    /// Which of its inodes are free, percent; nothing where it does not count them.
    pub(super) fn inodes_free_percent(&self) -> Option<f64> {
        part(self.inodes_available, self.inodes)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage needs no more than 52 bits"
)]
fn part(of: u64, all: u64) -> Option<f64> {
    (all > 0 && of <= all).then(|| 100.0 * of as f64 / all as f64)
}

/// One line of the file.
struct Line {
    mount: Mount,
    /// What tells one file system from another.
    identity: String,
    /// Whether all of it is mounted there, and not a folder of it.
    is_whole: bool,
}

/// The file systems that count, in the order of where they are mounted. One that is mounted several times is
/// told by its most whole and shortest mount.
///
/// # Errors
/// When any line is not what it should be: a disk that is missing from a list that was cut off is not gone.
pub(super) fn mounts(text: &str) -> Result<Vec<Mount>, Unreadable> {
    let malformed = |problem| Unreadable::malformed(FILE, problem);
    if text.is_empty() {
        return Err(malformed("nothing is mounted"));
    }
    let mut chosen: BTreeMap<String, Line> = BTreeMap::new();
    for line in text.lines() {
        let read = line_of(line).ok_or_else(|| malformed("a line is not that of a mount"))?;
        let Some(line) = read else { continue };
        let rank = |line: &Line| (!line.is_whole, line.mount.point.len(), line.mount.point.clone());
        let known = chosen.get(&line.identity);
        if known.is_none_or(|known| rank(&line) < rank(known)) {
            chosen.insert(line.identity.clone(), line);
        }
    }
    let mut mounts: Vec<Mount> = chosen.into_values().map(|line| line.mount).collect();
    mounts.sort_by(|one, other| one.point.cmp(&other.point));
    // Two on one place: the later one covers the first, and only one is asked there.
    mounts.dedup_by(|later, first| later.point == first.point);
    Ok(mounts)
}

/// A line, if its file system counts; nothing at all if it is none.
#[expect(
    clippy::option_option,
    reason = "a line that does not count is not one that is malformed"
)]
fn line_of(line: &str) -> Option<Option<Line>> {
    // 36 35 98:0 /folder /mnt rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
    let (mount, super_block) = line.split_once(" - ")?;
    let mut words = mount.split(' ');
    let (_id, _parent) = (number(words.next()?)?, number(words.next()?)?);
    let (major, minor) = words.next()?.split_once(':')?;
    let (major, minor) = (number(major)?, number(minor)?);
    let (folder, point) = (plain(words.next()?), plain(words.next()?));
    let here = words.next()?;
    let mut words = super_block.split(' ');
    let (file_system, device) = (words.next()?, plain(words.next()?));
    let all = words.next()?;
    if !point.starts_with('/') || file_system.is_empty() || here.is_empty() || all.is_empty() {
        return None;
    }
    let can_be_written = |options: &str| !options.split(',').any(|option| option == "ro");
    let is_real = major != 0 || REAL_WITHOUT_DEVICE.contains(&file_system);
    if !is_real || !can_be_written(here) || !can_be_written(all) {
        return Some(None);
    }
    let identity = match major {
        // Each subvolume of btrfs has a number of its own, and all have the same device.
        0 => format!("{file_system} {device}"),
        _ => format!("{major}:{minor}"),
    };
    Some(Some(Line {
        identity,
        is_whole: folder == "/",
        mount: Mount {
            point,
            device,
            file_system: file_system.to_owned(),
        },
    }))
}

fn number(word: &str) -> Option<u32> {
    word.parse().ok()
}

/// A path without the kernel's octal escapes for blanks and the like.
fn plain(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after
            .first_chunk::<3>()
            .filter(|_| first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = escaped.map_or(after, |_| &after[3..]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
42 27 254:0 / /var/lib/containers rw,relatime - ext4 /dev/vda rw,discard
43 27 254:0 /x /x rw - ext4 /dev/vda rw
50 27 259:1 / /a\\040b rw - xfs /dev/nvme1n1 rw
51 27 7:1 / /snap/core/1 ro,nodev - squashfs /dev/loop1 ro
52 27 259:2 / /usr ro - ext4 /dev/nvme2n1 rw
53 27 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw,lowerdir=/l
54 27 0:51 / /srv rw - nfs4 server:/srv rw,vers=4.2
55 27 0:52 / /run rw - tmpfs tmpfs rw
56 27 0:60 /@ /data rw - btrfs /dev/sdb rw,subvol=/@
57 27 0:61 /@home /home rw - btrfs /dev/sdb rw,subvol=/@home
";

    #[test]
    fn each_writable_file_system_of_this_hosts_devices_counts_once() {
        let mounts = mounts(MOUNTS).expect("known");
        let points: Vec<&str> = mounts.iter().map(|mount| mount.point.as_str()).collect();
        assert_eq!(points, ["/", "/a b", "/data"]);
        assert_eq!(mounts[0].device, "/dev/vda");
        assert_eq!(mounts[1].file_system, "xfs");
    }

    #[test]
    fn one_malformed_line_makes_all_unknown() {
        for line in [
            "",
            "58 27 8:1 / /cut",
            "x 27 8:1 / /cut rw - ext4 /dev/sda1 rw",
            "58 27 8:1 / /cut rw - ext4",
        ] {
            assert!(mounts(&format!("{MOUNTS}{line}\n")).is_err(), "{line}");
        }
        assert!(mounts("").is_err());
    }

    #[test]
    fn free_is_what_programs_can_take_of_what_they_can_use() {
        let space = Space {
            block: 4096,
            blocks: 100,
            free: 20,
            available: 20,
            inodes: 0,
            inodes_available: 0,
        };
        assert_eq!(space.free_percent(), Some(20.0));
        assert_eq!(space.inodes_free_percent(), None);
        let reserved = Space {
            available: 0,
            ..space
        };
        assert_eq!(reserved.free_percent(), Some(0.0));
        let impossible = Space { free: 101, ..space };
        assert_eq!(impossible.free_percent(), None);
    }
}
