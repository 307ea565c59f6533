//! The private nats-server of `snooze up`: found, started on a free loopback port, ended with us.
//!
//! It is a child that the kernel ends when this process ends, however that happens: the child starts as
//! this same program, asks the kernel for a signal at its parent's death, and then becomes nats-server.
//! The lock file is open in it across that change, so the lock is held exactly as long as the broker
//! lives, and a next start waits for it instead of opening the same store twice.

mod candidates;
mod error;
mod files;
mod version;

pub use candidates::{candidates, checkout};
pub use error::BrokerError;

use crate::{arguments, state_folder::StateFolder};
use files::{remove_files, tail, url_in};
use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    process::{Pid, Signal},
};
use std::{
    fs, io,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Child;
use version::is_new_enough;

/// A start takes a tenth of a second; a large store on a slow disk some seconds.
const START_LIMIT: Duration = Duration::from_secs(15);
/// It flushes and closes in well under a second; after this it is killed, which loses nothing that it
/// acknowledged: it syncs at every write.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(2);
/// To say its version takes it some milliseconds.
const VERSION_LIMIT: Duration = Duration::from_secs(5);
/// How often the file with its ports is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    url: String,
}

/// The first of these that is new enough.
///
/// # Errors
/// There is none; where there is an older one, which.
pub async fn first_new_enough(candidates: &[PathBuf]) -> Result<&Path, BrokerError> {
    let mut first = None;
    for path in candidates {
        match check_version(path).await {
            Ok(()) => return Ok(path),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(BrokerError::Find))
}

/// Checks that it is new enough.
async fn check_version(path: &Path) -> Result<(), BrokerError> {
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
    let output = match tokio::time::timeout(VERSION_LIMIT, output).await {
        Ok(output) => output,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let output = output.map_err(|source| BrokerError::Version {
        path: path.to_owned(),
        source,
    })?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if is_new_enough(&found) {
        Ok(())
    } else {
        Err(BrokerError::TooOld {
            path: path.to_owned(),
            found,
        })
    }
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
        // Not resolved further: a link or a shim may go by the name that it is called by.
        let nats_server = std::path::absolute(nats_server).map_err(BrokerError::Spawn)?;
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
            .envs(snooze_bus::server_environment(processors()))
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(BrokerError::Spawn)?)
            .stderr(output)
            // A group of its own: Ctrl-C in the terminal is for us, the broker ends last.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(BrokerError::Spawn)?;
        let ready = async {
            loop {
                if let Some(status) = child.try_wait().map_err(BrokerError::Wait)? {
                    return Err(BrokerError::Ended {
                        status,
                        tail: tail(&log),
                        log: log.clone(),
                    });
                }
                if let Some(url) = url_in(&ports) {
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

/// How many the broker may use; one where the kernel does not say.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout and a folder of the path, each with a nats-server that says this version.
    fn servers(on_path: &str, in_checkout: &str) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().expect("a folder");
        let bins = ["bin", "checkout/.tools/bin"].map(|name| folder.path().join(name));
        for (bin, version) in bins.iter().zip([on_path, in_checkout]) {
            fs::create_dir_all(bin).expect("made");
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o755)
                .open(bin.join("nats-server"))
                .expect("made");
            let script = format!("#!/bin/sh\necho 'nats-server: v{version}'\n");
            io::Write::write_all(&mut file, script.as_bytes()).expect("written");
        }
        let program = folder.path().join("checkout/target/debug/snooze");
        let found = candidates(&program, Some(bins[0].as_os_str()));
        assert_eq!(found, bins.map(|bin| bin.join("nats-server")));
        (folder, found)
    }

    #[tokio::test]
    async fn the_first_on_the_path_that_is_new_enough_is_run() {
        for (on_path, in_checkout, which) in [("2.12.0", "2.15.0", 0), ("2.9.10", "2.15.0", 1)] {
            let (_folder, found) = servers(on_path, in_checkout);
            assert_eq!(
                first_new_enough(&found).await.expect("one is"),
                found[which],
                "{on_path}"
            );
        }
        let (_folder, found) = servers("2.9.10", "2.11.0");
        let error = first_new_enough(&found).await.expect_err("none is");
        assert!(
            matches!(&error, BrokerError::TooOld { path, .. } if *path == found[0]),
            "{error}"
        );
        assert!(matches!(first_new_enough(&[]).await, Err(BrokerError::Find)));
    }
}
