//! The arguments of `snooze plugin approve`, `load`, `unload`, `reload` and `credentials`.

use super::Level;
use crate::arguments::{Credentials, Holder, Output};
use clap::Args;
use snooze_schemas::{EventType, HostId, PluginName};
use std::path::PathBuf;

/// Arguments of `plugin approve`.
#[derive(Debug, Args)]
pub struct PluginApprove {
    /// The plugin.
    pub plugin: PluginName,
    /// A JSON object with what it may do, in place of what its manifest asks for: tcp, listen, udp, raw, unix, read,
    /// write, devices, run, env, events, memory_mb, cpu_percent, processes,
    /// disk_mb; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub permissions: Option<PathBuf>,
    /// A type of event that it is given besides; can be said several times. What has no manifest keeps what was approved
    /// for the same file.
    #[arg(long = "event", value_name = "TYPE", conflicts_with = "revoke")]
    pub events: Vec<EventType>,
    /// Agree without being asked.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Take the approval back: the plugin may then do nothing but compute, unless a wider level or the host's own
    /// file says more.
    #[arg(long, conflicts_with = "permissions")]
    pub revoke: bool,
    /// Which hosts it is for.
    #[command(flatten)]
    pub level: Level,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin load` and `plugin unload`.
#[derive(Debug, Args)]
pub struct PluginLoad {
    /// The plugin.
    pub plugin: PluginName,
    /// Which hosts are asked.
    #[command(flatten)]
    pub level: Level,
    /// How their answers are printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin reload`.
#[derive(Debug, Args)]
pub struct PluginReload {
    /// Start this one anew, whether it has changed or not; else only what has changed.
    pub plugin: Option<PluginName>,
    /// Which hosts are asked.
    #[command(flatten)]
    pub level: Level,
    /// How their answers are printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin credentials`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("where").args(["host", "fleet"]))]
pub struct PluginCredentials {
    /// The plugin.
    pub plugin: PluginName,
    /// The host that it serves; without either the only one that there is.
    #[arg(long)]
    pub host: Option<HostId>,
    /// It serves every host that it is granted to.
    #[arg(long)]
    pub fleet: bool,
    /// A file that is not there yet; else `creds/<role>-<name>.creds` in the state folder.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print where they are, the broker's address and the prefix of answers as JSON.
    #[arg(long, short = 'j')]
    pub json: bool,
}

impl From<PluginCredentials> for Credentials {
    fn from(arguments: PluginCredentials) -> Credentials {
        Credentials {
            holder: match arguments.fleet {
                true => Holder::FleetPlugin,
                false => Holder::Plugin,
            },
            name: arguments.plugin.to_string(),
            host: arguments.host.into_iter().collect(),
            fleet_plugin: Vec::new(),
            severity: None,
            replace: false,
            output: arguments.output,
            json: arguments.json,
        }
    }
}
