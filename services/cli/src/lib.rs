//! What a person types: the commands of `snooze`, and `snooze up`, which runs everything on one machine.
//!
//! **Invariant:** a command does nothing that a service cannot be asked to do over the bus, with the
//! credentials of the person who types it. `up` is the set-up: it starts the broker and the services,
//! and is an administrator like any other from then on. stdout is data, stderr is talk.

pub mod arguments;
mod commands;
mod print;
mod session;
pub mod state_folder;
pub mod up;
pub mod view;

use arguments::{Arguments, Command};
use clap::CommandFactory;
use snooze_service_runtime::{Exit, Failure, TelemetryConfig, Threads, args, run_service};
use state_folder::Home;
use std::{io::Write, process::ExitCode};

const NAME: &str = "snooze";

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match args::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let home = Home::of_this_process();
    match arguments.command {
        Command::Broker(broker) => {
            let error = up::broker::become_broker(&broker);
            Failure::new(Exit::Failed, format!("become the broker: {error}")).report(NAME)
        }
        Command::Completions { shell } => completions(shell),
        Command::Up(up) => up::run(&up, arguments.connection.state.as_deref(), &home),
        command => {
            // A command says what it has to say itself; its log would only repeat it.
            let telemetry = TelemetryConfig {
                log_level: Some("error".to_owned()),
                ..TelemetryConfig::default()
            };
            // A view is ended by a signal; a question that is given up has no answer, and is not done.
            let interrupted = match &command {
                Command::Status(status) if status.watch => Ok(()),
                _ => Err(Failure::new(Exit::Failed, "interrupted before the answer came")),
            };
            run_service(NAME, Threads::One, &telemetry, async |shutdown| {
                tokio::select! {
                    done = commands::run(command, &arguments.connection, &home, shutdown.clone()) => done,
                    () = shutdown.cancelled() => interrupted,
                }
            })
        }
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    match std::io::stdout().write_all(&script) {
        Ok(()) => Exit::Done.into(),
        Err(error) => Failure::new(Exit::Failed, format!("print the completions: {error}")).report(NAME),
    }
}
