//! The state folder: where it is, who may read it, and how another terminal finds the bus.
//!
//! Everything in it is for its owner alone: folders 0700, files 0600. It never holds configuration.

mod error;

pub use error::StateError;

use crate::{home::Home, print};
use rustix::fs::{FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    io::Write,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

/// A state folder that exists and that only its owner may look into.
#[derive(Debug, Clone)]
pub struct StateFolder {
    root: PathBuf,
}

/// `nats.json`: how `snooze` in another terminal reaches the bus as an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusAddress {
    /// The broker's address.
    pub server: String,
    /// The administrator's credentials file.
    pub credentials: PathBuf,
    /// The user that they are for.
    pub user: String,
}

impl StateFolder {
    /// Where the folder is, without making it.
    ///
    /// # Errors
    /// Neither an argument nor the environment says where, or the name is no text.
    pub fn locate(given: Option<&Path>, home: &Home) -> Result<StateFolder, StateError> {
        let root = match (given, &home.xdg_state_home, &home.home) {
            (Some(given), _, _) => given.to_owned(),
            // The base directory specification: a relative path is to be ignored.
            (None, Some(xdg), _) if xdg.is_absolute() => xdg.join("snooze"),
            (None, _, Some(home)) => home.join(".local/state/snooze"),
            (None, _, None) => return Err(StateError::Locate),
        };
        // `nats.json` and the plugins' configuration name it, and are read from other folders.
        let root = match std::path::absolute(&root) {
            Ok(root) => root,
            Err(source) => return Err(StateError::Create { path: root, source }),
        };
        if root.to_str().is_none() {
            return Err(StateError::Name { path: root });
        }
        Ok(StateFolder { root })
    }

    /// Makes it and its folders, for their owner alone. A folder that is there already is taken only where
    /// it is ours alone, or ours and empty: the permissions of somebody's `/var/lib` are not ours to change. That
    /// those of an empty one are changed is said on stderr.
    ///
    /// # Errors
    /// Which folder could not be made, or why it cannot be taken.
    pub fn create(&self) -> Result<(), StateError> {
        let failed = |path: PathBuf| move |source| StateError::Create { path, source };
        match fs::metadata(&self.root) {
            Ok(found) => self.take(&found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed(self.root.clone())(source)),
        }
        for folder in ["", "creds", "keys", "jetstream", "ports", "runner", "terminals"] {
            let path = self.root.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(failed(path))?;
        }
        Ok(())
    }

    /// Takes a folder that was there before.
    fn take(&self, found: &fs::Metadata) -> Result<(), StateError> {
        let foreign = |why| StateError::Foreign {
            path: self.root.clone(),
            why,
        };
        if !found.is_dir() {
            return Err(foreign("it is no folder"));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(foreign("it belongs to somebody else"));
        }
        if found.mode() & 0o7777 == 0o700 {
            return Ok(());
        }
        let failed = |source| StateError::Create {
            path: self.root.clone(),
            source,
        };
        if fs::read_dir(&self.root).map_err(failed)?.next().is_some() {
            return Err(foreign("others may look into it, and it is not empty"));
        }
        fs::set_permissions(&self.root, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        print::talk(&made_private(&self.root, found.mode()));
        Ok(())
    }

    /// The folder itself, or something in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes the folder for this process, until the answer is dropped. The kernel gives it back however
    /// the process ends.
    ///
    /// # Errors
    /// Somebody else has it.
    pub fn claim(&self) -> Result<OwnedFd, StateError> {
        let path = self.path("up.lock");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let file =
            rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| StateError::Write {
                path,
                source: error.into(),
            })?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            StateError::InUse {
                path: self.root.clone(),
            }
        })?;
        Ok(file)
    }

    /// Whether the broker of a `snooze up` runs here: it holds its lock for as long as it lives. A broker
    /// that is just being started waits for the lock, so looking disturbs nobody.
    ///
    /// # Errors
    /// The lock is there and cannot be looked at.
    pub fn broker_runs(&self) -> Result<bool, StateError> {
        let path = self.path("broker.lock");
        let read = |error: rustix::io::Errno| StateError::Read {
            path: path.clone(),
            source: error.into(),
        };
        let file = match rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(false),
            Err(error) => return Err(read(error)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(read(error)),
        }
    }

    /// Keeps a log from growing for ever: one that has become long goes aside, in place of the one before.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn rotate(&self, name: &str, longest: u64) -> Result<(), StateError> {
        let path = self.path(name);
        let moved = match fs::metadata(&path) {
            Ok(found) if found.len() > longest => fs::rename(&path, self.path(&format!("{name}.1"))),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        moved.map_err(|source| StateError::Write { path, source })
    }

    /// The address that `snooze up` left, where one is there.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn bus_address(&self) -> Result<Option<BusAddress>, StateError> {
        let path = self.path("nats.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|source| StateError::Parse { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Read { path, source }),
        }
    }

    /// Leaves the address for other terminals.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_bus_address(&self, address: &BusAddress) -> Result<(), StateError> {
        let text = serde_json::to_vec_pretty(address).expect("`locate` took no folder whose name is no text");
        self.write_secret("nats.json", &text)
    }

    /// Makes an empty file that only its owner may read, for somebody else to write to; one that is there
    /// keeps what it holds.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn reserve(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.path(name);
        let made = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o600)));
        match made {
            Ok(()) => Ok(path),
            Err(source) => Err(StateError::Write { path, source }),
        }
    }

    /// Writes a file that only its owner may read, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_secret(&self, name: &str, content: &[u8]) -> Result<(), StateError> {
        let path = self.path(name);
        let draft = self.path(&format!("{name}.new"));
        let written = (|| {
            if let Err(error) = fs::remove_file(&draft)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        })();
        written.map_err(|source| StateError::Write { path, source })
    }
}

fn made_private(root: &Path, mode: u32) -> String {
    format!(
        "the empty state folder {} is yours alone from now on: its mode was {:o} and is 700, since keys will lie in it",
        root.display(),
        mode & 0o7777
    )
}

#[cfg(test)]
mod tests;
