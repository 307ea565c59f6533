//! `snooze credentials`: lets a plugin, a person, a program or a service onto the bus of `snooze up`.
//!
//! It signs with the keys in the state folder, so whoever may read them may make any credentials, and the
//! server's configuration needs no change. What its holder may say and hear is fixed by its role's key.

mod grant;
mod new_file;
mod only_host;

use crate::{
    arguments::{Connection, Credentials, Holder},
    home::Home,
    print,
    session::running,
    state_folder::StateFolder,
};
use grant::{Grant, Standing};
use new_file::NewFile;
use only_host::with_host;
use serde::Serialize;
use snooze_bus::{Keys, Role, User};
use snooze_schemas::{
    HostId,
    event::Severity,
    roster::{SourceHosts, SourceRecord},
};
use snooze_service_runtime::{Clocks, Exit, Failure};
use std::path::PathBuf;

/// What a source may send at most where nobody says: more urgent events go before everybody else's.
const SEVERITY: Severity = Severity::Warning;

/// What was made, and what a client has to know beside it.
#[derive(Debug, Serialize)]
struct Made {
    credentials: PathBuf,
    role: &'static str,
    name: String,
    /// The prefix of the inboxes in which this user may receive answers.
    inbox_prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
}

/// Makes them.
pub(crate) async fn make(
    arguments: Credentials,
    connection: &Connection,
    home: &Home,
) -> Result<(), Failure> {
    let arguments = with_host(arguments, connection, home).await?;
    let user = user_of(&arguments)?;
    let record = record_of(&arguments)?;
    let usage = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Exit::Usage, error);
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Exit::Failed, error);
    let state = StateFolder::locate(connection.state.as_deref(), home).map_err(|error| usage(&error))?;
    // Opening would make what is missing: keys that no server knows.
    if !state.path("keys").is_dir() {
        let text = format!(
            "there are no keys in the state folder {}: run `snooze up` once, or name its folder with --state",
            state.root().display()
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    let signing = Keys::open(&state.path("keys")).map_err(|error| failed(&error))?;
    let standing = match arguments.replace {
        true => Standing::Replaced,
        false => Standing::Stays,
    };
    // All that can be refused is looked at before any right is written.
    let grant = match record {
        Some(record) => Some(Grant::prepare(&user, record, standing, connection, home).await?),
        None => None,
    };
    let output = arguments.output.as_deref().map(NewFile::make).transpose()?;
    if let Some(grant) = grant {
        // Before the credentials: with those alone, rights that stand for somebody else would be theirs.
        grant.write().await?;
    }
    let now = Clocks::real().wall();
    let credentials = match output {
        None => signing
            .credentials_file(&state.path("creds"), &user, now)
            .map_err(|error| failed(&error))?,
        Some(file) => file.keep(&signing.credentials(&user, now).map_err(|error| failed(&error))?)?,
    };
    let address = state.bus_address().map_err(|error| usage(&error))?;
    let made = Made {
        credentials,
        role: user.role().as_str(),
        name: user.name().to_owned(),
        inbox_prefix: user.role().inbox_prefix(user.name()),
        // A broker that is away listens elsewhere when it comes back.
        server: running(&state, address).ok().map(|address| address.server),
    };
    if arguments.json {
        return print::json(&made);
    }
    let server = made.server.as_deref().unwrap_or("not running now");
    print::talk(&format!("server {server}, answers below {}", made.inbox_prefix));
    print::lines([made.credentials.display().to_string()])
}

/// The user that is meant.
fn user_of(arguments: &Credentials) -> Result<User, Failure> {
    let name = arguments.name.as_str();
    let usage = |text: String| Failure::new(Exit::Usage, text);
    let wrong = |error: &dyn std::fmt::Display| usage(format!("{name:?}: {error}"));
    if arguments.holder != Holder::Host && !arguments.fleet_plugin.is_empty() {
        return Err(usage("--fleet-plugin is for a host".to_owned()));
    }
    match (arguments.holder, arguments.host.as_slice()) {
        (Holder::Plugin, [host]) => Ok(User::plugin(host, &name.parse().map_err(|error| wrong(&error))?)),
        (Holder::Plugin, _) => Err(usage(
            "name the one host that the plugin serves with --host".to_owned(),
        )),
        (Holder::Source, _) => Ok(User::source(&name.parse().map_err(|error| wrong(&error))?)),
        (_, [_, ..]) => Err(usage("--host is for a plugin and for a source".to_owned())),
        (Holder::FleetPlugin, []) => Ok(User::fleet_plugin(&name.parse().map_err(|error| wrong(&error))?)),
        (Holder::Host, []) => {
            let host: HostId = name.parse().map_err(|error| wrong(&error))?;
            let granted = arguments.fleet_plugin.iter();
            Ok(granted.fold(User::host(&host), User::granting))
        }
        (holder, []) => User::named(role_of(holder), name).map_err(|error| wrong(&error)),
    }
}

fn role_of(holder: Holder) -> Role {
    match holder {
        Holder::Plugin => Role::Plugin,
        Holder::FleetPlugin => Role::FleetPlugin,
        Holder::Source => Role::Source,
        Holder::Operator => Role::Operator,
        Holder::Administrator => Role::Administrator,
        Holder::Dashboard => Role::Dashboard,
        Holder::Host => Role::Host,
        Holder::Executor => Role::Executor,
        Holder::Gateway => Role::Gateway,
    }
}

/// What the gateways are told of it, where it may send events of its own.
fn record_of(arguments: &Credentials) -> Result<Option<SourceRecord>, Failure> {
    let severity = match arguments.severity.map(Severity::try_from) {
        Some(Err(error)) => return Err(Failure::new(Exit::Usage, error)),
        Some(Ok(severity)) => Some(severity),
        None => None,
    };
    match (arguments.holder, severity) {
        (Holder::Source, severity) => Ok(Some(SourceRecord {
            hosts: match arguments.host.as_slice() {
                [] => SourceHosts::All,
                hosts => SourceHosts::Only(hosts.to_vec()),
            },
            max_severity: severity.unwrap_or(SEVERITY),
        })),
        // A person sends events under their own name, as urgent as they say.
        (Holder::Operator | Holder::Administrator, None) => Ok(Some(SourceRecord {
            hosts: SourceHosts::All,
            max_severity: Severity::Critical,
        })),
        (_, Some(_)) => Err(Failure::new(Exit::Usage, "--severity is for a source")),
        (_, None) if arguments.replace => {
            let text = "--replace is for whoever sends events: a source, an operator or an administrator";
            Err(Failure::new(Exit::Usage, text))
        }
        (_, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(holder: Holder, name: &str, hosts: &[&str], severity: Option<u8>) -> Credentials {
        Credentials {
            holder,
            name: name.to_owned(),
            host: hosts
                .iter()
                .map(|host| host.parse().expect("a host id"))
                .collect(),
            fleet_plugin: Vec::new(),
            severity,
            replace: false,
            output: None,
            json: false,
        }
    }

    #[test]
    fn every_holder_is_the_user_of_its_role() {
        for (holder, hosts) in [
            (Holder::Plugin, &["web"][..]),
            (Holder::FleetPlugin, &[]),
            (Holder::Source, &["web", "db"]),
            (Holder::Operator, &[]),
            (Holder::Administrator, &[]),
            (Holder::Dashboard, &[]),
            (Holder::Host, &[]),
            (Holder::Executor, &[]),
            (Holder::Gateway, &[]),
        ] {
            let user = user_of(&arguments(holder, "one-1", hosts, None)).expect("it is one");
            assert_eq!(user.role(), role_of(holder), "{holder:?}");
        }
    }

    #[test]
    fn i5_a_host_may_ask_the_plugins_of_the_fleet_that_it_was_granted() {
        let granting = |holder| Credentials {
            fleet_plugin: vec!["llm".parse().expect("a name")],
            ..arguments(holder, "web", &[], None)
        };
        let host = user_of(&granting(Holder::Host)).expect("it is one");
        assert_eq!(host.tags(), ["fleet-plugin:llm"]);
        let refused = user_of(&granting(Holder::Executor)).map(|_| ());
        assert_eq!(refused.expect_err("it is for hosts").exit, Exit::Usage);
    }

    #[test]
    fn what_says_nothing_or_too_much_is_usage() {
        for wrong in [
            arguments(Holder::Plugin, "p", &[], None),
            arguments(Holder::Plugin, "p", &["a", "b"], None),
            arguments(Holder::Operator, "ada", &["web"], None),
            arguments(Holder::Operator, "no name", &[], None),
        ] {
            let failure = user_of(&wrong).map(|_| ()).expect_err("it is refused");
            assert_eq!(failure.exit, Exit::Usage, "{wrong:?}");
        }
        let severe = arguments(Holder::Dashboard, "wall", &[], Some(1));
        let replacing = Credentials {
            replace: true,
            ..arguments(Holder::Dashboard, "wall", &[], None)
        };
        for wrong in [severe, replacing] {
            let refused = record_of(&wrong).map_err(|failure| failure.exit);
            assert_eq!(refused, Err(Exit::Usage), "{wrong:?}");
        }
    }

    #[test]
    fn i5_a_source_is_bound_by_its_record_and_not_by_what_it_sends() {
        let record = record_of(&arguments(Holder::Source, "ci", &["web"], None)).expect("fits");
        let record = record.expect("a source has one");
        assert_eq!(record.max_severity, SEVERITY);
        assert!(!record.permits(None));
    }
}
