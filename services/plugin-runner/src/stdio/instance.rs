//! What was started for a plugin: a process, or a library in this one.
//!
//! Which of the two it is nobody else has to know: both are asked through the same pipes.

use super::{StdioPlugin, supervise::Unstarted};
use crate::{
    fence::{Fenced, Others},
    file_identity::FileIdentity,
    guest::{self, Guest, GuestError, UNFENCED},
    manifest::{sha256_of, sha256_of_bytes},
    pipes::Pipes,
    process::{self, Ending, Process},
    set::fit_to_start,
    working_folder::{self, Owner},
};
use snooze_schemas::plugin::manifest::PluginKind;
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{fs, io, path::Path, sync::Arc};
use tokio::{
    process::ChildStderr,
    sync::OwnedMutexGuard,
    task::{JoinError, spawn_blocking},
};

/// What was started.
pub(super) enum Instance {
    /// A child of the runner.
    Process(Box<Process>),
    /// A part of it.
    Guest(Guest),
}

/// What was started, and how it is asked.
pub(super) struct Launched {
    pub(super) instance: Instance,
    pub(super) pipes: Pipes,
    /// A library's is the runner's own.
    pub(super) stderr: Option<ChildStderr>,
}

impl StdioPlugin {
    /// Whether it is a library.
    pub(crate) fn is_native(&self) -> bool {
        let manifest = self.manifest();
        manifest.is_some_and(|manifest| manifest.stated().kind == PluginKind::Native)
    }

    /// What it runs in, for people.
    pub(crate) fn runtime(&self) -> &'static str {
        if self.is_native() { "native" } else { "process" }
    }

    /// Starts it, where its files are those that its manifest states and those that were approved. Once this is cancelled
    /// nothing more is removed of its working folder.
    pub(super) async fn launch(self: &Arc<Self>) -> Result<Launched, Unstarted> {
        let Some(turn) = self.seat.files().await else {
            let why = "an earlier start of it, or a look at its working folder, is still at its files; the disk with them, \
                       or with that folder, may not answer";
            return Err(Unstarted::Failed(why.to_owned()));
        };
        let among = self.seat.turn().await;
        if among.is_none() {
            tracing::debug!(plugin = %self.name(), "starts of other plugins take long; this one starts beside them");
        }
        // What is cancelled here goes on until it sees that, and nobody else is at the files before.
        let given_up = CancellationToken::new();
        let _gives_up = given_up.clone().drop_guard();
        let plugin = self.clone();
        if self.is_native() {
            let loaded = spawn_blocking(move || (FileIdentity::of(plugin.path()), plugin.load(turn))).await;
            let (seen, loaded) = loaded.map_err(lost)?;
            self.note_file(seen);
            return loaded;
        }
        let compared = spawn_blocking(move || {
            // Before it is compared: what is run is this very file.
            let seen = FileIdentity::of(plugin.path());
            let compared = plugin
                .compare(sha256_of)
                .and_then(|()| plugin.make_ready(&given_up))
                .map(|()| plugin.others());
            drop(turn);
            (seen, compared)
        });
        let (seen, compared) = compared.await.map_err(lost)?;
        drop(among);
        self.note_file(seen);
        let others = compared?;
        // Without it nobody could tell right before it begins whether it is the file that was compared.
        let Some(seen) = seen else {
            let path = self.path().display();
            return Err(Unstarted::Failed(format!(
                "{path} could not be seen when it was to be started"
            )));
        };
        let started = process::start_as(&self.settings.program, Some(seen), others);
        let (process, pipes, stderr) = started.map_err(|error| Unstarted::Failed(one_line(&error)))?;
        Ok(Launched {
            instance: Instance::Process(Box::new(process)),
            pipes,
            stderr: Some(stderr),
        })
    }

    fn compare(&self, digest: impl Fn(&Path) -> io::Result<String>) -> Result<(), Unstarted> {
        let found = self.found();
        fit_to_start(&found, &self.grant, digest).map_err(|unfit| match unfit.is_lasting() {
            true => Unstarted::Held(unfit.to_string()),
            false => Unstarted::Failed(unfit.to_string()),
        })?;
        match &found.manifest {
            Some(manifest) => manifest
                .compare()
                .map_err(|error| Unstarted::Failed(one_line(&error))),
            None => Ok(()),
        }
    }

    /// Makes its working folder, in which it finds nothing that another one left there.
    fn make_ready(&self, given_up: &CancellationToken) -> Result<(), Unstarted> {
        let program = &self.settings.program;
        // What has no fence writes where it likes.
        if program.fence.is_none() {
            return Ok(());
        }
        let entry = sha256_of(&program.path)
            .map_err(|error| Unstarted::Failed(format!("read {}: {error}", program.path.display())))?;
        let manifest = self.manifest().map(|manifest| manifest.sha256());
        let owner = Owner::of(&entry, manifest, &self.grant.permissions);
        working_folder::make_ready(&program.home, &owner, given_up).map_err(Unstarted::Failed)
    }

    /// What is where other plugins write.
    fn others(&self) -> Others {
        let program = &self.settings.program;
        let others = program.fence.as_ref().map(|fence| fence.others(&program.home));
        others.unwrap_or_default()
    }

    /// What is loaded are the bytes that were compared.
    fn load(&self, turn: OwnedMutexGuard<()>) -> Result<Launched, Unstarted> {
        let program = &self.settings.program;
        if program
            .fence
            .as_ref()
            .is_some_and(|fence| fence.config.require_isolation)
        {
            let why = "plugins.require_isolation is set, and nothing isolates a native plugin";
            return Err(Unstarted::Held(why.to_owned()));
        }
        let bytes = fs::read(&program.path)
            .map_err(|error| Unstarted::Failed(format!("read {}: {error}", program.path.display())))?;
        self.compare(|path| {
            if path == program.path {
                Ok(sha256_of_bytes(&bytes))
            } else {
                sha256_of(path)
            }
        })?;
        // One that hangs while it is opened says so itself.
        drop(turn);
        match guest::start(self.name().as_str(), &bytes, &self.seat) {
            Ok((guest, pipes)) => Ok(Launched {
                instance: Instance::Guest(guest),
                pipes,
                stderr: None,
            }),
            // What was loaded stays in memory, so that the same bytes are not tried again.
            Err(error @ GuestError::Load(_)) if !error.is_of_the_moment() => {
                Err(Unstarted::Held(one_line(&error)))
            }
            Err(error) => Err(Unstarted::Failed(one_line(&error))),
        }
    }
}

fn lost(_: JoinError) -> Unstarted {
    Unstarted::Failed("its files could not be compared".to_owned())
}

impl Instance {
    /// The id of the process, where it is one.
    pub(super) fn id(&self) -> Option<i32> {
        match self {
            Self::Process(process) => Some(process.id()),
            Self::Guest(_) => None,
        }
    }

    /// Waits until the plugin's own code has begun, and returns what its fence says. Cancelling it loses the answer.
    ///
    /// # Errors
    /// Why it does not begin.
    pub(super) async fn begun(&mut self) -> Result<Fenced, String> {
        match self {
            Self::Process(process) => process.begun().await,
            Self::Guest(_) => Ok(Fenced {
                not_enforced: vec![UNFENCED.to_owned()],
                not_granted: Vec::new(),
            }),
        }
    }

    /// Waits until it has ended by itself. Cancelling it loses nothing.
    pub(super) async fn ended(&self) {
        match self {
            Self::Process(process) => process.ended().await,
            Self::Guest(guest) => guest.ended().await,
        }
    }

    /// Ends it, and returns the reason with how it ended, where that says more. A library ends once its pipes are
    /// closed and what it was asked is answered, or is left behind.
    pub(super) async fn end(self, why: &str) -> String {
        match self {
            Self::Process(process) => match process.kill().await {
                // SIGKILL is how we end it.
                Ending::Signalled { signal: 9 } => why.to_owned(),
                other => format!("{why}; {other}"),
            },
            Self::Guest(guest) => {
                if guest.leave().await {
                    why.to_owned()
                } else {
                    format!("{why}; it hangs, and its thread is left behind")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
