//! What a plugin's process may reach, fenced by the kernel before the plugin's own code begins.
//!
//! A plugin starts as this very program, which reads its orders from the socket that is its standard input,
//! fences itself and becomes the plugin: the same process, the same group. What the kernel does not enforce is
//! told to the runner, never passed over. It decides nothing about what a plugin is granted, and no code runs
//! between fork and exec.

mod chain;
mod channel;
mod control_group;
mod disk;
mod enter;
mod entry;
mod grants;
mod home;
mod limits;
mod numbers;
mod openings;
mod orders;
mod others;
mod programs;
mod reach;
mod resolve;
mod system_calls;
mod user;
mod writers;

pub use grants::read as read_permissions;
pub use numbers::Users;
pub use orders::Fenced;
pub use writers::Writers;

pub(crate) use channel::Entering;
pub(crate) use control_group::{ControlGroup, ControlGroups};
pub(crate) use entry::Entry;
pub(crate) use grants::{PERMISSIONS, expected_at, granted};
pub(crate) use home::make as make_home;
pub(crate) use limits::{FILE_BYTES, Limits, OPEN_FILES};
pub(crate) use numbers::user_of;
pub(crate) use orders::Outcome;
pub(crate) use others::Others;

use crate::{guest::Seat, packages::Shelved};
use snooze_schemas::{PluginName, plugin::permissions::Permissions};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// To go through some thousand files takes milliseconds, and a disk is not full within a minute of one plugin's files.
const DISK_LOOK: Duration = Duration::from_secs(60);

/// The word on the command line that asks this program to become a plugin.
pub(crate) const ASKED: &str = "__fence";

/// How plugins are fenced on this host.
#[derive(Clone)]
pub struct FenceConfig {
    /// The program that fences itself: one whose `main` calls [`become_plugin_if_asked`].
    pub program: PathBuf,
    /// Where control groups are made.
    pub control_groups: ControlGroupRoot,
    /// Whether a plugin that cannot be fenced in every way is not run.
    pub require_isolation: bool,
    /// What a plugin may be granted of the runner's environment.
    pub environment: BTreeMap<String, OsString>,
    /// Which plugin is which user; one for all plugins of a runner.
    pub users: Users,
    /// Which plugin may write where; one for all plugins of a runner.
    pub writers: Writers,
    /// How often it is looked at what a running plugin's working folder holds.
    pub disk_look: Duration,
    /// Who looks; one for all plugins of a runner.
    pub disk_turns: Arc<Semaphore>,
}

/// Where control groups are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlGroupRoot {
    /// Below the runner's own, where that is its to divide.
    Own,
    /// Below this folder of the hierarchy.
    At(PathBuf),
}

impl Default for FenceConfig {
    fn default() -> Self {
        FenceConfig {
            // Not its path: that may be another program by now, which knows other orders.
            program: PathBuf::from("/proc/self/exe"),
            control_groups: ControlGroupRoot::Own,
            require_isolation: false,
            environment: BTreeMap::new(),
            users: Users::default(),
            writers: Writers::default(),
            disk_look: DISK_LOOK,
            disk_turns: Arc::new(Semaphore::new(1)),
        }
    }
}

impl FenceConfig {
    /// With the environment of this process to grant from.
    #[must_use]
    pub fn of_this_process() -> FenceConfig {
        #[expect(
            clippy::disallowed_methods,
            reason = "what is granted by name is the environment itself, and no configuration of ours"
        )]
        let variables = std::env::vars_os();
        let readable = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        FenceConfig {
            environment: readable.collect(),
            ..FenceConfig::default()
        }
    }
}

impl fmt::Debug for FenceConfig {
    /// Environments hold passwords: only names are shown.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FenceConfig")
            .field("program", &self.program)
            .field("control_groups", &self.control_groups)
            .field("require_isolation", &self.require_isolation)
            .field("environment", &self.environment.keys())
            .field("users", &self.users)
            .field("writers", &self.writers)
            .field("disk_look", &self.disk_look)
            .field("disk_turns", &self.disk_turns)
            .finish()
    }
}

/// The fence of one plugin.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The plugin, by the name of its file: what it calls itself grants nothing.
    pub plugin: PluginName,
    /// The folder that is its own to read, where it has more than one file.
    pub folder: Option<PathBuf>,
    /// The package that its files have to be those of, where it was installed.
    pub(crate) package: Option<Shelved>,
    /// What it may do.
    pub permissions: Permissions,
    /// How plugins are fenced on this host.
    pub config: Arc<FenceConfig>,
    /// Where its control group is made, or why there is none.
    pub(crate) control_groups: Arc<Result<ControlGroups, String>>,
}

impl Fence {
    /// The fence of a plugin by itself, whose control group lies where the configuration says.
    #[must_use]
    pub fn new(plugin: PluginName, permissions: Permissions, config: FenceConfig, state: &Path) -> Fence {
        let control_groups = ControlGroups::prepare(&config.control_groups, scope_of(state));
        Fence {
            plugin,
            folder: None,
            package: None,
            permissions,
            config: Arc::new(config),
            control_groups: Arc::new(control_groups),
        }
    }

    /// What it may hold.
    pub(crate) fn limits(&self) -> Limits {
        Limits::of(&self.permissions)
    }

    /// What is where other plugins write, whose working folders lie beside this one. It blocks for a moment.
    pub(crate) fn others(&self, home: &Path) -> Others {
        self.config
            .writers
            .others(&self.plugin, &self.permissions.write, home)
    }

    /// Waits until its working folder holds more than it may, or nobody can tell in time, and returns what is to be told
    /// of it. What each look has counted is kept. Cancelling it loses nothing; a look that is under way ends by itself.
    pub(crate) async fn until_disk_is_full(
        &self,
        home: &Path,
        seat: &Seat,
        counted: &watch::Sender<Option<u64>>,
    ) -> String {
        let rounds = disk::Rounds {
            plugin: &self.plugin,
            every: self.config.disk_look,
            turns: &self.config.disk_turns,
            seat,
            counted,
        };
        disk::until_full(home, self.limits().disk_mb, rounds).await
    }

    /// Where its control group is, where there is one.
    pub(crate) fn control_group(&self) -> Option<PathBuf> {
        let groups = self.control_groups.as_ref().as_ref().ok()?;
        Some(groups.folder_of(&self.plugin))
    }

    /// What it sees of the runner's environment.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&String, &OsString)> {
        let granted = self.permissions.env.iter();
        granted.filter_map(|name| self.config.environment.get_key_value(name))
    }
}

/// Tells the control groups of one runner from those of others on this machine, by its state folder.
pub(crate) fn scope_of(state: &Path) -> String {
    format!(
        "{:08x}",
        numbers::hash_of(state.as_os_str().as_encoded_bytes()) >> 32
    )
}

/// Becomes a plugin where the command line asks for it: `main` calls this first, before any thread.
///
/// Returns nothing where it was not asked, and does not return where it succeeds.
#[must_use]
pub fn become_plugin_if_asked() -> Option<ExitCode> {
    if std::env::args_os().nth(1).is_none_or(|word| word != ASKED) {
        return None;
    }
    Some(enter::become_plugin())
}
