//! Where a granted path ends, and a descriptor of what is there.
//!
//! A plugin may put a link where it may write, and to follow it would turn what was approved into any file. So a
//! path is walked name by name, and a link that lies where a plugin writes, or that belongs to a plugin's user, is
//! followed only to what lies in the same place. The kernel follows no link here, so that what was looked at is what
//! is open in the end. It changes nothing and reads no contents.

mod places;
mod spot;
mod walk;

pub(super) use places::Places;
pub(super) use spot::Spot;

use rustix::{fs::FileType, io::Errno};
use std::{fmt, os::fd::OwnedFd, path::PathBuf};

/// What is at the end of a path.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is.
    pub spot: Spot,
    /// The folders that were gone through, and the ends of links among them, the first one first.
    pub way: Vec<PathBuf>,
    /// Its kind, and what may be done with it, as the kernel writes it.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
    /// It, opened for nothing but to name it.
    pub descriptor: OwnedFd,
}

impl Found {
    /// What kind of file it is.
    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }
}

/// Why there is nothing at the end of a path.
#[derive(Debug)]
pub(super) enum Lost {
    /// The kernel finds nothing there.
    Absent {
        /// What it says.
        error: Errno,
        /// The folders that were gone through.
        way: Vec<PathBuf>,
    },
    /// A link that a plugin may have made leads elsewhere.
    Led {
        /// The link.
        link: PathBuf,
        /// The place that it leads out of.
        out_of: PathBuf,
    },
    /// A link lies where everybody may put one, and somebody did.
    Strange {
        /// The link.
        link: PathBuf,
    },
}

impl fmt::Display for Lost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent {
                error: Errno::NOENT | Errno::NOTDIR,
                ..
            } => out.write_str("it was not there at the start"),
            Self::Absent { error, .. } => write!(out, "it could not be opened at the start: {error}"),
            Self::Led { link, out_of } => write!(
                out,
                "a link that a plugin may have made, {}, leads out of {}; it is not followed",
                link.display(),
                out_of.display()
            ),
            Self::Strange { link } => write!(
                out,
                "a link of a stranger's in a folder where everybody may write, {}; it is not followed",
                link.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests;
