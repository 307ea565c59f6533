//! The arguments that every service takes, and a wrong command line as exit code 64.
//!
//! Nothing here reads a file or the configuration; it only says where they are.

use crate::exit::Exit;
use clap::{Args, Parser, error::ErrorKind};
use std::{path::PathBuf, process::ExitCode};

/// Environment variables that are arguments and not configuration keys.
pub const ARGUMENT_VARIABLES: [&str; 6] = [
    "SNOOZE_CONFIG",
    "SNOOZE_NATS_URL",
    "SNOOZE_NATS_SERVER",
    "SNOOZE_CREDENTIALS",
    "SNOOZE_HOST",
    "SNOOZE_STATE",
];

/// Where a service finds its bus and its configuration; flatten it into the service's own arguments.
#[derive(Debug, Clone, Default, Args)]
pub struct ServiceArgs {
    /// Configuration file [default: /etc/snooze/snooze.json, if it exists]
    #[arg(long, value_name = "PATH", env = "SNOOZE_CONFIG")]
    pub config: Option<PathBuf>,
    /// NATS servers as nats://host:4222, joined by commas
    // It may hold a password, which `--help` is not to show.
    #[arg(long, value_name = "URL", env = "SNOOZE_NATS_URL", hide_env_values = true)]
    pub server: Option<String>,
    /// NATS credentials of this service's role (a .creds file)
    #[arg(long, value_name = "FILE", env = "SNOOZE_CREDENTIALS")]
    pub credentials: Option<PathBuf>,
    /// This host's id [default: the configuration's `host_id`, else the host name]
    #[arg(long, value_name = "ID", env = "SNOOZE_HOST")]
    pub host: Option<String>,
}

/// Reads the command line.
///
/// # Errors
/// The exit code to return from `main` at once: 0 after `--help` and `--version`, else 64. The text
/// has been printed.
pub fn parse<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        let exit = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
            _ => Exit::Usage,
        };
        match error.print() {
            Ok(()) => exit.into(),
            // The terminal is gone; there is nobody left to tell.
            Err(_) => Exit::Failed.into(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[derive(Parser)]
    struct Service {
        #[command(flatten)]
        _arguments: ServiceArgs,
    }

    #[test]
    fn help_never_shows_the_servers_of_the_environment() {
        let command = Service::command();
        let server = command
            .get_arguments()
            .find(|argument| argument.get_id() == "server");
        assert!(server.expect("there is one").is_hide_env_values_set());
    }
}
