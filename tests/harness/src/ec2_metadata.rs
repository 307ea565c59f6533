//! AWS's own mock of the instance metadata service, with version 2 of its protocol alone.

use crate::{
    listening::{start, start_at},
    process::{Process, required_program},
};
use std::{net::SocketAddr, path::PathBuf};

/// A running ec2-metadata-mock. Killed on drop.
#[derive(Debug)]
pub struct Ec2Metadata {
    folder: tempfile::TempDir,
    address: SocketAddr,
    process: Option<Process>,
}

impl Ec2Metadata {
    /// A service that announces what these arguments say, as `spot --action stop`.
    ///
    /// # Panics
    /// When there is no such program or it does not start; the message holds what it said.
    pub async fn start(what: &[&str]) -> Ec2Metadata {
        let folder = tempfile::Builder::new()
            .prefix("snooze-imds-")
            .tempdir()
            .expect("a temporary folder can be made");
        let log = folder.path().join("imds.log");
        let (process, address) = start(&program(), &log, |port| arguments(what, port)).await;
        Ec2Metadata {
            folder,
            address,
            process: Some(process),
        }
    }

    /// What a client asks.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Announces something else, at the same address.
    ///
    /// # Panics
    /// When it does not start; the message holds what it said.
    pub async fn restart(&mut self, what: &[&str]) {
        // Gone before the port is taken again.
        drop(self.process.take());
        let log = self.folder.path().join("imds.log");
        let arguments = arguments(what, self.address.port());
        let started = start_at(&program(), &log, &arguments, self.address).await;
        self.process =
            Some(started.unwrap_or_else(|said| panic!("ec2-metadata-mock does not start:\n{said}")));
    }
}

fn program() -> PathBuf {
    required_program(
        "SNOOZE_EC2_METADATA_MOCK",
        "bin/ec2-metadata-mock",
        "ec2-metadata-mock",
    )
}

fn arguments(what: &[&str], port: u16) -> Vec<String> {
    let port = port.to_string();
    let server = ["--imdsv2", "--hostname", "127.0.0.1", "--port", &port];
    what.iter().chain(&server).map(|&text| text.to_owned()).collect()
}
