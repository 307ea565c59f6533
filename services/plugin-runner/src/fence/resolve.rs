//! Where a granted path ends, and a descriptor of what is there.
//!
//! A plugin may put a link where it may write, and to follow it would turn what was approved into any file. So a
//! path is walked name by name, and a link that lies where a plugin writes, or that belongs to a plugin's user, is
//! followed only to what lies in the same place. The kernel follows no link here, so that what was looked at is what
//! is open in the end. It changes nothing and reads no contents.

use super::{numbers, orders::Orders};
use crate::trust::names;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat, readlinkat},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fmt, fs,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
};

/// The kernel follows no more links in one path.
const LINKS: usize = 40;

/// Where plugins write, at the end of all links that none of them may have made.
#[derive(Debug, Default)]
pub(super) struct Places {
    own: Vec<PathBuf>,
    others: Vec<PathBuf>,
    /// Where working folders lie beside one another, each a place of its own.
    homes: Vec<PathBuf>,
    /// Its own working folder.
    home: Vec<PathBuf>,
    /// The user that it is where it can be.
    user: Option<u32>,
}

/// What is at the end of a path.
#[derive(Debug)]
pub(super) struct Found {
    /// Its path without any link.
    pub path: PathBuf,
    /// The folders that were gone through, and the ends of links among them, the first one first.
    pub way: Vec<PathBuf>,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// It, opened for nothing but to name it.
    pub descriptor: OwnedFd,
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
        }
    }
}

impl Places {
    /// Where this plugin writes or once did, and where others do.
    pub(super) fn of(orders: &Orders) -> Places {
        let mut places = Places {
            own: orders.own_write.iter().cloned().collect(),
            others: orders.others_write.iter().cloned().collect(),
            homes: orders.home.parent().map(Path::to_owned).into_iter().collect(),
            home: vec![orders.home.clone()],
            user: Some(orders.user),
        };
        // What is reached by links of the system is known by its end too; a link of a plugin's leads to no place.
        let ends = |places: &Places, of: &[PathBuf]| -> Vec<PathBuf> {
            let found = of.iter().filter_map(|path| places.find(path).ok());
            found.map(|found| found.path).collect()
        };
        let (own, others) = (ends(&places, &places.own), ends(&places, &places.others));
        let (homes, home) = (ends(&places, &places.homes), ends(&places, &places.home));
        places.own.extend(own);
        places.others.extend(others);
        places.homes.extend(homes);
        places.home.extend(home);
        places
    }

    /// Walks to the end of a path.
    ///
    /// # Errors
    /// Why there is none that could be granted.
    pub(super) fn find(&self, path: &Path) -> Result<Found, Lost> {
        let mut walk = Walk::default();
        let end = walk.go(self, path);
        let Walk {
            way,
            mut bounds,
            left,
        } = walk;
        let (path, opened) = match (end, left) {
            (_, Some(link)) => {
                let (link, out_of) = bounds.swap_remove(link);
                return Err(Lost::Led { link, out_of });
            }
            (Err(error), None) => return Err(Lost::Absent { error, way }),
            (Ok(end), None) => end,
        };
        if let Some((link, out_of)) = bounds.into_iter().find(|(_, place)| !path.starts_with(place)) {
            return Err(Lost::Led { link, out_of });
        }
        Ok(Found {
            path,
            way,
            is_folder: opened.kind == FileType::Directory,
            descriptor: opened.descriptor,
        })
    }

    /// Whether a plugin may have made it, and its mode what it is.
    pub(super) fn may_be_made_by_a_plugin(&self, real: &Path) -> bool {
        let mut places = self.own.iter().chain(&self.others).chain(&self.homes);
        places.any(|place| real != place && real.starts_with(place))
            || fs::symlink_metadata(real).is_ok_and(|found| numbers::is_plugins(found.uid()))
    }

    /// Whether this plugin may write it, or once could.
    pub(super) fn is_own(&self, real: &Path) -> bool {
        let mut places = self.own.iter().chain(&self.home);
        places.any(|place| real.starts_with(place))
    }

    /// Whether its mode is the plugin's own matter: of its working folder, which it is given, and of what is its
    /// user's.
    pub(super) fn is_its_users(&self, real: &Path, owner: u32) -> bool {
        self.user == Some(owner) || self.home.iter().any(|home| real.starts_with(home))
    }

    /// Where another plugin may write it, or something in it.
    pub(super) fn of_another(&self, real: &Path) -> Option<&Path> {
        // Its own working folder lies where all do, and is nobody else's.
        let is_home = self.home.iter().any(|home| real.starts_with(home));
        let homes = self
            .homes
            .iter()
            .filter(|homes| !is_home || homes.starts_with(real));
        let mut places = self.others.iter().chain(homes).map(PathBuf::as_path);
        places.find(|place| place.starts_with(real) || real.starts_with(place))
    }

    /// The narrowest place of a plugin's that holds this folder.
    fn around(&self, folder: &Path) -> Option<PathBuf> {
        let granted = self.own.iter().chain(&self.others).cloned();
        let home = |homes: &PathBuf| {
            let name = folder.strip_prefix(homes).ok()?.components().next()?;
            Some(homes.join(name))
        };
        let places = granted.chain(self.homes.iter().filter_map(home));
        let around = places.filter(|place| folder.starts_with(place));
        around.max_by_key(|place| place.components().count())
    }
}

/// Something open, and what it is.
#[derive(Debug)]
struct Opened {
    descriptor: OwnedFd,
    kind: FileType,
    owner: u32,
}

/// The way to the end of a path, as far as it was walked.
#[derive(Debug, Default)]
struct Walk {
    way: Vec<PathBuf>,
    /// Links that a plugin may have made, and the place of each.
    bounds: Vec<(PathBuf, PathBuf)>,
    /// Which of them led elsewhere on the way.
    left: Option<usize>,
}

impl Walk {
    fn go(&mut self, places: &Places, path: &Path) -> Result<(PathBuf, Opened), Errno> {
        let mut at = PathBuf::from("/");
        // All folders above are kept open: the one above is where the way came from, wherever it is by now.
        let mut open = vec![opened(None, OsStr::new("/"))?];
        let mut left = names(path);
        let mut links = 0;
        while let Some(name) = left.pop() {
            let is_folder = open.last().is_some_and(|last| last.kind == FileType::Directory);
            if !is_folder {
                return Err(Errno::NOTDIR);
            }
            // Not even on the way: what is closed there would be a reason to stay the runner's user.
            let strays = |(_, place): &(_, PathBuf)| !at.starts_with(place) && !place.starts_with(&at);
            self.left = self.bounds.iter().position(strays);
            if self.left.is_some() {
                return Err(Errno::LOOP);
            }
            self.way.push(at.clone());
            if name == ".." {
                if open.len() > 1 {
                    open.pop();
                    at.pop();
                }
                continue;
            }
            let next = opened(open.last(), &name)?;
            if next.kind != FileType::Symlink {
                at.push(&name);
                open.push(next);
                continue;
            }
            links += 1;
            if links > LINKS {
                return Err(Errno::LOOP);
            }
            let is_plugins = || numbers::is_plugins(next.owner).then(|| at.clone());
            if let Some(place) = places.around(&at).or_else(is_plugins) {
                self.bounds.push((at.join(&name), place));
            }
            let target = readlinkat(&next.descriptor, "", Vec::new())?;
            let target = Path::new(OsStr::from_bytes(target.as_bytes()));
            if target.is_absolute() {
                at = PathBuf::from("/");
                open.truncate(1);
            }
            left.extend(names(target));
        }
        let end = open.pop().expect("the first one is never taken");
        Ok((at, end))
    }
}

fn opened(folder: Option<&Opened>, name: &OsStr) -> Result<Opened, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let descriptor = match folder {
        Some(folder) => openat(&folder.descriptor, name, flags, Mode::empty())?,
        None => openat(CWD, name, flags, Mode::empty())?,
    };
    let found = fstat(&descriptor)?;
    Ok(Opened {
        descriptor,
        kind: FileType::from_raw_mode(found.st_mode),
        owner: found.st_uid,
    })
}

#[cfg(test)]
mod tests;
