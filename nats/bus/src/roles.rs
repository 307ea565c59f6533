//! Who may say what: the role table as data, rendered as the permission templates of scoped signing
//! keys (rule I5). The server is the fence; this module never decides anything at run time, and says to people whose
//! credentials do what was denied to theirs.

mod accounts;
mod denial;
mod table;
mod template;

pub use accounts::Account;
pub(crate) use accounts::{CROSSINGS, Crossing, Way};
pub use denial::{Denial, Denied};
pub use template::Permissions;
pub(crate) use template::expand;

use snooze_schemas::{HostId, InvalidToken, PluginName, SourceName};
use std::fmt;

/// The part that a client plays; each has a signing key of its own in its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The services on one watched machine.
    Host,
    /// A plugin that connects by itself and serves the host that it runs on.
    Plugin,
    /// A plugin that runs elsewhere and serves any host.
    FleetPlugin,
    /// Decides and stops.
    Executor,
    /// Files, dispatches and parks events.
    Gateway,
    /// A person who looks, asks, freezes and wakes.
    Operator,
    /// An operator who may also change configuration and plugins.
    Administrator,
    /// Makes the streams, buckets and durable consumers.
    SetUp,
    /// Sends a person's own events.
    Source,
    /// Shows, and changes nothing.
    Dashboard,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 10] = [
        Self::Host,
        Self::Plugin,
        Self::FleetPlugin,
        Self::Executor,
        Self::Gateway,
        Self::Operator,
        Self::Administrator,
        Self::SetUp,
        Self::Source,
        Self::Dashboard,
    ];

    /// Its name in file names, inbox prefixes and the account's claims.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Plugin => "plugin",
            Self::FleetPlugin => "fleet-plugin",
            Self::Executor => "executor",
            Self::Gateway => "gateway",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
            Self::SetUp => "set-up",
            Self::Source => "source",
            Self::Dashboard => "dashboard",
        }
    }

    /// Where a user of this role receives answers; nobody else may subscribe there.
    #[must_use]
    pub fn inbox_prefix(self, name: &str) -> String {
        // The name is a token of its own, so that who answers a role can be let into all its inboxes.
        format!("_INBOX_{}.{name}", self.as_str())
    }

    /// What the server lets this role do, as a template of its scoped signing key.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        Permissions::render(self, table::rights(self))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Whom credentials are made for: a role, a name that its fence is built of, and tags that widen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    role: Role,
    name: String,
    tags: Vec<String>,
}

impl User {
    /// The services of one host.
    #[must_use]
    pub fn host(host: &HostId) -> User {
        User::new(Role::Host, host.as_str())
    }

    /// A plugin that connects by itself, on one host.
    #[must_use]
    pub fn plugin(host: &HostId, plugin: &PluginName) -> User {
        // A plugin's name has no underscore, so two pairs never make the same name.
        let mut user = User::new(Role::Plugin, format!("{host}_{plugin}"));
        user.tags = vec![format!("host:{host}"), format!("plugin:{plugin}")];
        user
    }

    /// A plugin that serves any host.
    #[must_use]
    pub fn fleet_plugin(plugin: &PluginName) -> User {
        User::new(Role::FleetPlugin, plugin.as_str())
    }

    /// A source of people's own events.
    #[must_use]
    pub fn source(source: &SourceName) -> User {
        User::new(Role::Source, source.as_str())
    }

    /// A person or a service at the centre: any role that is not about one host, plugin or source.
    ///
    /// # Errors
    /// When the name is not 1 to 64 of `A-Z a-z 0-9 _ -`.
    ///
    /// # Panics
    /// For a role whose users are named after a host, plugin or source: those have their own functions.
    pub fn named(role: Role, name: &str) -> Result<User, InvalidToken> {
        assert!(
            !matches!(role, Role::Host | Role::Plugin | Role::FleetPlugin | Role::Source),
            "a user of the role {role} is named after what it is"
        );
        // The same characters as a source's: an operator is the source of the events that it sends.
        let name: SourceName = name.parse()?;
        Ok(User::new(role, name.as_str()))
    }

    /// Lets a host ask a plugin that runs elsewhere.
    #[must_use]
    pub fn granting(mut self, plugin: &PluginName) -> User {
        let tag = format!("fleet-plugin:{plugin}");
        if !self.tags.contains(&tag) {
            self.tags.push(tag);
        }
        self
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its name; with the role, what its inbox prefix is made of.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its permission templates may refer to, as `key:value`.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    fn new(role: Role, name: impl Into<String>) -> User {
        User {
            role,
            name: name.into(),
            tags: Vec::new(),
        }
    }
}
