//! Whether somebody else may change what would be run.
//!
//! It looks at modes and owners alone, and reads no contents. Only the superuser and the runner's own user may change
//! a file that is run, put another in its place, or add one beside it: not in its folder, in none above it, and not where
//! a link of them leads. Whoever else could would vote for the machine, with whatever the plugin was granted: a script
//! takes a module that lies beside it for the one that was meant.

mod accounts;

use accounts::Accounts;
use rustix::io::Errno;
use std::{
    cell::OnceCell,
    ffi::OsString,
    fmt,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

const WRITABLE_BY_OTHERS: u32 = 0o002;
const WRITABLE_BY_GROUP: u32 = 0o020;
/// A folder such as `/tmp`, where everybody may write but only remove what is theirs. It may be on the way to what is
/// run, and not be where it lies.
const STICKY: u32 = 0o1000;
const SUPERUSER: u32 = 0;

/// The kernel follows no more links in one path.
const LINKS: usize = 40;

/// Where an access list beyond the three modes is.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Why a file is not to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Exposed {
    /// Nobody can say.
    #[error("read {}", path.display())]
    Unseen {
        /// What was to be looked at.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Others may write it, or put files there.
    #[error("{} may be written by {by}: what is run from there is not the runner's to answer for; `{} {}` closes it, or \
             put the plugin elsewhere",
        path.display(), by.closed_by(), path.display())]
    Writable {
        /// The file, or a folder on the way to it.
        path: PathBuf,
        /// Who.
        by: Writers,
    },
    /// It is somebody else's.
    #[error("{} belongs to user {owner}, who is neither the superuser nor the runner's user: what is run from there is \
             not the runner's to answer for; `chown` gives it to one of them", path.display())]
    Foreign {
        /// The file, or a folder on the way to it.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
}

/// Who may write beside the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Everybody.
    Everybody,
    /// A group that is not its owner's alone.
    Group(u32),
    /// Whoever is on its access list.
    Listed,
}

impl Writers {
    /// What takes this away and nothing else: of an access list the group's bits are the mask, and the list stays.
    const fn closed_by(self) -> &'static str {
        match self {
            Self::Everybody => "chmod o-w",
            Self::Group(_) | Self::Listed => "chmod g-w",
        }
    }
}

impl fmt::Display for Writers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => out.write_str("everybody"),
            Self::Group(group) => write!(out, "group {group}, which others may be in"),
            Self::Listed => out.write_str("whoever is on its access list"),
        }
    }
}

/// Looks at a file or folder, and at all folders above it, as they are at the end of all links and on the way there.
///
/// # Errors
/// Who else might change it, or add to the folder, or to the one that the file lies in.
pub(crate) fn check(path: &Path) -> Result<(), Exposed> {
    Trusted::here().check(path).map(drop)
}

/// The same of a file in a plugin's folder, or in one below it.
///
/// # Errors
/// Who else might change it, or add to one of these folders.
pub(crate) fn check_in(folder: &Path, path: &Path) -> Result<(), Exposed> {
    Trusted::here().check_in(folder, path)
}

/// Whom files may belong to.
struct Trusted {
    users: [u32; 2],
    /// Read only where a group may write something.
    accounts: OnceCell<Accounts>,
}

impl Trusted {
    fn here() -> Trusted {
        Trusted {
            users: [SUPERUSER, rustix::process::geteuid().as_raw()],
            accounts: OnceCell::new(),
        }
    }

    fn check_in(&self, folder: &Path, path: &Path) -> Result<(), Exposed> {
        let folder = fs::canonicalize(folder).map_err(unseen(folder))?;
        let end = self.check(path)?;
        let between = end.ancestors().skip(1);
        let mut between = between.take_while(|above| above.starts_with(&folder));
        between.try_for_each(|above| self.closed(above))
    }

    /// Returns where it is at the end of all links.
    fn check(&self, path: &Path) -> Result<PathBuf, Exposed> {
        let whole = std::path::absolute(path).map_err(unseen(path))?;
        let mut at = PathBuf::from("/");
        let mut above = seen(&at)?;
        self.owned(&at, &above)?;
        let mut left = names(&whole);
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == ".." {
                // A folder that was looked at on the way down, or by the path of the link that leads up.
                at.pop();
                above = seen(&at)?;
                continue;
            }
            let next = at.join(name);
            let found = seen(&next)?;
            if let Some(by) = self.writers(&at, &above)? {
                if above.mode() & STICKY == 0 {
                    return Err(Exposed::Writable { path: at, by });
                }
                // A link is whose it is, whatever it leads to.
                self.owned(&next, &found)?;
            }
            if found.is_symlink() {
                links += 1;
                if links > LINKS {
                    return Err(unseen(&next)(Errno::LOOP.into()));
                }
                let target = fs::read_link(&next).map_err(unseen(&next))?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                    above = seen(&at)?;
                }
                left.extend(names(&target));
                continue;
            }
            self.owned(&next, &found)?;
            (at, above) = (next, found);
        }
        self.closed(&at)?;
        if !above.is_dir() {
            // Whoever runs it sees either as the folder that it lies in.
            let mut beside = at.parent().into_iter().chain(whole.parent());
            beside.try_for_each(|folder| self.closed(folder))?;
        }
        Ok(at)
    }

    /// Whether nobody else may write what lies there, at the end of all links.
    fn closed(&self, path: &Path) -> Result<(), Exposed> {
        let found = fs::metadata(path).map_err(unseen(path))?;
        // Whoever closed a device would break the machine.
        if !found.is_file() && !found.is_dir() {
            let what = io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a folder");
            return Err(unseen(path)(what));
        }
        match self.writers(path, &found)? {
            Some(by) => Err(Exposed::Writable {
                path: path.to_owned(),
                by,
            }),
            None => Ok(()),
        }
    }

    fn owned(&self, path: &Path, found: &Metadata) -> Result<(), Exposed> {
        if self.users.contains(&found.uid()) {
            return Ok(());
        }
        Err(Exposed::Foreign {
            path: path.to_owned(),
            owner: found.uid(),
        })
    }

    /// Who may write it that is not trusted.
    fn writers(&self, path: &Path, found: &Metadata) -> Result<Option<Writers>, Exposed> {
        if found.mode() & WRITABLE_BY_OTHERS != 0 {
            return Ok(Some(Writers::Everybody));
        }
        if found.mode() & WRITABLE_BY_GROUP == 0 {
            return Ok(None);
        }
        // Where there is a list, the group's bits are the most that anybody on it may.
        match rustix::fs::getxattr(path, ACCESS_LIST, &mut [0_u8; 0]) {
            Ok(_) => return Ok(Some(Writers::Listed)),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(unseen(path)(error.into())),
        }
        let accounts = self.accounts.get_or_init(Accounts::read);
        let is_ours = accounts.is_only_of(found.gid(), &self.users);
        Ok((!is_ours).then_some(Writers::Group(found.gid())))
    }
}

fn seen(path: &Path) -> Result<Metadata, Exposed> {
    fs::symlink_metadata(path).map_err(unseen(path))
}

/// The names in a path, the first one last.
pub(crate) fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

fn unseen(path: &Path) -> impl FnOnce(io::Error) -> Exposed + use<> {
    let path = path.to_owned();
    |source| Exposed::Unseen { path, source }
}

#[cfg(test)]
mod tests;
