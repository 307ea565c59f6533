//! The host of a plugin for which nobody named one: the only one that is enrolled. It guesses none of several.

use crate::{
    arguments::{Connection, Credentials, Holder},
    commands::one_host,
    home::Home,
    session::Session,
};
use snooze_service_runtime::{Exit, Failure};

/// The same arguments, with the host that a plugin serves.
///
/// # Errors
/// When there is none or there are several, or the bus, which knows them, cannot be asked.
pub(super) async fn with_host(
    arguments: Credentials,
    connection: &Connection,
    home: &Home,
) -> Result<Credentials, Failure> {
    if arguments.holder != Holder::Plugin || !arguments.host.is_empty() {
        return Ok(arguments);
    }
    let session = Session::open(connection, home)
        .await
        .map_err(|failure| unknown(&failure))?;
    let host = session
        .unless_denied(one_host(&session, None))
        .await
        .map_err(|failure| unknown(&failure))?;
    Ok(Credentials {
        host: vec![host],
        ..arguments
    })
}

/// Why no host is known, and what does without.
fn unknown(failure: &Failure) -> Failure {
    let text = match failure.exit {
        Exit::Usage => format!("{} (--host)", failure.line),
        _ => format!(
            "{}; or name the host that the plugin serves with --host, for which nobody is asked",
            failure.line
        ),
    };
    Failure::new(failure.exit, text)
}
