//! The state folder: where it is, who may read it, and how another terminal finds the bus.
//!
//! Everything in it is for its owner alone: folders 0700, files 0600. It never holds configuration.

use rustix::fs::{FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fs, io,
    io::Write,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

/// A state folder that exists and that only its owner may look into.
#[derive(Debug, Clone)]
pub struct StateFolder {
    root: PathBuf,
}

/// Who types, and where their folders are, as the environment says.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// `XDG_STATE_HOME`
    pub xdg_state_home: Option<PathBuf>,
    /// `HOME`
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`: what is kept there does not survive a reboot.
    pub runtime: Option<PathBuf>,
    /// `USER`: who types.
    pub user: Option<String>,
    /// `PATH`: where programs are looked for.
    pub search_path: Option<OsString>,
}

impl Home {
    /// As the environment of this process says; read once, at the start.
    #[must_use]
    pub fn of_this_process() -> Home {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        Home {
            xdg_state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
            runtime: path("XDG_RUNTIME_DIR"),
            user: std::env::var_os("USER").and_then(|name| name.into_string().ok()),
            search_path: std::env::var_os("PATH"),
        }
    }
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

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Nothing says where it is.
    #[error("neither HOME nor XDG_STATE_HOME is set; say where the state folder is with --state")]
    Locate,
    /// It cannot be made.
    #[error("the folder {} cannot be made", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file in it cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file in it cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `nats.json` is not what it should be.
    #[error("{} is not the address of a bus", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// Another `snooze up` uses it.
    #[error("another `snooze up` uses the state folder {}; end it, or give another one with --state", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

impl StateFolder {
    /// Where the folder is, without making it.
    ///
    /// # Errors
    /// Neither an argument nor the environment says where.
    pub fn locate(given: Option<&Path>, home: &Home) -> Result<StateFolder, StateError> {
        let root = match (given, &home.xdg_state_home, &home.home) {
            (Some(given), _, _) => given.to_owned(),
            // The base directory specification: a relative path is to be ignored.
            (None, Some(xdg), _) if xdg.is_absolute() => xdg.join("snooze"),
            (None, _, Some(home)) => home.join(".local/state/snooze"),
            (None, _, None) => return Err(StateError::Locate),
        };
        Ok(StateFolder { root })
    }

    /// Makes it and its folders, for their owner alone.
    ///
    /// # Errors
    /// Which folder could not be made.
    pub fn create(&self) -> Result<(), StateError> {
        for folder in ["", "creds", "keys", "jetstream", "ports", "runner"] {
            let path = self.root.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o700)))
                .map_err(|source| StateError::Create { path, source })?;
        }
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
        let text = serde_json::to_vec_pretty(address).expect("three texts are always JSON");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, StateFolder) {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = temporary.path().join("deep/state");
        let state = StateFolder::locate(Some(&root), &Home::default()).expect("given");
        state.create().expect("made");
        (temporary, state)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("exists").permissions().mode() & 0o777
    }

    #[test]
    fn the_folder_is_where_the_base_directory_specification_says() {
        let home = Home {
            xdg_state_home: Some("/x".into()),
            home: Some("/home/a".into()),
            ..Home::default()
        };
        let root =
            |given: Option<&Path>, home: &Home| StateFolder::locate(given, home).map(|state| state.root);
        assert_eq!(
            root(Some(Path::new("/s")), &home).expect("given"),
            Path::new("/s")
        );
        assert_eq!(root(None, &home).expect("xdg"), Path::new("/x/snooze"));
        let relative = Home {
            xdg_state_home: Some("x".into()),
            ..home
        };
        assert_eq!(
            root(None, &relative).expect("home"),
            Path::new("/home/a/.local/state/snooze")
        );
        assert!(matches!(root(None, &Home::default()), Err(StateError::Locate)));
    }

    #[test]
    fn what_is_written_is_for_its_owner_alone() {
        let (_temporary, state) = folder();
        let address = BusAddress {
            server: "nats://127.0.0.1:4222".to_owned(),
            credentials: state.path("creds/administrator.creds"),
            user: "me".to_owned(),
        };
        assert_eq!(state.bus_address().expect("none yet"), None);
        state.set_bus_address(&address).expect("written");
        state.set_bus_address(&address).expect("written again");
        assert_eq!(state.bus_address().expect("read"), Some(address));
        assert_eq!(mode(state.root()), 0o700);
        assert_eq!(mode(&state.path("creds")), 0o700);
        assert_eq!(mode(&state.path("nats.json")), 0o600);
        assert_eq!(mode(&state.reserve("snooze.log").expect("made")), 0o600);
    }

    #[test]
    fn two_cannot_use_one_folder_at_once() {
        let (_temporary, state) = folder();
        let held = state.claim().expect("free");
        assert!(matches!(state.claim(), Err(StateError::InUse { .. })));
        drop(held);
        state.claim().expect("free again");
    }
}
