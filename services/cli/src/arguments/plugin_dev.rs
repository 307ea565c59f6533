//! The arguments of what an author does with a plugin's folder; none of it needs a bus.

use super::{no_bus, values::duration};
use clap::{Args, Subcommand, ValueEnum};
use snooze_schemas::PluginName;
use std::{path::PathBuf, time::Duration};

/// Commands for who writes a plugin.
#[derive(Debug, Subcommand)]
pub enum Development {
    /// Make a folder with a plugin that runs at once, to be changed into your own.
    #[command(args = no_bus())]
    New(PluginNew),
    /// Try a plugin in its fences, or on a bus of its own where it runs by itself: its manifest, the contract, readings,
    /// events and configurations.
    #[command(args = no_bus())]
    Test(PluginTest),
    /// Run a plugin on a private bus, with live readings, and anew at each change; Ctrl-C ends it.
    #[command(args = no_bus())]
    Run(PluginRun),
    /// Make one file of a plugin's folder: the same contents give the same bytes.
    #[command(args = no_bus())]
    Package(PluginPackage),
}

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, with its SDK.
    Rust,
    /// Python 3, with its SDK.
    Python,
    /// Go, with its SDK.
    Go,
    /// TypeScript, with its SDK.
    Typescript,
    /// A shell, as every system has one; without an SDK.
    Shell,
}

/// Arguments of `plugin new`.
#[derive(Debug, Args)]
pub struct PluginNew {
    /// The plugin's name, which its folder has too: a-z, 0-9 and -.
    pub name: PluginName,
    /// What it is written in.
    #[arg(long, value_enum)]
    pub lang: Language,
    /// Where its folder is made; here where it is left out.
    #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
    pub dir: PathBuf,
}

/// Arguments of `plugin test`.
#[derive(Debug, Args)]
pub struct PluginTest {
    /// The plugin's folder.
    pub folder: PathBuf,
    /// Write the report as JUnit's XML too.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// A JSON object: the configuration that it is tried with; its defaults where it is left out.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Send it no events: its handlers do what they do.
    #[arg(long)]
    pub without_events: bool,
    /// How long all of it may take, but for its build, which has ten minutes (90s, 5m); what was found out by then is
    /// told, and that it was not everything.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    pub limit: Duration,
    /// The nats-server for a plugin that runs by itself; else the first on the PATH that is new enough, else the
    /// checkout's own.
    #[arg(long, value_name = "FILE", env = "SNOOZE_NATS_SERVER")]
    pub nats_server: Option<PathBuf>,
}

/// Arguments of `plugin run`.
#[derive(Debug, Args)]
pub struct PluginRun {
    /// The plugin's folder.
    pub folder: PathBuf,
    /// A JSON object: the configuration that it is given; its defaults where it is left out.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The nats-server to run; else the first on the PATH that is new enough, else the checkout's own.
    #[arg(long, value_name = "FILE", env = "SNOOZE_NATS_SERVER")]
    pub nats_server: Option<PathBuf>,
    /// Do not start a plugin that runs by itself: its author does, with what is printed, as in a debugger.
    #[arg(long)]
    pub by_hand: bool,
}

/// Arguments of `plugin package`.
#[derive(Debug, Args)]
pub struct PluginPackage {
    /// The plugin's folder.
    pub folder: PathBuf,
    /// The file; `<name>-<version>.tar.gz` here where it is left out, or beside the folder from within it.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
}
