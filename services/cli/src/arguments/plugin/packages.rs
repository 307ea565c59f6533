//! The arguments of `snooze plugin install` and `uninstall`.

use super::Level;
use crate::arguments::{Output, values::duration};
use clap::Args;
use snooze_schemas::PluginName;
use std::{path::PathBuf, time::Duration};

/// Arguments of `plugin install`.
#[derive(Debug, Args)]
pub struct PluginInstall {
    /// A package, or a plugin's folder with a plugin.json, which is made one.
    pub path: PathBuf,
    /// A JSON object with what it may do, in place of what its manifest asks for, as for `plugin approve`;
    /// `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub permissions: Option<PathBuf>,
    /// Agree without being asked.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// For how long it is waited for the hosts to say that they have it (30s, 5m).
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub wait: Duration,
    /// Which hosts it is for.
    #[command(flatten)]
    pub level: Level,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin uninstall`.
#[derive(Debug, Args)]
pub struct PluginUninstall {
    /// The plugin.
    pub plugin: PluginName,
    /// Also what it is configured with here.
    #[arg(long)]
    pub config: bool,
    /// Also its package in the store, where no other host has it installed.
    #[arg(long)]
    pub package: bool,
    /// Also what narrower levels say of it: with --group those of its hosts, with --fleet those of every group and host.
    /// What it is configured with there stays without --config.
    #[arg(long, conflicts_with = "host")]
    pub everywhere: bool,
    /// Which hosts it is for.
    #[command(flatten)]
    pub level: Level,
}
