//! A person's connection to the bus: found by the arguments or in the state folder, and what goes wrong
//! with it as one line.

use crate::{
    arguments::Connection,
    state_folder::{BusAddress, Home, StateFolder},
};
use snooze_bus::{Bus, BusConfig, BusError, RequestError, Role};
use snooze_schemas::{ErrorCode, HostId, Message, SourceName, ops::Query, ops::QueryResult};
use snooze_service_runtime::{Exit, Failure};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// A person waits; a server that is there answers within milliseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Every verb answers within 15 s.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// A person on the bus.
pub(crate) struct Session {
    /// The connection.
    pub(crate) bus: Bus,
    /// The name in the credentials: who asks, and the source of the events that are sent.
    pub(crate) user: SourceName,
}

impl Session {
    /// Connects as the arguments say, else as `nats.json` in the state folder says.
    pub(crate) async fn open(connection: &Connection, home: &Home) -> Result<Session, Failure> {
        let place = Place::find(connection, home)?;
        let user: SourceName = place
            .user
            .parse()
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
        let bus = Bus::connect(BusConfig {
            servers: place.server,
            credentials: place.credentials,
            role: place.role,
            name: place.user,
            service: "snooze".to_owned(),
            connect_timeout: CONNECT_WITHIN,
        })
        .await
        .map_err(|error| of_bus(&error))?;
        Ok(Session { bus, user })
    }

    /// Asks, and takes the answer.
    pub(crate) async fn ask<M: Message, R: serde::de::DeserializeOwned>(
        &self,
        subject: &snooze_bus::Subject,
        message: &M,
    ) -> Result<R, Failure> {
        self.bus
            .request(subject, message, ANSWER_WITHIN)
            .await
            .map_err(|error| of_request(&error))
    }

    /// What the executors know of a host, or of all.
    pub(crate) async fn query(&self, host: Option<HostId>) -> Result<QueryResult, Failure> {
        self.ask(
            &snooze_bus::Subject::Ops(snooze_bus::OpsVerb::Query),
            &Query { host },
        )
        .await
    }
}

/// Where the bus is, and who asks.
struct Place {
    server: String,
    credentials: Option<PathBuf>,
    role: Role,
    user: String,
}

impl Place {
    fn find(connection: &Connection, home: &Home) -> Result<Place, Failure> {
        let left = StateFolder::locate(connection.state.as_deref(), home)
            .and_then(|state| state.bus_address())
            .map_err(|error| Failure::from_error(Exit::Usage, &error));
        match (&connection.server, &connection.credentials) {
            (Some(server), None) => Ok(Place {
                server: server.clone(),
                credentials: None,
                role: Role::Operator,
                user: "operator".to_owned(),
            }),
            (server, Some(credentials)) => {
                let (role, user) = user_of(credentials)?;
                let server = match server {
                    Some(server) => server.clone(),
                    None => known(left?)?.server,
                };
                Ok(Place {
                    server,
                    credentials: Some(credentials.clone()),
                    role,
                    user,
                })
            }
            (None, None) => {
                let address = known(left?)?;
                Ok(Place {
                    server: address.server,
                    credentials: Some(address.credentials),
                    role: Role::Administrator,
                    user: address.user,
                })
            }
        }
    }
}

fn known(address: Option<BusAddress>) -> Result<BusAddress, Failure> {
    address.ok_or_else(|| {
        let text = "no bus is known: run `snooze up`, or say where it is with --server and --credentials";
        Failure::new(Exit::BusUnreachable, text)
    })
}

/// Role and name of a user, from the name of the file that was made for it: `<role>-<name>.creds`.
fn user_of(credentials: &Path) -> Result<(Role, String), Failure> {
    let stem = credentials
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let found = Role::ALL.into_iter().find_map(|role| {
        Some((
            role,
            stem.strip_prefix(role.as_str())?.strip_prefix('-')?.to_owned(),
        ))
    });
    found.ok_or_else(|| {
        let text = format!(
            "{}: a credentials file is named <role>-<name>.creds, as operator-ada.creds",
            credentials.display()
        );
        Failure::new(Exit::Usage, text)
    })
}

/// A failure of the bus, with the exit code that tells a script whether it is worth trying again.
pub(crate) fn of_bus(error: &BusError) -> Failure {
    let exit = match error {
        BusError::Denied { .. } => Exit::Refused,
        BusError::Credentials { .. } => Exit::Usage,
        error if error.is_unreachable() => Exit::BusUnreachable,
        _ => Exit::Failed,
    };
    Failure::from_error(exit, error)
}

fn of_request(error: &RequestError) -> Failure {
    match error {
        RequestError::NoResponders { template } => {
            let text = format!("nobody answers to {template}: is the service that does running?");
            Failure::new(Exit::Failed, text)
        }
        RequestError::Refused { source, .. } => {
            let exit = match source.code {
                ErrorCode::BadRequest | ErrorCode::UnknownVersion => Exit::Usage,
                ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::Internal => Exit::Failed,
                ErrorCode::Forbidden
                | ErrorCode::NotFound
                | ErrorCode::Conflict
                | ErrorCode::TooLate
                | ErrorCode::RateLimited => Exit::Refused,
            };
            Failure::new(exit, source.message.clone())
        }
        RequestError::Bus(error) => of_bus(error),
        error => Failure::from_error(Exit::Failed, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_says_whose_it_is() {
        let (role, user) = user_of(Path::new("/x/operator-ada.creds")).expect("an operator");
        assert_eq!((role, user.as_str()), (Role::Operator, "ada"));
        let (role, user) = user_of(Path::new("set-up-set-up.creds")).expect("a set-up");
        assert_eq!((role, user.as_str()), (Role::SetUp, "set-up"));
        assert_eq!(
            user_of(Path::new("ada.creds")).map_err(|failure| failure.exit),
            Err(Exit::Usage)
        );
    }
}
