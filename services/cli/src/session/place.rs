//! Where the bus is and who asks, by the arguments or by what `snooze up` left in the state folder. It reads files and
//! connects to nothing.

use crate::{
    arguments::Connection,
    home::Home,
    state_folder::{BusAddress, StateError, StateFolder},
};
use snooze_bus::{Role, holder_of};
use snooze_service_runtime::{Exit, Failure, opening::open_file};
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A file of credentials is far shorter.
const LONGEST_CREDENTIALS: u64 = 64 * 1024;

/// Where the bus is, and who asks.
pub(super) struct Place {
    pub(super) server: String,
    pub(super) credentials: Option<PathBuf>,
    pub(super) role: Role,
    pub(super) user: String,
}

impl Place {
    pub(super) fn find(connection: &Connection, home: &Home) -> Result<Place, Failure> {
        let usage = |error: &StateError| Failure::from_error(Exit::Usage, error);
        let state = StateFolder::locate(connection.state.as_deref(), home);
        let left = match &state {
            Ok(state) => state.bus_address().map_err(|error| usage(&error)),
            Err(error) => Err(usage(error)),
        };
        match (&connection.server, &connection.credentials) {
            (server, Some(credentials)) => {
                let (role, user) = user_of(credentials)?;
                let server = match server {
                    Some(server) => server.clone(),
                    None => running(&state.map_err(|error| usage(&error))?, left?)?.server,
                };
                Ok(Place {
                    server,
                    credentials: Some(credentials.clone()),
                    role,
                    user,
                })
            }
            // The server that `snooze up` left is the one that its credentials are for, however it is named.
            (Some(server), None) => match left {
                Ok(Some(address)) if is_same(server, &address.server) => Ok(Place::of(address)),
                _ => Ok(Place {
                    server: server.clone(),
                    credentials: None,
                    role: Role::Operator,
                    user: "operator".to_owned(),
                }),
            },
            (None, None) => {
                let state = state.map_err(|error| usage(&error))?;
                Ok(Place::of(running(&state, left?)?))
            }
        }
    }

    fn of(address: BusAddress) -> Place {
        Place {
            server: address.server,
            credentials: Some(address.credentials),
            role: Role::Administrator,
            user: address.user,
        }
    }
}

fn is_same(one: &str, other: &str) -> bool {
    let plain = |url: &str| url.trim().trim_end_matches('/').to_ascii_lowercase();
    plain(one) == plain(other)
}

/// The address in the state folder, where the broker behind it runs.
pub(crate) fn running(state: &StateFolder, left: Option<BusAddress>) -> Result<BusAddress, Failure> {
    let root = state.root().display();
    let away = |what: &str| {
        let text = format!(
            "{what}: start `snooze up`, name the state folder of the one that runs with --state, or say where the bus is with --server and --credentials"
        );
        Failure::new(Exit::BusUnreachable, text)
    };
    match left {
        None => Err(away(&format!("no bus is known in the state folder {root}"))),
        Some(address) => match state.broker_runs() {
            Ok(true) => Ok(address),
            Ok(false) => Err(away(&format!(
                "the `snooze up` of the state folder {root} is not running"
            ))),
            Err(error) => Err(Failure::from_error(Exit::Usage, &error)),
        },
    }
}

/// Role and name of a user, as the file says that was made for it; else from that file's name,
/// `<role>-<name>.creds`.
fn user_of(credentials: &Path) -> Result<(Role, String), Failure> {
    let text = text_of(credentials).map_err(|error| {
        let text = format!("read the credentials in {}: {error}", credentials.display());
        Failure::new(Exit::Usage, text)
    })?;
    if let Some(holder) = holder_of(&text) {
        return Ok(holder);
    }
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
            "{} does not say whose credentials it holds: name it <role>-<name>.creds, as operator-ada.creds",
            credentials.display()
        );
        Failure::new(Exit::Usage, text)
    })
}

/// The text of a file of credentials. It is read again by whoever connects, which a pipe cannot be.
fn text_of(credentials: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_file(credentials)?
        .take(LONGEST_CREDENTIALS)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_bus::{Keys, User};
    use snooze_schemas::Timestamp;

    /// A state folder in which a broker seems to run, for as long as the answer is kept.
    fn left() -> (tempfile::TempDir, Connection, impl Drop) {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = temporary.path().join("state");
        let state = StateFolder::locate(Some(&root), &Home::default()).expect("given");
        state.create().expect("made");
        let address = BusAddress {
            server: "nats://127.0.0.1:4333".to_owned(),
            credentials: state.path("creds/administrator-ada.creds"),
            user: "ada".to_owned(),
        };
        state.set_bus_address(&address).expect("written");
        let lock = std::fs::File::create(state.path("broker.lock")).expect("made");
        lock.lock().expect("taken");
        let connection = Connection {
            state: Some(root),
            ..Connection::default()
        };
        (temporary, connection, LockHeld(lock))
    }

    struct LockHeld(std::fs::File);

    impl Drop for LockHeld {
        fn drop(&mut self) {
            self.0.unlock().expect("it was taken");
        }
    }

    #[test]
    fn the_same_server_by_its_address_keeps_the_credentials_that_belong_to_it() {
        let (_temporary, mut connection, _lock) = left();
        let user = |connection: &Connection| {
            let place = Place::find(connection, &Home::default()).expect("known");
            (place.role, place.credentials.is_some())
        };
        connection.server = Some("nats://127.0.0.1:4333/".to_owned());
        assert_eq!(user(&connection), (Role::Administrator, true));
        connection.server = Some("nats://elsewhere:4222".to_owned());
        assert_eq!(user(&connection), (Role::Operator, false));
    }

    #[test]
    fn a_broker_that_has_ended_is_told_from_one_that_does_not_answer() {
        let (_temporary, connection, lock) = left();
        Place::find(&connection, &Home::default())
            .map(|_| ())
            .expect("it runs");
        drop(lock);
        let failure = Place::find(&connection, &Home::default())
            .map(|_| ())
            .expect_err("it has ended");
        assert_eq!(failure.exit, Exit::BusUnreachable);
        for part in ["is not running", "--state", "--credentials"] {
            assert!(failure.line.contains(part), "{part:?} in {}", failure.line);
        }
    }

    #[test]
    fn whoever_finds_no_bus_is_told_where_it_was_looked_for() {
        let temporary = tempfile::tempdir().expect("a folder");
        let connection = Connection {
            state: Some(temporary.path().join("nothing")),
            ..Connection::default()
        };
        let failure = Place::find(&connection, &Home::default())
            .map(|_| ())
            .expect_err("no bus");
        assert!(failure.line.contains("/nothing"), "{}", failure.line);
    }

    #[test]
    fn a_credentials_file_says_whose_it_is_whatever_it_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a folder of our own can be written");
            user_of(&path).map_err(|failure| failure.exit)
        };
        let ada = User::named(Role::Operator, "ada").expect("a name");
        let made = Keys::generate()
            .credentials(&ada, Timestamp::UNIX_EPOCH)
            .expect("signs");
        assert_eq!(of("foo.creds", &made), Ok((Role::Operator, "ada".to_owned())));
        let set_up = Ok((Role::SetUp, "set-up".to_owned()));
        assert_eq!(of("set-up-set-up.creds", "by somebody else"), set_up);
        assert_eq!(of("ada.creds", "by somebody else"), Err(Exit::Usage));
        let missing = user_of(&folder.path().join("operator-ada.creds"));
        assert_eq!(missing.map_err(|failure| failure.exit), Err(Exit::Usage));
    }

    #[test]
    fn credentials_that_are_no_file_are_refused_and_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("operator-ada.creds");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
        let failure = user_of(&pipe).expect_err("it is no file");
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.line.contains("no regular file"), "{}", failure.line);
    }
}
