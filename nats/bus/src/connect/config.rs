//! How the connection of one service is made.

use super::servers::masked;
use crate::Role;
use std::{path::PathBuf, time::Duration};

/// What it means to a connection that the server refuses its credentials, or denies it a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDenial {
    /// The end, told by [`BusStatus::Fatal`](crate::BusStatus::Fatal): for who is of no use without the bus, and would
    /// never hear of what it misses.
    End,
    /// A server that is away, until it lets this user in: for who has work without the bus (rule E7). A denied subject
    /// is told and asked for again after a while, and all else goes on.
    GoOn,
}

/// How the connection of one service is made.
#[derive(Clone)]
pub struct BusConfig {
    /// One URL or several, separated by commas. Never printed with what stands before an `@`.
    pub servers: String,
    /// The file with the user's credentials, read at each attempt to connect, so that they can be renewed; none where
    /// the server asks for none.
    pub credentials: Option<PathBuf>,
    /// The part that the user plays.
    pub role: Role,
    /// The user's name; with the role it fixes where answers arrive.
    pub name: String,
    /// The service's name, shown by the server.
    pub service: String,
    /// How long to try to connect for the first time.
    pub connect_timeout: Duration,
    /// What a denial means.
    pub on_denial: OnDenial,
}

impl std::fmt::Debug for BusConfig {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("BusConfig")
            .field("servers", &masked(&self.servers))
            .field("credentials", &self.credentials)
            .field("role", &self.role)
            .field("name", &self.name)
            .field("service", &self.service)
            .field("connect_timeout", &self.connect_timeout)
            .field("on_denial", &self.on_denial)
            .finish()
    }
}
