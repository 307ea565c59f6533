//! What `snooze up` is going to run, settled before anything is started.

mod asked;

use super::{
    broker,
    demonstration::{self, STOPPED_SECONDS},
    host::Host,
};
use crate::{
    arguments::Up,
    home::Home,
    state_folder::{StateError, StateFolder},
    view::{model::Preface, show, terminal::TerminalLook},
};
use asked::{clouds, layer_of, load};
use serde_json::{Map, json};
use snooze_executor::provider::{Clouds, Permission, Target, simulated::SimulatedCloud};
use snooze_schemas::{SourceName, policy::ConfigLayer};
use snooze_service_runtime::{
    Clocks, Exit, Failure, LocalConfig, Notice, config::PluginsConfig, exit::one_line,
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The folder with the demonstration's plugins, in a checkout.
const PLUGINS: &str = "plugins/demonstration";

/// How often an output that is no terminal is told how things stand, where nobody watches a demonstration:
/// in a journal, what changed is said when it changes.
const STANDING_UNWATCHED: Duration = Duration::from_secs(600);

/// Whether the simulated instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    /// It does.
    On,
    /// It is stopped, and so is all that would run on it.
    Off,
}

/// What is run.
pub(super) struct Plan {
    /// Where everything is kept.
    pub(super) state: StateFolder,
    /// Keeps another one off the state folder for as long as this one runs.
    pub(super) _claim: OwnedFd,
    /// Where a nats-server may be, the best first.
    pub(super) nats_servers: Vec<PathBuf>,
    /// This machine, as a host.
    pub(super) host: Host,
    /// The clouds that the executor reaches.
    pub(super) clouds: Clouds,
    /// The simulated one, where it is used.
    pub(super) simulated: Option<Arc<SimulatedCloud>>,
    /// The policy, or none for the demonstration's own.
    pub(super) layer: Option<ConfigLayer>,
    /// What concerns only this machine.
    pub(super) local: LocalConfig,
    /// What the configuration has to say.
    pub(super) notices: Vec<Notice>,
    /// Who types: the administrator's name, and the source of the events that they send.
    pub(super) user: SourceName,
    /// Where runs of idleness are kept over a restart.
    pub(super) runtime: PathBuf,
    /// Where the terminals of people are, who are told before a stop.
    pub(super) terminals: PathBuf,
    /// What the view may use of the terminal.
    pub(super) look: TerminalLook,
    /// The clocks.
    pub(super) clocks: Clocks,
}

impl Plan {
    /// Settles it, as far as that goes without the bus.
    pub(super) fn make(arguments: &Up, state: Option<&Path>, home: &Home) -> Result<Plan, Failure> {
        let loaded = load(arguments)?;
        let (clouds, simulated) = clouds(arguments.cloud)?;
        let usage = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Exit::Usage, error);
        let state = StateFolder::locate(state, home).map_err(|error| usage(&error))?;
        let program =
            std::env::current_exe().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let nats_servers = match &arguments.nats_server {
            Some(given) => vec![given.clone()],
            None => broker::candidates(&program, home.search_path.as_deref()),
        };
        state.create().map_err(|error| match error {
            StateError::Foreign { .. } => usage(&error),
            error => Failure::from_error(Exit::Failed, &error),
        })?;
        let claim = state
            .claim()
            .map_err(|error| Failure::from_error(Exit::Refused, &error))?;
        let named = loaded.as_ref().and_then(|loaded| loaded.local.host_id.clone());
        let host = Host::of_this_machine(arguments.cloud, arguments.host.clone(), named)?;
        let demonstrates = loaded.is_none();
        let (layer, local, notices) = match loaded {
            Some(loaded) => (Some(layer_of(loaded.policy)?), loaded.local, loaded.notices),
            None => (None, LocalConfig::default(), Vec::new()),
        };
        let mut plan = Plan {
            runtime: runtime_folder(home, &state),
            terminals: match simulated {
                // Nothing is stopped, so nobody at this machine's terminals is to be alarmed.
                Some(_) => state.path("terminals"),
                None => PathBuf::from("/dev"),
            },
            look: home.look(),
            user: person(home),
            state,
            _claim: claim,
            nats_servers,
            host,
            clouds,
            simulated,
            layer,
            local,
            notices,
            clocks: Clocks::real(),
        };
        if demonstrates {
            plan.local.plugins = plan.demonstration_plugins(arguments.plugins.as_deref(), &program);
        }
        Ok(plan)
    }

    /// Whether this shows what it does, and no more.
    pub(super) fn demonstrates(&self) -> bool {
        self.layer.is_none()
    }

    /// What stands above the view at first.
    pub(super) fn preface(&self) -> Preface {
        let mut preface = if self.demonstrates() {
            demonstration::preface_measuring()
        } else {
            let (id, cloud, instance) = (&self.host.id, self.host.cloud(), &self.host.record.instance);
            Preface {
                essential: vec![format!("{id} is watched; its {cloud} instance is {instance}.")],
                details: Vec::new(),
            }
        };
        let notices = self.notices.iter().map(|notice| format!("config   {notice}"));
        preface.details.extend(notices);
        preface
    }

    /// Whether a stop would be allowed, by the cloud's own word; empty for the simulated one.
    pub(super) async fn permission(&self) -> Vec<String> {
        if self.simulated.is_some() {
            return Vec::new();
        }
        let target = Target::from_roster(&self.host.id, &self.host.record);
        let checked = match self.clouds.of(&target) {
            Ok(cloud) => cloud.permission_check(&target).await,
            Err(error) => Err(error),
        };
        vec![match checked {
            Ok(Permission::Granted) => {
                "rights   a stop of this instance is permitted (asked with DryRun)".to_owned()
            }
            Ok(Permission::Denied(why)) => {
                format!("rights   a stop of this instance would be refused: {why}")
            }
            Err(error) => format!("rights   not known: {}", one_line(&error)),
        }]
    }

    /// How often an output that is no terminal is told how things stand.
    pub(super) fn standing_every(&self) -> Duration {
        match self.simulated {
            Some(_) => show::STANDING,
            None => STANDING_UNWATCHED,
        }
    }

    /// Removes what was kept for a restart of the runner, where there is nothing to be kept: a simulated
    /// instance is forgotten with this process.
    pub(super) fn clean_up(&self) -> Result<(), Failure> {
        if self.simulated.is_none() {
            return Ok(());
        }
        match std::fs::remove_dir_all(&self.runtime) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let text = format!("remove {}: {error}", self.runtime.display());
                Err(Failure::new(Exit::Failed, text))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// What can be typed.
    pub(super) fn keys(&self) -> String {
        match self.simulated {
            Some(_) => "q quit   w start the simulated instance again".to_owned(),
            None => "q quit".to_owned(),
        }
    }

    fn demonstration_plugins(&self, given: Option<&Path>, program: &Path) -> PluginsConfig {
        let found = broker::checkout(program).map(|root| root.join(PLUGINS));
        let folder = given.map(Path::to_owned).or(found);
        // Plugins are started elsewhere, so where they are must not depend on this folder.
        let folder = folder.and_then(|folder| std::fs::canonicalize(folder).ok());
        let mut keep_awake = Map::new();
        let file = self.state.path("keep-awake");
        keep_awake.insert("file".to_owned(), json!(file));
        // It reads its configuration with sed, and has to see whether the file is there.
        keep_awake.insert("permissions".to_owned(), json!({"run": ["sed"], "read": [file]}));
        let mut load_average = Map::new();
        // It writes what happens to its log.
        let events = json!({"events": ["snooze.pending", "custom"]});
        load_average.insert("permissions".to_owned(), events);
        let configs = [("keep-awake", keep_awake), ("load-average", load_average)];
        PluginsConfig {
            enabled: true,
            directories: folder.into_iter().collect(),
            require_isolation: false,
            configs: configs.map(|(name, own)| (name.to_owned(), own)).into(),
        }
    }
}

/// Who types, as far as that can be a name on the bus.
fn person(home: &Home) -> SourceName {
    let name = home.user.as_deref().and_then(|name| name.parse().ok());
    name.unwrap_or_else(|| "administrator".parse().expect("a valid name"))
}

/// A folder that does not survive a reboot; neither two people's runs nor those of two state folders share
/// one. The hash is the same for every start of one program, and another program may begin anew.
fn runtime_folder(home: &Home, state: &StateFolder) -> PathBuf {
    let base = home.runtime.clone().unwrap_or_else(|| PathBuf::from("/dev/shm"));
    let mut hasher = DefaultHasher::new();
    state.root().hash(&mut hasher);
    let (user, state) = (rustix::process::geteuid().as_raw(), hasher.finish());
    base.join(format!("snooze-{user}-{state:016x}"))
}

/// What the view says of the simulated instance once it is stopped.
pub(super) fn stopped_note(instance: &str) -> String {
    format!(
        "{instance} is stopped: for real, this machine would be off now, so its collector, runner and event gateway are. It is started again in {STOPPED_SECONDS} s; w starts it at once."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_state_folders_share_no_runs_of_idleness() {
        let home = Home {
            runtime: Some("/run/user/1".into()),
            ..Home::default()
        };
        let folder = |state: &str| {
            let state = StateFolder::locate(Some(Path::new(state)), &home).expect("given");
            runtime_folder(&home, &state)
        };
        assert!(folder("/a").starts_with("/run/user/1"));
        assert_eq!(folder("/a"), folder("/a"));
        assert_ne!(folder("/a"), folder("/b"));
    }
}
