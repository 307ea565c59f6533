//! How the connection of one service is made.

use super::servers::masked;
use crate::Role;
use std::{path::PathBuf, time::Duration};

/// How the connection of one service is made.
#[derive(Clone)]
pub struct BusConfig {
    /// One URL or several, separated by commas. Never printed with what stands before an `@`.
    pub servers: String,
    /// The file with the user's credentials; none where the server asks for none.
    pub credentials: Option<PathBuf>,
    /// The part that the user plays.
    pub role: Role,
    /// The user's name; with the role it fixes where answers arrive.
    pub name: String,
    /// The service's name, shown by the server.
    pub service: String,
    /// How long to try to connect for the first time.
    pub connect_timeout: Duration,
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
            .finish()
    }
}
