//! A real redis-server that keeps nothing.

use crate::{
    listening::{start, start_at},
    process::{Process, required_program},
};
use std::{net::SocketAddr, path::PathBuf};

/// A running redis-server. Killed on drop.
#[derive(Debug)]
pub struct Redis {
    folder: tempfile::TempDir,
    address: SocketAddr,
    process: Option<Process>,
}

impl Redis {
    /// An empty server.
    ///
    /// # Panics
    /// When there is no redis-server or it does not start; the message holds what it said.
    pub async fn start() -> Redis {
        let folder = tempfile::Builder::new()
            .prefix("snooze-redis-")
            .tempdir()
            .expect("a temporary folder can be made");
        let log = folder.path().join("redis.log");
        let (process, address) = start(&program(), &log, arguments).await;
        Redis {
            folder,
            address,
            process: Some(process),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// SIGKILL, as a crash would.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        self.process.take().expect("the server is running").kill();
    }

    /// Starts it again on the same port, empty; kills it first where it still runs.
    ///
    /// # Panics
    /// When it does not start; the message holds what it said.
    pub async fn restart(&mut self) {
        self.process = None;
        let log = self.folder.path().join("redis.log");
        let started = start_at(&program(), &log, &arguments(self.port()), self.address).await;
        self.process =
            Some(started.unwrap_or_else(|said| panic!("redis-server does not start again:\n{said}")));
    }
}

fn program() -> PathBuf {
    required_program("SNOOZE_REDIS_SERVER", "bin/redis-server", "redis-server")
}

fn arguments(port: u16) -> Vec<String> {
    [
        "--bind",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    .map(str::to_owned)
    .to_vec()
}
