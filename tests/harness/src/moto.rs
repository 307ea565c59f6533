//! moto: AWS's APIs as a server, with instances, queues and rules that exist only in its memory.

mod api;
mod exchange;
mod instances;
mod queues;

pub use queues::InQueue;

use crate::{
    listening::start,
    process::{Process, required_program},
};
use std::net::SocketAddr;

/// A running moto server. Killed on drop.
///
/// It accepts any access key. It stops protected and one-time-spot instances without complaint, and an
/// instance that is told to stop is `stopped` at the next look: tests of these go through a proxy.
#[derive(Debug)]
pub struct MotoServer {
    _folder: tempfile::TempDir,
    address: SocketAddr,
    _process: Process,
}

impl MotoServer {
    /// A cloud without instances.
    ///
    /// # Panics
    /// When there is no moto or it does not start; the message holds what it said.
    pub async fn start() -> MotoServer {
        let folder = tempfile::Builder::new()
            .prefix("snooze-moto-")
            .tempdir()
            .expect("a temporary folder can be made");
        let program = required_program("SNOOZE_MOTO_SERVER", "python/bin/moto_server", "moto_server");
        let (process, address) = start(&program, &folder.path().join("moto.log"), |port| {
            ["-H", "127.0.0.1", "-p", &port.to_string()]
                .map(str::to_owned)
                .to_vec()
        })
        .await;
        MotoServer {
            _folder: folder,
            address,
            _process: process,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint URL of every service and region: `http://127.0.0.1:…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
