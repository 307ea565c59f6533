//! The private nats-server of `snooze up`: found, started on a free loopback port, ended with us.
//!
//! It is a child that the kernel ends when this process ends, however that happens: the child starts as
//! this same program, asks the kernel for a signal at its parent's death, and then becomes nats-server.
//! The lock file is open in it across that change, so the lock is held exactly as long as the broker
//! lives, and a next start waits for it instead of opening the same store twice.

use crate::{arguments, state_folder::StateFolder};
use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    process::{Pid, Signal},
};
use serde::Deserialize;
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Child;

/// The oldest release with atomic batches, which the limits rest on.
const OLDEST: (u32, u32) = (2, 12);
/// A start takes a tenth of a second; a large store on a slow disk some seconds.
const START_LIMIT: Duration = Duration::from_secs(15);
/// It flushes and closes in well under a second; after this it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How often the file with its ports is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    url: String,
}

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No nats-server is installed.
    #[error(
        "there is no nats-server: run nats/server/install.sh, or put version 2.12 or newer on the PATH, \
         or name one with --nats-server"
    )]
    Find,
    /// It does not say its version.
    #[error("{} does not run", path.display())]
    Version {
        /// The nats-server.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is too old.
    #[error("{} is {found}, but 2.12 or newer is needed: run nats/server/install.sh", path.display())]
    TooOld {
        /// The nats-server.
        path: PathBuf,
        /// What it says of itself.
        found: String,
    },
    /// It cannot be started.
    #[error("the broker cannot be started")]
    Spawn(#[source] io::Error),
    /// It ended at once.
    #[error("the broker ended at once ({status}); its log {} ends with:\n{tail}", log.display())]
    Ended {
        /// How.
        status: std::process::ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// It said no port in time.
    #[error("the broker was not ready after {} s; see {}", START_LIMIT.as_secs(), log.display())]
    NotReady {
        /// Its log.
        log: PathBuf,
    },
    /// Its end cannot be waited for.
    #[error("the broker cannot be waited for")]
    Wait(#[source] io::Error),
}

/// The nats-server that would be run: the given one, `.tools/bin/nats-server` of this folder or of one
/// above the program, or the first on the path.
///
/// # Errors
/// There is none.
pub fn find(given: Option<&Path>, program: &Path, search: Option<&OsStr>) -> Result<PathBuf, BrokerError> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let here = Path::new(".").ancestors();
    let near = here
        .chain(program.ancestors().skip(1))
        .map(|folder| folder.join(".tools/bin"));
    let on_path = search.map(std::env::split_paths).into_iter().flatten();
    near.chain(on_path)
        .map(|folder| folder.join("nats-server"))
        .find(|path| path.is_file())
        .ok_or(BrokerError::Find)
}

/// Checks that it is new enough.
///
/// # Errors
/// It is too old, or does not run.
pub async fn check_version(path: &Path) -> Result<(), BrokerError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the broker is no plugin; this is the one file here that starts a process"
    )]
    let output = tokio::process::Command::new(path)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(STOP_LIMIT, output).await {
        Ok(output) => output,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let output = output.map_err(|source| BrokerError::Version {
        path: path.to_owned(),
        source,
    })?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if version(&found).is_some_and(|version| version >= OLDEST) {
        Ok(())
    } else {
        Err(BrokerError::TooOld {
            path: path.to_owned(),
            found,
        })
    }
}

/// Major and minor of `nats-server: v2.12.1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (_, numbers) = text.rsplit_once('v')?;
    let mut numbers = numbers.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

impl Broker {
    /// Starts it with this configuration, whose `ports_file_dir` is the state folder's `ports`, and waits
    /// until it says its port. Must run on the main thread, whose end is what the kernel tells the child.
    ///
    /// # Errors
    /// It cannot be started, or is not ready in time.
    pub async fn start(
        state: &StateFolder,
        nats_server: &Path,
        configuration: &Path,
    ) -> Result<Broker, BrokerError> {
        let log = state.path("nats-server.log");
        let ports = state.path("ports");
        remove_files(&ports).map_err(BrokerError::Spawn)?;
        let output = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&log)
            .map_err(BrokerError::Spawn)?;
        let program = std::env::current_exe().map_err(BrokerError::Spawn)?;
        let nats_server = fs::canonicalize(nats_server).map_err(BrokerError::Spawn)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the broker is no plugin; this is the one file here that starts a process"
        )]
        let mut command = tokio::process::Command::new(program);
        command
            .arg("__broker")
            .args(["--parent", &std::process::id().to_string()])
            .arg("--lock")
            .arg(state.path("broker.lock"))
            .arg("--nats-server")
            .arg(&nats_server)
            .arg("--configuration")
            .arg(configuration)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(BrokerError::Spawn)?)
            .stderr(output)
            // A group of its own: Ctrl-C in the terminal is for us, the broker ends last.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(BrokerError::Spawn)?;
        let pid = child.id().expect("it was not waited for");
        let name = nats_server
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let file = ports.join(format!("{name}_{pid}.ports"));
        let ready = async {
            loop {
                if let Some(status) = child.try_wait().map_err(BrokerError::Wait)? {
                    return Err(BrokerError::Ended {
                        status,
                        tail: tail(&log),
                        log: log.clone(),
                    });
                }
                // Half a file is no JSON yet, and is read again.
                if let Ok(text) = tokio::fs::read(&file).await
                    && let Ok(ports) = serde_json::from_slice::<Ports>(&text)
                    && let Some(url) = ports.nats.into_iter().next()
                {
                    return Ok(url);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let url = match tokio::time::timeout(START_LIMIT, ready).await {
            Ok(url) => url?,
            Err(_) => return Err(BrokerError::NotReady { log }),
        };
        Ok(Broker { child, url })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until it ends by itself, which it should not. Cancelling loses nothing.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn ended(&mut self) -> Result<std::process::ExitStatus, BrokerError> {
        self.child.wait().await.map_err(BrokerError::Wait)
    }

    /// Ends it: asks first, kills after a while.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn stop(mut self) -> Result<(), BrokerError> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let Some(pid) = pid else { return Ok(()) };
        match rustix::process::kill_process(pid, Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(BrokerError::Wait(error.into())),
        }
        match tokio::time::timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(status) => status.map(|_| ()),
            Err(_) => self.child.kill().await,
        }
        .map_err(BrokerError::Wait)
    }
}

/// What the child does: ties its life to its parent's, takes the lock, becomes nats-server.
///
/// # Errors
/// Always: where it succeeds it does not return.
pub fn become_broker(arguments: &arguments::Broker) -> io::Error {
    fn prepare(arguments: &arguments::Broker) -> io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // The parent may have ended before the kernel was asked.
        if rustix::process::getppid().map(Pid::as_raw_pid) != Some(arguments.parent) {
            return Err(io::Error::other("the parent has ended"));
        }
        // nats-server writes its ports file for everybody to read; all in the state folder is its owner's.
        rustix::process::umask(Mode::from_raw_mode(0o077));
        // Not closed on exec, and never closed here: nats-server holds it for us. The parent has a
        // deadline for how long this may wait.
        let lock = rustix::fs::open(
            &arguments.lock,
            OFlags::RDWR | OFlags::CREATE,
            Mode::RUSR | Mode::WUSR,
        )?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        std::mem::forget(lock);
        Ok(())
    }
    if let Err(error) = prepare(arguments) {
        return error;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the broker is no plugin; this is the one file here that starts a process"
    )]
    std::process::Command::new(&arguments.nats_server)
        .arg("--config")
        .arg(&arguments.configuration)
        .exec()
}

fn remove_files(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// The last lines of a log, for an error's text; empty where it cannot be read.
fn tail(log: &Path) -> String {
    const LINES: usize = 10;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_with_atomic_batches_is_new_enough() {
        for (text, new) in [
            ("nats-server: v2.12.0", true),
            ("nats-server: v2.15.1-beta.2", true),
            ("nats-server: v3.0.0", true),
            ("nats-server: v2.9.10", false),
            ("", false),
            ("something else", false),
        ] {
            assert_eq!(
                version(text).is_some_and(|version| version >= OLDEST),
                new,
                "{text}"
            );
        }
    }

    #[test]
    fn a_given_server_wins_then_the_tools_folder_then_the_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let tools = folder.path().join(".tools/bin");
        let other = folder.path().join("bin");
        for bin in [&tools, &other] {
            fs::create_dir_all(bin).expect("made");
            fs::write(bin.join("nats-server"), "").expect("written");
        }
        let program = folder.path().join("target/debug/snooze");
        let elsewhere = Path::new("/nowhere/snooze");
        let find = |given: Option<&Path>, program: &Path| {
            find(given, program, Some(other.as_os_str())).expect("found")
        };
        assert_eq!(find(Some(Path::new("/n")), &program), Path::new("/n"));
        assert_eq!(find(None, &program), tools.join("nats-server"));
        // Where the tests run in a checkout with tools of its own, those are nearer than the path.
        if !Path::new(".tools/bin/nats-server").is_file() {
            assert_eq!(find(None, elsewhere), other.join("nats-server"));
        }
    }
}
