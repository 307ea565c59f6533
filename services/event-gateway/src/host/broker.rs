//! The connection to the broker, made anew where the broker denies something.
//!
//! Credentials run out, and one subject may be denied. To a host's gateway that is a broker that is away: what the host
//! notices is handled here, and filed once the broker lets it in again (E7). So it never ends the service. The
//! credentials are read again at each attempt: whoever renews them starts nothing anew.

use snooze_bus::{Bus, BusStatus};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{convert::Infallible, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Before the first attempt, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, and how long a connection has to last until the pause is short again: whoever renews credentials
/// need not wait for long, and a host that is turned away for good asks seldom.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The connection as it is now.
#[derive(Debug, Clone)]
pub(crate) struct Broker(watch::Receiver<Bus>);

impl Broker {
    /// One that is never made anew: at the centre a denial ends the service.
    #[cfg(feature = "aws")]
    pub(crate) fn of(bus: Bus) -> Broker {
        Broker(watch::channel(bus).1)
    }

    /// Waits for a broker that denies nothing. Cancelling it loses nothing.
    pub(super) async fn connected(&self) -> Bus {
        let mut connections = self.0.clone();
        loop {
            let bus = connections.borrow_and_update().clone();
            let mut status = bus.status();
            let is_connected = async {
                let connected = status.wait_for(|status| *status == BusStatus::Connected).await;
                connected.is_ok()
            };
            tokio::select! {
                true = is_connected => return bus,
                Ok(()) = connections.changed() => {}
                // Nobody makes connections any more: the service ends.
                else => std::future::pending().await,
            }
        }
    }
}

/// The handle, and the task that makes new connections until shutdown.
pub(super) fn keep(
    bus: Bus,
    shutdown: CancellationToken,
) -> (Broker, impl Future<Output = Result<(), Infallible>>) {
    let (sender, receiver) = watch::channel(bus);
    let keeping = async move {
        // Cancelling it loses nothing: what is filed meanwhile has a connection of its own.
        shutdown.run_until_cancelled(renew(&sender)).await;
        Ok(())
    };
    (Broker(receiver), keeping)
}

async fn renew(connections: &watch::Sender<Bus>) -> Infallible {
    let mut pause = FIRST_PAUSE;
    loop {
        let bus = connections.borrow().clone();
        let since = Instant::now();
        let why = denied(&bus).await;
        if since.elapsed() >= LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tracing::error!(
            why,
            "the broker denies what this host's gateway needs; what is noticed is handled here, and filed once that is mended"
        );
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match bus.begin_again().await {
                Ok(bus) => {
                    connections.send_replace(bus);
                    break;
                }
                Err(error) => tracing::warn!(
                    error = one_line(&error),
                    "no new connection to the broker was begun; tried again"
                ),
            }
        }
    }
}

/// Waits until the broker denies something, and says what.
async fn denied(bus: &Bus) -> String {
    let mut status = bus.status();
    let denied = status.wait_for(|status| matches!(status, BusStatus::Fatal(_)));
    match denied.await.as_deref() {
        Ok(BusStatus::Fatal(why)) => why.clone(),
        Ok(_) | Err(_) => "the connection is closed".to_owned(),
    }
}
