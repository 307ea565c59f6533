//! The arguments of what only looks: `status`, `explain`, `history`.

use super::{Output, values::since};
use clap::Args;
use snooze_schemas::{HostId, Timestamp};
use std::time::Duration;

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Only this host.
    pub host: Option<HostId>,
    /// Keep showing it until Ctrl-C; with --json an object a line, one a second.
    #[arg(long)]
    pub watch: bool,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The host; needed where there are several.
    pub host: Option<HostId>,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    /// Only this host.
    #[arg(long)]
    pub host: Option<HostId>,
    /// How many entries, the newest ones; 20, or with --since all of them up to 10000.
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: Option<u16>,
    /// Only entries since this time (2026-01-31T12:00:00Z) or for so long (90s, 15m, 8h, 7d).
    #[arg(long, value_parser = since)]
    pub since: Option<Since>,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// A point in time.
    Time(Timestamp),
    /// So long before now.
    Ago(Duration),
}
