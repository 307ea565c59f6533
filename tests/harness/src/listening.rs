//! Servers that cannot say which port they took: they are told one that was free a moment ago.

use crate::{process::Process, wait::wait_for};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// moto imports Python packages for half a second; the rest is for a machine that compiles meanwhile.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Somebody else may take the port in between; thrice in a row is another mistake.
const ATTEMPTS: usize = 3;

/// A port on loopback that is free now and was never returned before in this process.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .expect("loopback has free ports")
            .port();
        if TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return port;
        }
    }
}

/// Starts a server with the arguments for a free port and waits until it listens there.
///
/// # Panics
/// When it does not start; the message holds what it said.
pub(crate) async fn start(
    program: &Path,
    log: &Path,
    arguments: impl Fn(u16) -> Vec<String>,
) -> (Process, SocketAddr) {
    for attempt in 1.. {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        match start_at(program, log, &arguments(address.port()), address).await {
            Ok(process) => return (process, address),
            Err(said) if attempt == ATTEMPTS => panic!("{} does not start:\n{said}", program.display()),
            Err(_) => {}
        }
    }
    unreachable!("the last attempt returns or panics")
}

/// Starts a server and waits until it listens; what it said where it ends instead.
pub(crate) async fn start_at(
    program: &Path,
    log: &Path,
    arguments: &[String],
    address: SocketAddr,
) -> Result<Process, String> {
    let mut process = Process::start(program, arguments, log).map_err(|cause| cause.to_string())?;
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let listens = wait_for(START_LIMIT, &format!("{name} listens"), async || {
        if process.ended().is_some() {
            return Some(false);
        }
        tokio::net::TcpStream::connect(address).await.ok().map(|_| true)
    })
    .await;
    if listens { Ok(process) } else { Err(process.said()) }
}
