//! What each command does: one question to a service, and its answer for people or for programs.

mod events;
mod explain;
mod history;
mod plugins;
mod requests;
mod status;

use crate::{
    arguments::{Command, Connection, Event, Plugin},
    session::Session,
    state_folder::Home,
};
use snooze_schemas::HostId;
use snooze_service_runtime::{CancellationToken, Exit, Failure};

/// Does one command.
pub(crate) async fn run(
    command: Command,
    connection: &Connection,
    home: &Home,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let session = Session::open(connection, home).await?;
    match command {
        Command::Status(arguments) => status::status(&session, arguments, shutdown).await,
        Command::Hosts(output) => status::hosts(&session, output).await,
        Command::Explain(arguments) => explain::explain(&session, arguments).await,
        Command::History(arguments) => history::history(&session, arguments).await,
        Command::Plugin(Plugin::List(arguments)) => plugins::list(&session, arguments).await,
        Command::Plugin(Plugin::Info(arguments)) => plugins::info(&session, arguments).await,
        Command::Event(Event::Send(arguments)) => events::send(&session, arguments).await,
        Command::Freeze(arguments) => requests::freeze(&session, arguments).await,
        Command::Thaw => requests::thaw(&session).await,
        Command::Lease(arguments) => requests::lease(&session, arguments).await,
        Command::Postpone(arguments) => requests::postpone(&session, arguments).await,
        Command::Wake(arguments) => requests::wake(&session, arguments).await,
        Command::Up(_) | Command::Completions { .. } | Command::Broker(_) => {
            unreachable!("these need no bus and were done before")
        }
    }
}

/// The host that is meant: the one that was named, or the only one that there is.
async fn one_host(session: &Session, named: Option<HostId>) -> Result<HostId, Failure> {
    if let Some(host) = named {
        return Ok(host);
    }
    let known = session.query(None).await?.hosts;
    match known.as_slice() {
        [only] => Ok(only.host.clone()),
        [] => Err(Failure::new(Exit::Failed, "no host is enrolled")),
        several => {
            let names: Vec<&str> = several
                .iter()
                .take(10)
                .map(|report| report.host.as_str())
                .collect();
            let text = format!("there are several hosts; name one of them: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, text))
        }
    }
}
