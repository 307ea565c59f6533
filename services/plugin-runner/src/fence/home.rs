//! The working folder of a plugin: made, and given whole to the user that the plugin is.
//!
//! The folder itself changes hands last, so that what was begun and not done is seen by its owner at the next
//! start and done again. It follows no link, and leaves alone what has a second name, which may be elsewhere, and what is
//! mounted there, which is an operator's.

use crate::working_folder::mounts::folder_in;
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fchown, openat, statat},
    io::Errno,
};
use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
};

/// So many files are given at most: a start is no time to go through more.
pub(super) const ENTRIES: u32 = 100_000;
/// Folders lie no deeper in one another than so.
pub(super) const DEPTH: u32 = 64;

/// Makes the folder, open to itself alone.
pub(crate) fn make(home: &Path) -> io::Result<()> {
    match fs::create_dir(home) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // A plugin that had it before might have put a link in its place.
    if !fs::symlink_metadata(home)?.is_dir() {
        return Err(io::Error::other("it is no folder"));
    }
    fs::set_permissions(home, fs::Permissions::from_mode(0o700))
}

/// Gives the folder and all that its present owner has in it to this user. Where it is that user's already nothing
/// is done.
///
/// # Errors
/// What the kernel says. The folder is its old owner's then.
pub(super) fn give(home: &Path, uid: Uid, gid: Gid) -> Result<(), Errno> {
    let folder = open(CWD, home)?;
    let found = rustix::fs::fstat(&folder)?;
    if found.st_uid == uid.as_raw() {
        return Ok(());
    }
    let to = Gift {
        owner: found.st_uid,
        device: found.st_dev,
        uid,
        gid,
    };
    let mut left = ENTRIES;
    to.give_contents(folder.as_fd(), DEPTH, &mut left)?;
    fchown(&folder, Some(uid), Some(gid))
}

struct Gift {
    owner: u32,
    device: u64,
    uid: Uid,
    gid: Gid,
}

impl Gift {
    fn give_contents(&self, folder: BorrowedFd<'_>, depth: u32, left: &mut u32) -> Result<(), Errno> {
        let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            *left = left.checked_sub(1).ok_or(Errno::TOOBIG)?;
            let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if found.st_uid != self.owner || found.st_dev != self.device {
                continue;
            }
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                let inner = match folder_in(folder, name) {
                    Err(Errno::XDEV) => continue,
                    named => open(named?.as_fd(), c".")?,
                };
                self.give_contents(inner.as_fd(), depth, left)?;
                fchown(&inner, Some(self.uid), Some(self.gid))?;
            } else if found.st_nlink == 1 {
                chownat(
                    folder,
                    name,
                    Some(self.uid),
                    Some(self.gid),
                    AtFlags::SYMLINK_NOFOLLOW,
                )?;
            }
        }
        Ok(())
    }
}

pub(super) fn open(at: BorrowedFd<'_>, path: impl rustix::path::Arg) -> Result<std::os::fd::OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::working_folder::mounts::tests::with_mounted;
    use rustix::process::{getegid, geteuid};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_folder_is_given_whole_and_back_and_nothing_beside_it() {
        let above = tempfile::tempdir().expect("a folder");
        let home = above.path().join("home");
        let outside = above.path().join("outside");
        make(&home).expect("it can be made");
        fs::create_dir(home.join("folder")).expect("makes");
        let (file, link, named_twice) = (home.join("folder/file"), home.join("link"), home.join("twice"));
        for made in [&file, &outside] {
            fs::write(made, "text").expect("writes");
        }
        std::os::unix::fs::symlink(&outside, &link).expect("links");
        fs::hard_link(&outside, &named_twice).expect("links");
        let owner = |path: &Path| fs::symlink_metadata(path).expect("it is there").uid();
        let (me, group) = (geteuid(), getegid());
        give(&home, me, group).expect("it is ours already");
        let other = Uid::from_raw(1_900_000_001);
        let given = give(&home, other, Gid::from_raw(1_900_000_001));
        if !me.is_root() {
            assert_eq!(given, Err(Errno::PERM));
            return;
        }
        given.expect("the superuser can");
        let own = [&home, &home.join("folder"), &file, &link];
        assert!(own.iter().all(|path| owner(path) == other.as_raw()));
        assert_eq!((owner(&outside), owner(&named_twice)), (0, 0));
        // Begun and not done: the folder is the old owner's, and some of what is in it is not.
        rustix::fs::chown(&file, Some(me), None).expect("the superuser can");
        give(&home, me, group).expect("the superuser can");
        assert!(own.iter().all(|path| owner(path) == 0));
    }

    #[test]
    fn what_an_operator_mounted_there_is_given_to_nobody() {
        let above = tempfile::tempdir().expect("a folder");
        let (home, data) = (above.path().join("home"), above.path().join("data"));
        make(&home).expect("it can be made");
        for folder in [&data, &home.join("data")] {
            fs::create_dir(folder).expect("makes");
        }
        fs::write(data.join("file"), "text").expect("writes");
        let owner = |path: &Path| fs::symlink_metadata(path).expect("it is there").uid();
        let own = owner(&data);
        let other = Uid::from_raw(1_900_000_001);
        // Whoever may mount may give files away as well.
        let told = with_mounted(&data, &home.join("data"), || {
            give(&home, other, Gid::from_raw(1_900_000_001)).expect("the rest is given");
        });
        assert_eq!((owner(&data), owner(&data.join("file"))), (own, own));
        assert_eq!(owner(&home), if told { other.as_raw() } else { own });
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let above = tempfile::tempdir().expect("a folder");
        let link = above.path().join("home");
        std::os::unix::fs::symlink(above.path(), &link).expect("links");
        assert!(make(&link).is_err());
        assert!(give(&link, Uid::from_raw(1), Gid::from_raw(1)).is_err());
    }
}
