//! What a person types: the commands of `snooze`, and `snooze up`, which runs everything on one machine.
//!
//! **Invariant:** a command does nothing that a service cannot be asked to do over the bus, with the
//! credentials of the person who types it. `up` and `credentials` are the set-up: the one starts the
//! broker and the services, and is an administrator like any other from then on, but for the probe that it
//! writes to see whether its broker still stores; the other signs with the keys that are the set-up's. What an
//! author does with a plugin's folder, and what is simulated, is on no bus but its own. stdout is data, stderr is talk.

pub mod arguments;
mod commands;
mod credentials;
pub mod home;
mod print;
mod session;
pub mod state_folder;
mod unanswered;
pub mod up;
pub mod view;

use arguments::{Arguments, Command, Connection, Event, Plugin};
use clap::CommandFactory;
use home::Home;
use snooze_service_runtime::{CancellationToken, Exit, Failure, TelemetryConfig, Threads, args, run_service};
use std::process::ExitCode;

const NAME: &str = "snooze";

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    if let Some(exit) = snooze_plugin_runner::fence::become_plugin_if_asked() {
        return exit;
    }
    let arguments = match args::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let home = Home::of_this_process();
    let connection = arguments.connection.without_blanks();
    match arguments.command.without_aliases() {
        Command::Broker(broker) => {
            let error = up::broker::become_broker(&broker);
            Failure::new(Exit::Failed, format!("become the broker: {error}")).report(NAME)
        }
        Command::Completions { shell } => completions(shell),
        Command::Up(up) => match refuse_another_bus(&connection) {
            Ok(()) => up::run(&up, connection.state.as_deref(), &home),
            Err(failure) => failure.report(NAME),
        },
        command => {
            // A command says what it has to say itself; its log would only repeat it.
            let telemetry = TelemetryConfig {
                log_level: Some("off".to_owned()),
                ..TelemetryConfig::default()
            };
            let threads = match &command {
                // Many hosts of its own run in it.
                Command::Event(Event::Simulate(_)) => Threads::PerCore,
                _ => Threads::One,
            };
            run_service(NAME, threads, &telemetry, async |shutdown| {
                // On the heap, where it does not matter how much a command keeps while it waits.
                match command {
                    // It is ended by the signal itself, and has a terminal to give back.
                    Command::Status(status) if status.watch => {
                        Box::pin(commands::run(
                            Command::Status(status),
                            &connection,
                            &home,
                            shutdown,
                        ))
                        .await
                    }
                    Command::Credentials(arguments) => {
                        let done = Box::pin(credentials::make(arguments, &connection, &home));
                        answered(done, &shutdown).await
                    }
                    Command::Event(Event::Simulate(asked)) => {
                        Box::pin(commands::event::simulate(asked, &connection, &home, shutdown)).await
                    }
                    Command::Plugin(Plugin::Development(development)) => {
                        Box::pin(commands::plugin_dev::run(development, &home, shutdown)).await
                    }
                    command => {
                        let done = Box::pin(commands::run(command, &connection, &home, shutdown.clone()));
                        answered(done, &shutdown).await
                    }
                }
            })
        }
    }
}

/// What is given up had no answer yet, is not done, and says so by its exit code.
async fn answered(
    done: impl Future<Output = Result<(), Failure>>,
    shutdown: &CancellationToken,
) -> Result<(), Failure> {
    // What ends by the signal itself, as whoever watches, has ended well.
    tokio::select! {
        biased;
        done = done => done,
        () = shutdown.cancelled() => Err(Failure::new(Exit::Failed, "interrupted before the answer came")),
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    match print::lines([String::from_utf8_lossy(&script).trim_end()]) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.report(NAME),
    }
}

/// `up` runs a broker of its own: whoever names another one means something else.
fn refuse_another_bus(connection: &Connection) -> Result<(), Failure> {
    if connection.server.is_none() && connection.credentials.is_none() {
        return Ok(());
    }
    let text = "`snooze up` runs a broker of its own and joins no other: leave out --server and --credentials, and unset SNOOZE_NATS_URL and SNOOZE_CREDENTIALS";
    Err(Failure::new(Exit::Usage, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_watches_until_the_signal_has_ended_well_and_whoever_waits_for_an_answer_has_not() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        for _ in 0..64 {
            let watching = async {
                shutdown.cancelled().await;
                Ok(())
            };
            assert!(answered(watching, &shutdown).await.is_ok());
            let waited = answered(std::future::pending(), &shutdown).await;
            assert!(waited.is_err());
        }
    }
}
