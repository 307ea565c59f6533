//! What each command does: one question to a service, and its answer for people or for programs.

mod events;
mod explain;
mod history;
mod plugins;
mod requests;
mod status;

use crate::{
    arguments::{Command, Connection, Event, Plugin},
    home::Home,
    session::Session,
};
use snooze_schemas::{
    HostId,
    ops::{HostReport, QueryResult},
};
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
        Command::Status(arguments) if arguments.watch => {
            status::watch(&session, arguments, home.look(), shutdown).await
        }
        // Nothing is lost with what is cancelled: it waited for an answer that will not come.
        command => tokio::select! {
            done = answer(command, &session) => done,
            denied = session.denied() => Err(denied),
        },
    }
}

async fn answer(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Status(arguments) => status::status(session, arguments).await,
        Command::Hosts(output) => status::hosts(session, output).await,
        Command::Explain(arguments) => explain::explain(session, arguments).await,
        Command::History(arguments) => history::history(session, arguments).await,
        Command::Plugin(Plugin::List(arguments)) => plugins::list(session, arguments).await,
        Command::Plugin(Plugin::Info(arguments)) => plugins::info(session, arguments).await,
        Command::Event(Event::Send(arguments)) => events::send(session, arguments).await,
        Command::Freeze(arguments) => requests::freeze(session, arguments).await,
        Command::Thaw => requests::thaw(session).await,
        Command::Lease(arguments) => requests::lease(session, arguments).await,
        Command::Postpone(arguments) => requests::postpone(session, arguments).await,
        Command::Wake(arguments) => requests::wake(session, arguments).await,
        Command::Up(_) | Command::Credentials(_) | Command::Completions { .. } | Command::Broker(_) => {
            unreachable!("these need no bus and were done before")
        }
    }
}

/// The host that is meant: the one that was named, or the only one that there is.
async fn one_host(session: &Session, named: Option<HostId>) -> Result<HostId, Failure> {
    if let Some(host) = named {
        return Ok(host);
    }
    let known = enrolled(session).await?;
    match known.as_slice() {
        [only] => Ok(only.host.clone()),
        [] => Err(Failure::new(Exit::Failed, "no host is enrolled")),
        several => {
            let text = format!("there are several hosts; name one of them: {}", names(several));
            Err(Failure::new(Exit::Usage, text))
        }
    }
}

/// What the executors know of one host, which has to be enrolled.
async fn query_one(session: &Session, host: &HostId) -> Result<QueryResult, Failure> {
    let result = session.query(Some(host.clone())).await?;
    if result.hosts.iter().any(is_enrolled) {
        return Ok(result);
    }
    let text = match enrolled(session).await?.as_slice() {
        [] => format!("{host} is not enrolled, and no other host is"),
        known => format!("{host} is not enrolled; these are: {}", names(known)),
    };
    Err(Failure::new(Exit::Refused, text))
}

async fn enrolled(session: &Session) -> Result<Vec<HostReport>, Failure> {
    let mut known = session.query(None).await?.hosts;
    known.retain(is_enrolled);
    Ok(known)
}

/// Whether the roster says which instance it is. An executor answers for a host that it knows nothing of as
/// well: that nothing was heard from it.
fn is_enrolled(report: &HostReport) -> bool {
    !report.provider.is_empty()
}

/// The first of them, on one line.
fn names(hosts: &[HostReport]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = hosts
        .iter()
        .take(SHOWN)
        .map(|report| report.host.as_str())
        .collect();
    let more = if hosts.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
