//! Servers that cannot say which port they took: they are told one that was free a moment ago, and are
//! believed to listen only when the socket there is their own.

mod owner;

use crate::{process::Process, wait::wait_for};
use owner::is_listening_at;
use std::{
    collections::BTreeSet,
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::RangeInclusive,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// moto imports Python packages for half a second; the rest is for a machine that compiles meanwhile.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Somebody else may take the port in between; thrice in a row is another mistake.
pub(crate) const ATTEMPTS: usize = 3;

/// The lowest port that is tried: below are services that people know.
const LOWEST: u16 = 10_000;

/// A port on loopback that is free now, was never returned before in this process, and that the kernel gives to
/// nobody by itself: one of those could be an outgoing connection's a moment later.
///
/// # Panics
/// When there is none.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let ports = given_to_nobody();
    for _ in 0..1_000 {
        let width = u64::from(ports.end() - ports.start()) + 1;
        let port = ports.start() + u16::try_from(random() % width).expect("less than the width of the range");
        let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free && TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return port;
        }
    }
    panic!("loopback has no free port in {ports:?}")
}

/// The ports outside the range that the kernel chooses from, on its wider side.
fn given_to_nobody() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = text.split_whitespace().filter_map(|end| end.parse::<u16>().ok());
    let (low, high) = (ends.next().unwrap_or(32_768), ends.next().unwrap_or(60_999));
    if low.saturating_sub(LOWEST) >= u16::MAX - high {
        LOWEST..=low - 1
    } else {
        high + 1..=u16::MAX
    }
}

/// Another number in every process: tests that run side by side do not try the same ports in turn.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
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

/// Starts a server and waits until it itself listens there; what it said where it ends instead.
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
        // Another program may have taken the port; then this one is about to end.
        is_listening_at(process.id(), address.port()).then_some(true)
    })
    .await;
    if listens { Ok(process) } else { Err(process.said()) }
}
