//! The arguments of what is done with events.

use super::{
    EventSimulate, Output, no_bus,
    values::{json_object, time_left},
};
use clap::{Args, Subcommand};
use snooze_schemas::{EventId, EventType, HostId, InvalidToken, event::Scope};
use std::time::Duration;

/// Commands about events.
#[derive(Debug, Subcommand)]
pub enum Event {
    /// File an event of your own; answered once it is filed.
    Send(EventSend),
    /// List the newest events and how they ended.
    List(EventList),
    /// Show events and their outcomes as they come, until Ctrl-C.
    Watch(EventWatch),
    /// Tell the whole story of one event: who noticed it, when, who handled it and how.
    Show(EventShow),
    /// File an event again under an id of its own, so that it is handled once more.
    Replay(EventReplay),
    /// Play an interruption on a private bus, from the cloud's notice to the last handler, and tell what happened when.
    #[command(subcommand, args = no_bus())]
    Simulate(EventSimulate),
}

/// Arguments of `event list`.
#[derive(Debug, Args)]
pub struct EventList {
    /// Only those of this host, and of the fleet.
    #[arg(long)]
    pub host: Option<HostId>,
    /// Only this type, and what is below it: `custom` is `custom.backup` too.
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<EventType>,
    /// Only those of this severity and above.
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub severity: u8,
    /// How many, the newest ones.
    #[arg(long, short = 'n', default_value = "20", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `event watch`.
#[derive(Debug, Args)]
pub struct EventWatch {
    /// Only those of this host, and of the fleet.
    #[arg(long)]
    pub host: Option<HostId>,
    /// Only those of this severity and above.
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub severity: u8,
    /// How it is printed; with --json an object a line.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `event show`.
#[derive(Debug, Args)]
pub struct EventShow {
    /// The event's id, as `event send` and `event list` print it.
    #[arg(value_name = "ID")]
    pub id: EventId,
    /// Of this host, or `fleet`, where several have an event of this id; one of the fleet as this host saw it.
    #[arg(long, value_parser = scope)]
    pub host: Option<Scope>,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `event replay`.
#[derive(Debug, Args)]
pub struct EventReplay {
    /// The event's id.
    #[arg(value_name = "ID")]
    pub id: EventId,
    /// Only for this host, where it was for the fleet, or several have an event of this id.
    #[arg(long)]
    pub host: Option<HostId>,
    /// What the new event's id ends in: the same is filed once. Drawn where absent, and told where nobody answered.
    #[arg(long = "as", value_name = "ID")]
    pub own_id: Option<EventId>,
    /// How the answer is printed.
    #[command(flatten)]
    pub output: Output,
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
    #[arg(long, value_parser = time_left)]
    pub within: Option<Duration>,
    /// File it also where no host of that name is enrolled: it waits for one until its time is over.
    #[arg(long, requires = "host")]
    pub unenrolled: bool,
    /// An id of your own: the same id is filed once.
    #[arg(long)]
    pub id: Option<EventId>,
    /// What else is known, a JSON object.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub data: Option<serde_json::Map<String, serde_json::Value>>,
    /// How the answer is printed.
    #[command(flatten)]
    pub output: Output,
}

fn scope(text: &str) -> Result<Scope, InvalidToken> {
    Scope::try_from(text.to_owned())
}
#[cfg(test)]
mod malformed;
