//! What each command does: one question to a service, and its answer for people or for programs.

pub(crate) mod event;
mod explain;
mod history;
mod host;
mod json_file;
mod named_file;
mod plugin_approval;
mod plugin_check;
mod plugin_counts;
mod plugin_description;
pub(crate) mod plugin_dev;
mod plugin_elsewhere;
mod plugin_hosts;
mod plugin_inspection;
mod plugin_install;
mod plugin_layer;
mod plugin_leftovers;
mod plugin_package;
mod plugin_presence;
mod plugin_reach;
mod plugin_revocation;
mod plugin_running;
mod plugin_secrets;
mod plugin_settings;
mod plugin_uninstall;
mod plugin_validation;
mod plugins;
mod question;
mod requests;
mod scratch;
mod status;

pub(crate) use host::one_host;

use crate::{
    arguments::{Command, Connection, Event, Plugin},
    home::Home,
    session::Session,
};
use snooze_service_runtime::{CancellationToken, Failure};

/// Does one command.
pub(crate) async fn run(
    command: Command,
    connection: &Connection,
    home: &Home,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let session = Session::open(connection, home).await?;
    match command {
        Command::Status(arguments) if arguments.watch => {
            status::watch(&session, arguments, home.look(), shutdown).await
        }
        Command::Event(Event::Watch(arguments)) => {
            let watching = session.unless_denied(event::watch(&session, arguments, shutdown));
            // What was shown is shown; nothing else is lost with it.
            tokio::select! {
                biased;
                done = watching => done,
                gone = session.gone(connection, home) => Err(gone),
            }
        }
        command => session.unless_denied(answer(command, &session)).await,
    }
}

async fn answer(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Status(arguments) => status::status(session, arguments).await,
        Command::Hosts(output) => status::hosts(session, output).await,
        Command::Explain(arguments) => explain::explain(session, arguments).await,
        Command::History(arguments) => history::history(session, arguments).await,
        Command::Plugin(asked) => plugin(asked, session).await,
        Command::Event(asked) => event(asked, session).await,
        Command::Freeze(arguments) => requests::freeze(session, arguments).await,
        Command::Thaw => requests::thaw(session).await,
        Command::Lease(arguments) => requests::lease(session, arguments).await,
        Command::Postpone(arguments) => requests::postpone(session, arguments).await,
        Command::Wake(arguments) => requests::wake(session, arguments).await,
        Command::Plugins(_) => unreachable!("it is another name of `plugin list`"),
        Command::Up(_) | Command::Credentials(_) | Command::Completions { .. } | Command::Broker(_) => {
            unreachable!("these need no bus and were done before")
        }
    }
}

async fn event(asked: Event, session: &Session) -> Result<(), Failure> {
    match asked {
        Event::Send(arguments) => event::send(session, arguments).await,
        Event::List(arguments) => event::list(session, arguments).await,
        Event::Show(arguments) => event::show(session, arguments).await,
        Event::Replay(arguments) => event::replay(session, arguments).await,
        Event::Watch(_) => unreachable!("it ends by a signal and was begun before"),
        Event::Simulate(_) => unreachable!("it has a bus of its own and was played before"),
    }
}

async fn plugin(asked: Plugin, session: &Session) -> Result<(), Failure> {
    match asked {
        Plugin::List(arguments) => plugins::list(session, arguments).await,
        Plugin::Info(arguments) => plugins::info(session, arguments).await,
        Plugin::Enable(arguments) => plugin_settings::enable(session, arguments).await,
        Plugin::Disable(arguments) => plugin_settings::disable(session, arguments).await,
        Plugin::Configure(arguments) => plugin_settings::configure(session, arguments).await,
        Plugin::Install(arguments) => plugin_install::install(session, arguments).await,
        Plugin::Uninstall(arguments) => plugin_uninstall::uninstall(session, arguments).await,
        Plugin::Approve(arguments) => plugin_approval::approve(session, arguments).await,
        Plugin::Load(arguments) => plugin_running::load(session, arguments).await,
        Plugin::Unload(arguments) => plugin_running::unload(session, arguments).await,
        Plugin::Reload(arguments) => plugin_running::reload(session, arguments).await,
        Plugin::Check(arguments) => plugin_check::check(session, arguments).await,
        Plugin::Logs(arguments) => plugin_inspection::logs(session, arguments).await,
        Plugin::Stats(arguments) => plugin_inspection::stats(session, arguments).await,
        Plugin::Credentials(_) => unreachable!("it is another name of `credentials plugin`"),
        Plugin::Development(_) => unreachable!("it needs no bus and was done before"),
    }
}
