//! The way to the end of a path, name by name.
//!
//! The kernel follows no link here: what a link says is read, and walked if its place and its owner allow it.

use super::{Lost, Places, Spot, spot::Node};
use crate::{fence::numbers, trust::names};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat, readlinkat},
    io::Errno,
    process::geteuid,
};
use std::{
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// The kernel follows no more links in one path.
const LINKS: usize = 40;

/// The modes of a folder where everybody may put a link, and nobody takes another's away: such as `/tmp`.
const STICKY_AND_OPEN: u32 = 0o1002;

/// Something open, and what it is.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) descriptor: OwnedFd,
    pub(super) mode: u32,
    pub(super) owner: u32,
    node: Node,
}

impl Opened {
    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }
}

/// The way to the end of a path, as far as it was walked.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) way: Vec<PathBuf>,
    /// Links that a plugin may have made, and the place of each.
    pub(super) bounds: Vec<(PathBuf, PathBuf)>,
    /// Which link is not followed, and why.
    pub(super) refused: Option<Lost>,
}

impl Walk {
    pub(super) fn go(&mut self, places: &Places, path: &Path) -> Result<(Spot, Opened), Errno> {
        let mut at = PathBuf::from("/");
        // All folders above are kept open: the one above is where the way came from, wherever it is by now.
        let mut open = vec![opened(None, OsStr::new("/"))?];
        let mut left = names(path);
        let mut links = 0;
        while let Some(name) = left.pop() {
            let folder = open.last().expect("the first one is never taken");
            if folder.kind() != FileType::Directory {
                return Err(Errno::NOTDIR);
            }
            // Not even on the way: what is closed there would be a reason to stay the runner's user.
            let strays = |(_, place): &&(_, PathBuf)| !at.starts_with(place) && !place.starts_with(&at);
            if let Some((link, out_of)) = self.bounds.iter().find(strays).cloned() {
                return self.refuse(Lost::Led { link, out_of });
            }
            self.way.push(at.clone());
            if name == ".." {
                if open.len() > 1 {
                    open.pop();
                    at.pop();
                }
                continue;
            }
            let next = opened(Some(folder), &name)?;
            if next.kind() != FileType::Symlink {
                at.push(&name);
                open.push(next);
                continue;
            }
            links += 1;
            if links > LINKS {
                return Err(Errno::LOOP);
            }
            let link = at.join(&name);
            if is_strange(folder.mode, folder.owner, next.owner) {
                return self.refuse(Lost::Strange { link });
            }
            let is_plugins = || numbers::is_plugins(next.owner).then(|| at.clone());
            if let Some(place) = places.around(&spot(&at, &open)).or_else(is_plugins) {
                self.bounds.push((link, place));
            }
            let target = readlinkat(&next.descriptor, "", Vec::new())?;
            let target = Path::new(OsStr::from_bytes(target.as_bytes()));
            if target.is_absolute() {
                at = PathBuf::from("/");
                open.truncate(1);
            }
            left.extend(names(target));
        }
        let spot = spot(&at, &open);
        let end = open.pop().expect("the first one is never taken");
        Ok((spot, end))
    }

    /// The number is nobody's to read: why it is refused is told instead.
    fn refuse<T>(&mut self, why: Lost) -> Result<T, Errno> {
        self.refused = Some(why);
        Err(Errno::LOOP)
    }
}

/// Whether a link of this owner, in a folder of this mode and owner, is one that nobody whom we trust put there. The
/// kernel asks the same where `fs.protected_symlinks` is set; here it does not depend on that.
pub(super) fn is_strange(mode: u32, folder: u32, link: u32) -> bool {
    let trusted = [folder, 0, geteuid().as_raw()];
    mode & STICKY_AND_OPEN == STICKY_AND_OPEN && !trusted.contains(&link)
}

fn spot(at: &Path, open: &[Opened]) -> Spot {
    Spot {
        path: at.to_owned(),
        nodes: open.iter().map(|opened| opened.node).collect(),
    }
}

fn opened(folder: Option<&Opened>, name: &OsStr) -> Result<Opened, Errno> {
    let folder = folder.map_or(CWD, |folder| folder.descriptor.as_fd());
    let open = |more: OFlags| {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
        let descriptor = openat(folder, name, flags, Mode::empty())?;
        let found = fstat(&descriptor)?;
        Ok(Opened {
            descriptor,
            mode: found.st_mode,
            owner: found.st_uid,
            node: Node {
                device: found.st_dev,
                inode: found.st_ino,
            },
        })
    };
    let seen = open(OFlags::empty())?;
    if seen.kind() != FileType::Directory {
        return Ok(seen);
    }
    // To name a folder mounts nothing on it; to open it as a folder does, where something is mounted when it is wanted
    // (autofs, `x-systemd.automount`). The last one too: a fence around what is covered by a mount has no effect, and a
    // place has to be the same folder as end and as way. No test sees this: it takes such a mount.
    open(OFlags::DIRECTORY)
}
