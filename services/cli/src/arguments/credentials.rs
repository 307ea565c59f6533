//! The arguments of `snooze credentials`: whom they are for, and how far they go.

use clap::{Args, ValueEnum};
use snooze_schemas::{HostId, PluginName};
use std::path::PathBuf;

/// Whom credentials are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Holder {
    /// A plugin that connects by itself and serves one host: name it, and where there are several the host with --host.
    Plugin,
    /// A plugin that runs elsewhere and serves any host.
    FleetPlugin,
    /// A source of your own events; --host and --severity bound what it may send.
    Source,
    /// A person who looks, asks, freezes and wakes.
    Operator,
    /// An operator who may change the configuration as well.
    Administrator,
    /// A program that shows and changes nothing.
    Dashboard,
    /// The services on one watched machine, named after the host.
    Host,
    /// An executor.
    Executor,
    /// An event gateway.
    Gateway,
}

/// Arguments of `credentials`.
#[derive(Debug, Args)]
pub struct Credentials {
    /// Whom they are for.
    #[arg(value_enum)]
    pub holder: Holder,
    /// The plugin's, source's, person's, host's or service's name.
    pub name: String,
    /// A plugin's host; the only hosts that a source may name, for a source may be given several times.
    #[arg(long, value_name = "HOST")]
    pub host: Vec<HostId>,
    /// A plugin that serves every host and that this host may ask; may be given several times.
    #[arg(long, value_name = "PLUGIN")]
    pub fleet_plugin: Vec<PluginName>,
    /// How urgent a source's events may be at most: 0 info, 1 warning, 2 urgent, 3 critical.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub severity: Option<u8>,
    /// Give the name these rights to send events in place of others that it has; a source, an operator and an
    /// administrator of one name share them.
    #[arg(long)]
    pub replace: bool,
    /// A file that is not there yet; else `creds/<role>-<name>.creds` in the state folder.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print where they are, the broker's address and the prefix of answers as JSON.
    #[arg(long, short = 'j')]
    pub json: bool,
}
