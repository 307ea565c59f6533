//! The arguments of what is asked of an executor or a gateway: events, the kill switch, leases, wakes.

use super::{
    Output,
    values::{Reason, duration, json_object},
};
use clap::{Args, Subcommand};
use snooze_schemas::{EventType, HostId};
use std::time::Duration;

/// Commands about events.
#[derive(Debug, Subcommand)]
pub enum Event {
    /// File an event of your own; answered once it is filed.
    Send(EventSend),
}

/// Arguments of `event send`.
#[derive(Debug, Args)]
pub struct EventSend {
    /// What happened, as backup.started or custom.backup.started.
    #[arg(value_name = "TYPE")]
    pub event_type: EventType,
    /// The host that it concerns; the whole fleet where absent.
    #[arg(long)]
    pub host: Option<HostId>,
    /// 0 info, 1 warning, 2 urgent, 3 critical; no more than the credentials allow.
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub severity: u8,
    /// Something can be done about it for so long (90s, 15m).
    #[arg(long, value_parser = duration)]
    pub within: Option<Duration>,
    /// An id of your own: the same id is filed once.
    #[arg(long)]
    pub id: Option<snooze_schemas::EventId>,
    /// What else is known, a JSON object.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub data: Option<serde_json::Map<String, serde_json::Value>>,
    /// How the answer is printed.
    #[command(flatten)]
    pub output: Output,
}

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
