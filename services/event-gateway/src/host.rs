//! The part on each host: what the host notices about itself is handled there, broker or not, and filed once.
//!
//! **Invariant:** a happening is one event, however often and by whomever it is told, also over a restart (E1).
//! **Invariant:** handing it to this host's runner waits for no broker, and filing it for no runner; one event waits
//! for no other (E7). **Invariant:** what was noticed is in a journal on the disk until it is filed. It handles
//! nothing itself: that is the runner's part.
//!
//! - `sources`: which sources run here.
//! - `desk`: makes events of what they tell, and sees each to its end.
//! - `journal`: what was noticed and is not filed yet, and what was told before.
//! - `launch`: which launch of its instance this is, told to the centre.
//! - `hand_over`: the way to the runner. `filing`: the way into the streams.

mod desk;
pub(crate) mod filing;
mod hand_over;
mod journal;
mod launch;
pub mod sources;

#[cfg(feature = "aws")]
pub(crate) use desk::Lanes;
pub use journal::JournalError;

use crate::{
    GatewayError,
    denied::until_denied,
    happening::Whose,
    source::{Notices, aws_metadata},
};
use desk::Desk;
use snooze_bus::Bus;
use snooze_schemas::HostId;
use snooze_service_runtime::{CancellationToken, Clocks, Tasks};
use sources::Source;
use std::{path::PathBuf, time::Duration};

/// For how long what is in hand may take to its end after the shutdown began: it is in the journal.
const GRACE: Duration = Duration::from_secs(5);

/// What the gateway of a host is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The host that it runs on.
    pub host: HostId,
    /// The launch generation of the instance; without one the boot stands for it.
    pub launch: Option<String>,
    /// The metadata service that knows the launch, where the centre is to hear of it from here.
    pub metadata: Option<aws_metadata::Settings>,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Where the journal is kept; it must survive a reboot.
    pub state: PathBuf,
    /// Where this host's runner listens.
    pub runner_socket: PathBuf,
    /// The clocks.
    pub clocks: Clocks,
}

impl Config {
    /// On the machine's own clocks, for a host that has no launch.
    #[must_use]
    pub fn new(host: HostId, boot_id: String, state: PathBuf, runner_socket: PathBuf) -> Config {
        Config {
            host,
            launch: None,
            metadata: None,
            boot_id,
            state,
            runner_socket,
            clocks: Clocks::real(),
        }
    }

    fn whose(&self) -> Whose {
        let launch = self.launch.as_ref().unwrap_or(&self.boot_id);
        Whose {
            host: self.host.clone(),
            launch: launch.clone(),
        }
    }
}

/// Notices, hands over and files until shutdown. The bus may be away, now and later; where its connection goes on
/// ([`OnDenial::GoOn`](snooze_bus::OnDenial::GoOn)), a bus that denies this host something is the same to it.
///
/// # Errors
/// When its journal is of no use, when the connection has ended, and when a part of it ends before shutdown.
pub async fn run(
    config: Config,
    bus: Bus,
    sources: Vec<Source>,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let (book, unfinished, writer) = journal::open(&config.state).map_err(GatewayError::Journal)?;
    let unfinished = journal::set_aside(&config.state, &config.host, unfinished, &book);
    let unfinished = unfinished.map_err(GatewayError::Journal)?;
    let (notices, told) = Notices::channel();
    let mut tasks = Tasks::new(shutdown.clone());
    tasks.start("journal", writer.run(shutdown.clone()));
    tasks.start("bus", until_denied(bus.clone(), shutdown.clone()));
    let desk = Desk::new(&config, bus.clone(), book);
    tasks.start("desk", desk.work(unfinished, told, shutdown.clone()));
    for source in sources {
        let name = source.name();
        let watching = source.watch(config.clocks.clone(), notices.clone(), shutdown.clone());
        tasks.start(name, watching);
    }
    if let Some(metadata) = config.metadata.clone() {
        let telling = launch::tell(metadata, config, bus, shutdown.clone());
        tasks.start("launch", telling);
    }
    let ended = tasks.run(GRACE).await;
    // Until here: without it a host on which nothing is switched on would seem to have ended.
    drop(notices);
    ended.map_err(GatewayError::Run)
}
