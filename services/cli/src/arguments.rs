//! What may be typed. Parsing only: nothing here reads a file or speaks to the bus.

mod plugin;
mod plugin_dev;
mod values;

pub use plugin::{
    Level, Plugin, PluginApprove, PluginCheck, PluginConfigure, PluginCredentials, PluginInfo, PluginInstall,
    PluginList, PluginLoad, PluginLogs, PluginReload, PluginSetting, PluginStats, PluginUninstall,
};

pub use plugin_dev::{Development, Language, PluginNew, PluginPackage, PluginRun, PluginTest};

use clap::{Args, Parser, Subcommand, ValueEnum};
use snooze_schemas::{EventType, HostId, PluginName, Timestamp};
use std::{path::PathBuf, time::Duration};
use values::{Reason, duration, json_object, maybe_path, since};

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

/// How to reach the bus. Without any of these, `nats.json` in the state folder says it. What is set to
/// nothing, as `SNOOZE_NATS_URL=`, is not set.
#[derive(Debug, Clone, Default, Args)]
pub struct Connection {
    /// The broker, as nats://127.0.0.1:4222.
    // A URL may hold a password, which no help text is to show.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SNOOZE_NATS_URL",
        hide_env_values = true
    )]
    pub server: Option<String>,
    /// A credentials file for that broker, as `snooze credentials` makes them.
    #[arg(long, global = true, value_name = "FILE", env = "SNOOZE_CREDENTIALS", value_parser = maybe_path())]
    pub credentials: Option<PathBuf>,
    /// The state folder; `$XDG_STATE_HOME/snooze`, else `~/.local/state/snooze`.
    #[arg(long, global = true, value_name = "DIR", env = "SNOOZE_STATE", value_parser = maybe_path())]
    pub state: Option<PathBuf>,
}

impl Connection {
    /// Without what is set to nothing.
    #[must_use]
    pub fn without_blanks(self) -> Connection {
        let path = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        Connection {
            server: self.server.filter(|server| !server.trim().is_empty()),
            credentials: path(self.credentials),
            state: path(self.state),
        }
    }
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
    /// Look at plugins and change what is set for them.
    #[command(subcommand)]
    Plugin(Plugin),
    /// List the plugins of a host, as `plugin list` does.
    Plugins(PluginList),
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
    /// Make credentials for whom `snooze up` shall let onto its bus, signed with the state folder's keys.
    Credentials(Credentials),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Becomes the broker that `up` runs; not for people.
    #[command(name = "__broker", hide = true)]
    Broker(Broker),
}

impl Command {
    /// The command that another name of it stands for.
    #[must_use]
    pub fn without_aliases(self) -> Command {
        match self {
            Self::Plugins(list) => Self::Plugin(Plugin::List(list)),
            Self::Plugin(Plugin::Credentials(arguments)) => Self::Credentials(arguments.into()),
            other => other,
        }
    }
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
    /// The nats-server to run; else the first on the PATH that is new enough, else the checkout's own.
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

/// Whom credentials are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Holder {
    /// A plugin that connects by itself and serves one host: name it, and the host with --host.
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_set_to_nothing_is_not_set() {
        let parsed = Arguments::try_parse_from(["snooze", "--state=", "--server=", "--credentials=", "thaw"]);
        let connection = parsed.expect("blanks are taken").connection.without_blanks();
        assert_eq!(
            (connection.server, connection.credentials, connection.state),
            (None, None, None)
        );
    }

    /// A URL may hold a password; `--help` shows the values of variables unless it is told not to.
    #[test]
    fn help_shows_no_address_of_the_environment() {
        let command = Arguments::command();
        let server = command
            .get_arguments()
            .find(|argument| argument.get_id() == "server");
        assert!(server.expect("there is --server").is_hide_env_values_set());
    }
}
