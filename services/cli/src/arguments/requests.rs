//! The arguments of what is asked of an executor: the kill switch, leases, wakes.

use super::values::{Reason, duration};
use clap::Args;
use snooze_schemas::HostId;
use std::time::Duration;

/// Arguments of `freeze`.
#[derive(Debug, Args)]
pub struct Freeze {
    /// Why; people see it wherever a stop is missing.
    #[arg(long, value_parser = Reason, default_value = "by hand")]
    pub reason: String,
}

/// Arguments of `lease`.
#[derive(Debug, Args)]
pub struct Lease {
    /// The host.
    pub host: HostId,
    /// For how long (90s, 15m, 8h); a lease always expires.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "1h")]
    pub duration: Duration,
    /// Why.
    #[arg(long, value_parser = Reason, default_value = "by hand")]
    pub reason: String,
    /// Names the lease: the same id replaces it.
    #[arg(long, default_value = "cli")]
    pub id: String,
}

/// Arguments of `postpone`.
#[derive(Debug, Args)]
pub struct Postpone {
    /// The host.
    pub host: HostId,
    /// For how long (90s, 15m, 8h).
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "30m")]
    pub duration: Duration,
    /// Why.
    #[arg(long, value_parser = Reason, default_value = "by hand")]
    pub reason: String,
}

/// Arguments of `wake`.
#[derive(Debug, Args)]
pub struct Wake {
    /// The host.
    pub host: HostId,
    /// Why.
    #[arg(long, value_parser = Reason, default_value = "by hand")]
    pub reason: String,
}
