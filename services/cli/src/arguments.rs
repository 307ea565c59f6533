//! What may be typed. Parsing only: nothing here reads a file or speaks to the bus.

mod credentials;
mod event;
mod looking;
mod plugin;
mod plugin_dev;
mod requests;
mod simulate;
mod values;

pub use credentials::{Credentials, Holder};
pub use looking::{Explain, History, Since, Status};
pub use plugin::{
    Level, Plugin, PluginApprove, PluginCheck, PluginConfigure, PluginCredentials, PluginInfo, PluginInstall,
    PluginList, PluginLoad, PluginLogs, PluginReload, PluginSetting, PluginStats, PluginUninstall,
};

pub use event::{Event, EventList, EventReplay, EventSend, EventShow, EventWatch};
pub use requests::{Freeze, Lease, Postpone, Wake};
pub use simulate::{EventSimulate, Rehearsed, SimulateAzure, SimulateGcp, SimulateSpot, SimulateStorm};

pub use plugin_dev::{Development, Language, PluginNew, PluginPackage, PluginRun, PluginTest};

use clap::{Arg, Args, Parser, Subcommand, ValueEnum};
use snooze_schemas::HostId;
use std::path::PathBuf;
use values::maybe_path;

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

/// How to reach the bus, as it is not shown to whoever asks for help with what reaches none.
fn no_bus() -> Vec<Arg> {
    let connection = Connection::augment_args(clap::Command::default());
    connection
        .get_arguments()
        .map(|argument| argument.clone().hide(true))
        .collect()
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
    /// List plugins, as `plugin list` does.
    Plugins(PluginList),
    /// Send, list, watch, replay and simulate events.
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

    /// What is refused is not offered, and is refused for what it is.
    #[test]
    fn help_with_what_plays_on_a_bus_of_its_own_names_no_other() {
        for play in [&["simulate"][..], &["simulate", "spot"], &["simulate", "storm"]] {
            let line = |more: &[&str]| {
                let event = ["snooze", "event"].iter().chain(play).chain(more);
                Arguments::try_parse_from(event.copied())
            };
            let help = line(&["--help"]).expect_err("help is no command").to_string();
            for option in ["--server", "--credentials", "--state"] {
                assert!(!help.contains(option), "{option} in {help}");
            }
        }
        let named = [
            "snooze",
            "event",
            "simulate",
            "spot",
            "--server",
            "nats://127.0.0.1:4222",
        ];
        let named = Arguments::try_parse_from(named).expect("it is refused later, with the reason");
        assert_eq!(named.connection.server.as_deref(), Some("nats://127.0.0.1:4222"));
        let before = ["snooze", "--state", "/tmp/s", "event", "simulate", "gcp"];
        let before = Arguments::try_parse_from(before).expect("the same");
        assert_eq!(
            before.connection.state.as_deref(),
            Some(std::path::Path::new("/tmp/s"))
        );
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
