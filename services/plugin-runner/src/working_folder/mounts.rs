//! Folders in a plugin's working folder, opened only where no mount lies between: what is mounted there is an operator's.
//!
//! It changes nothing and follows no link. What it opens is opened for nothing but to name what is there.

use rustix::{
    fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags, fstat, openat, openat2, statx},
    io::Errno,
};
use std::{
    ffi::{CStr, OsString},
    fs,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
};

/// Those that this very thread sees.
const MOUNTS: &str = "/proc/thread-self/mountinfo";

/// Opens a folder in another one. `EXDEV` says that something is mounted there.
pub(crate) fn folder_in(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match by_the_kernel(above, name) {
        // There is no such call before Linux 5.6, and sandboxes refuse what they do not know.
        Err(Errno::NOSYS | Errno::PERM) => by_comparing(above, name),
        opened => opened,
    }
}

fn by_the_kernel(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let within = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    openat2(above, name, flags(), Mode::empty(), within)
}

fn by_comparing(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let opened = openat(above, name, flags(), Mode::empty())?;
    if Place::of(above)? == Place::of(opened.as_fd())? {
        Ok(opened)
    } else {
        Err(Errno::XDEV)
    }
}

fn flags() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Where something lies. A folder of the same disk may be mounted, which only the mount's number tells.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    device: u64,
    mount: Option<u64>,
}

impl Place {
    fn of(open: BorrowedFd<'_>) -> Result<Place, Errno> {
        Ok(Place {
            device: fstat(open)?.st_dev,
            mount: told_by_statx(open).or_else(|| told_by_proc(open)),
        })
    }
}

/// Linux 5.8.
fn told_by_statx(open: BorrowedFd<'_>) -> Option<u64> {
    let told = statx(open, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
    let is_told = StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::MNT_ID);
    is_told.then_some(told.stx_mnt_id)
}

/// Linux 3.15.
fn told_by_proc(open: BorrowedFd<'_>) -> Option<u64> {
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", open.as_raw_fd())).ok()?;
    let number = told.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    number.trim().parse().ok()
}

/// What is mounted in this folder or in its place, so far as that is told. It has no link in its path.
pub(super) fn mounted_in(folder: &Path) -> Option<PathBuf> {
    // Where nothing is told, no folder is opened beyond a mount all the same.
    among(&fs::read(MOUNTS).unwrap_or_default(), folder)
}

fn among(mounts: &[u8], folder: &Path) -> Option<PathBuf> {
    // proc_pid_mountinfo(5): the place is the fifth field.
    let places = mounts
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    let mut places = places.map(|place| PathBuf::from(OsString::from_vec(unescaped(place))));
    places.find(|place| place.starts_with(folder))
}

/// Blanks, ends of lines and backslashes are written as three octal digits.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        let digits = rest.get(..3).filter(|_| *first == b'\\');
        let byte = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(byte.unwrap_or(*first));
        text = if byte.is_some() { &rest[3..] } else { rest };
    }
    plain
}

#[cfg(test)]
pub(crate) mod tests;
