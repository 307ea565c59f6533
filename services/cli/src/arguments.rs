//! What may be typed. Parsing only: nothing here reads a file or speaks to the bus.

use clap::{Args, Parser, Subcommand, ValueEnum};
use snooze_schemas::{EventType, HostId, PluginName, Timestamp};
use std::{path::PathBuf, time::Duration};

/// Stops the machines that nobody is using, and never one that somebody is.
#[derive(Debug, Parser)]
#[command(name = "snooze", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Where the bus and the credentials are.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 3 the bus cannot be reached, 4 refused, \
                          64 usage or configuration.\nstdout is data, stderr is talk.";

/// How to reach the bus. Without any of these, `nats.json` in the state folder says it.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The broker, as nats://127.0.0.1:4222.
    #[arg(long, global = true, value_name = "URL", env = "SNOOZE_NATS_URL")]
    pub server: Option<String>,
    /// A credentials file for that broker.
    #[arg(long, global = true, value_name = "FILE", env = "SNOOZE_CREDENTIALS")]
    pub credentials: Option<PathBuf>,
    /// The state folder; `$XDG_STATE_HOME/snooze`, else `~/.local/state/snooze`.
    #[arg(long, global = true, value_name = "DIR", env = "SNOOZE_STATE")]
    pub state: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything on this machine, with a live view.
    Up(Up),
    /// Show what the machines are doing and what would be done to them.
    Status(Status),
    /// List the hosts, one a line.
    Hosts(Output),
    /// Say why a host is or is not being stopped: every vote, and what is missing.
    Explain(Explain),
    /// Show the audit trail: decisions, stops, event outcomes.
    History(History),
    /// Look at the plugins of a host.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Send events.
    #[command(subcommand)]
    Event(Event),
    /// Close the kill switch: nothing is stopped until a thaw.
    Freeze(Freeze),
    /// Open the kill switch again.
    Thaw,
    /// Keep a host awake for a while.
    Lease(Lease),
    /// Put off the stop of a host for a while.
    Postpone(Postpone),
    /// Start a host again, or keep it from being stopped where that is still possible.
    Wake(Wake),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Becomes the broker that `up` runs; not for people.
    #[command(name = "__broker", hide = true)]
    Broker(Broker),
}

/// Which cloud `up` works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Records the calls and stops nothing.
    Simulated,
    /// EC2, on the instance that this runs on.
    Aws,
}

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// The cloud whose instance is stopped.
    #[arg(long, value_enum, default_value = "simulated")]
    pub cloud: Cloud,
    /// A configuration instead of the demonstration; with the cloud aws, /etc/snooze/snooze.json.
    #[arg(long, value_name = "FILE", env = "SNOOZE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The nats-server to run; else .tools/bin/nats-server, else the one on the PATH.
    #[arg(long, value_name = "FILE", env = "SNOOZE_NATS_SERVER")]
    pub nats_server: Option<PathBuf>,
    /// The folder of the example plugins that the demonstration runs.
    #[arg(long, value_name = "DIR")]
    pub plugins: Option<PathBuf>,
    /// The id of this host; the cloud's instance id, else this machine's name.
    #[arg(long, value_name = "ID", env = "SNOOZE_HOST")]
    pub host: Option<HostId>,
}

/// Whether a command prints for people or for programs.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Print JSON.
    #[arg(long, short = 'j')]
    pub json: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Only this host.
    pub host: Option<HostId>,
    /// Keep showing it until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The host.
    pub host: HostId,
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
    /// How many entries, the newest ones.
    #[arg(long, short = 'n', default_value = "20", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
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

/// Commands about plugins.
#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// List the plugins of a host.
    List(PluginList),
    /// Show one plugin of a host.
    Info(PluginInfo),
}

/// Arguments of `plugin list`.
#[derive(Debug, Args)]
pub struct PluginList {
    /// The host; needed where there are several.
    #[arg(long)]
    pub host: Option<HostId>,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin info`.
#[derive(Debug, Args)]
pub struct PluginInfo {
    /// The plugin.
    pub plugin: PluginName,
    /// The host; needed where there are several.
    #[arg(long)]
    pub host: Option<HostId>,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

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
    #[arg(long, default_value = "by hand")]
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
    #[arg(long, default_value = "by hand")]
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
    #[arg(long, default_value = "by hand")]
    pub reason: String,
}

/// Arguments of `wake`.
#[derive(Debug, Args)]
pub struct Wake {
    /// The host.
    pub host: HostId,
    /// Why.
    #[arg(long, default_value = "by hand")]
    pub reason: String,
}

/// Arguments of the broker's own process.
#[derive(Debug, Args)]
pub struct Broker {
    /// The process that must be the parent: without it the broker ends.
    #[arg(long)]
    pub parent: i32,
    /// Locked for as long as the broker lives.
    #[arg(long)]
    pub lock: PathBuf,
    /// The nats-server.
    #[arg(long)]
    pub nats_server: PathBuf,
    /// Its configuration.
    #[arg(long)]
    pub configuration: PathBuf,
}

/// Reads `90s`, `15m`, `8h`, `7d` or a plain number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write it as 90s, 15m, 8h or 7d";
    let (digits, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(FORM.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| FORM.to_owned())?;
    number
        .checked_mul(factor)
        .filter(|seconds| (1..=MAX_SECONDS).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "it must be between 1 s and 400 d".to_owned())
}

/// The longest duration: as long as the audit trail is kept.
const MAX_SECONDS: u64 = 400 * 86_400;

fn since(text: &str) -> Result<Since, String> {
    match text.parse::<Timestamp>() {
        Ok(time) => Ok(Since::Time(time)),
        Err(_) => duration(text)
            .map(Since::Ago)
            .map_err(|_| "write it as 2026-01-31T12:00:00Z, or as 90s, 15m, 8h, 7d".to_owned()),
    }
}

fn json_object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        for wrong in ["", "m", "1w", "-1s", "1.5h", "0s", "99999999999999d", "1é"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn since_takes_a_time_or_a_duration() {
        assert_eq!(since("8h"), Ok(Since::Ago(Duration::from_secs(28_800))));
        assert!(matches!(since("2026-01-31T12:00:00Z"), Ok(Since::Time(_))));
        assert!(since("yesterday").is_err());
    }
}
