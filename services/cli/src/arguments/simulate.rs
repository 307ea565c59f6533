//! The arguments of `event simulate`: none of them names a bus.

use super::Output;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The most hosts of a storm: twice as many as were ever measured on a small machine.
const MOST_HOSTS: i64 = 2_000;

/// What is played, on a private bus and on no other.
#[derive(Debug, Subcommand)]
pub enum EventSimulate {
    /// AWS tells a spot instance that it will be terminated.
    Spot(SimulateSpot),
    /// AWS tells many spot instances so at once.
    Storm(SimulateStorm),
    /// Azure tells a spot machine that it will be preempted.
    Azure(SimulateAzure),
    /// Google tells a spot machine that it is being preempted, thirty seconds before.
    Gcp(SimulateGcp),
}

/// Arguments of `event simulate spot`.
#[derive(Debug, Args)]
pub struct SimulateSpot {
    /// How long before it happens it is announced, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub notice: u16,
    /// Who handles it.
    #[command(flatten)]
    pub rehearsed: Rehearsed,
}

/// Arguments of `event simulate azure`.
#[derive(Debug, Args)]
pub struct SimulateAzure {
    /// How long before it happens it is announced, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub notice: u16,
    /// Who handles it.
    #[command(flatten)]
    pub rehearsed: Rehearsed,
}

/// Arguments of `event simulate gcp`.
#[derive(Debug, Args)]
pub struct SimulateGcp {
    /// Who handles it.
    #[command(flatten)]
    pub rehearsed: Rehearsed,
}

/// Arguments of `event simulate storm`.
#[derive(Debug, Args)]
pub struct SimulateStorm {
    /// How many hosts; each has its event gateway and its plugin runner here, in this process.
    #[arg(long, short = 'n', value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..=MOST_HOSTS))]
    pub hosts: u16,
    /// How long before it happens it is announced, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub notice: u16,
    /// The nats-server to run; else the first on the PATH that is new enough, else the checkout's own.
    #[arg(long, value_name = "FILE", env = "SNOOZE_NATS_SERVER")]
    pub nats_server: Option<PathBuf>,
    /// How it is printed; with --json the story of every event too.
    #[command(flatten)]
    pub output: Output,
}

/// Who handles what is announced to one host, and how it is told.
#[derive(Debug, Args)]
pub struct Rehearsed {
    /// Your own handlers: a plugin's folder, or a folder of plugins. They run for real, in their fences; each is granted
    /// what its manifest asks for, unless --config says what it may do.
    #[arg(long, value_name = "DIR")]
    pub plugins: Option<PathBuf>,
    /// A host's configuration, as /etc/snooze/snooze.json: what it says of plugins and of who handles events holds.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The nats-server to run; else the first on the PATH that is new enough, else the checkout's own.
    #[arg(long, value_name = "FILE", env = "SNOOZE_NATS_SERVER")]
    pub nats_server: Option<PathBuf>,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}
