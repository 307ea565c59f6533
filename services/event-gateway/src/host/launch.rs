//! Tells the centre in which launch of its instance this host is, so that what a queue tells of the instance has the
//! id that the host's own notice has (rule E1).
//!
//! The launch is read from the instance's identity document and said in a hello, at the start and whenever the bus is
//! back: who heard of it last may be gone. The runner's hello, which has none, takes nothing of it back. Nothing waits
//! for it, and a metadata service that is away is asked again.

use super::{Config, filing::connected};
use crate::source::aws_metadata::{Settings, identity};
use snooze_bus::{Bus, BusStatus, Subject};
use snooze_schemas::host::Hello;
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{convert::Infallible, time::Duration};
use tokio::time::sleep;

/// Before the document is asked for again: some tries lie behind it.
const PAUSE: Duration = Duration::from_secs(60);

/// Says it until shutdown.
pub(super) async fn tell(
    settings: Settings,
    config: Config,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let telling = async {
        let launch = loop {
            match identity(&settings, &config.clocks).await {
                Ok(identity) => break identity.launch,
                Err(error) => tracing::debug!(
                    error = one_line(&error),
                    "the launch of this instance is not known; asked again"
                ),
            }
            sleep(PAUSE).await;
        };
        let hello = Hello {
            boot_id: config.boot_id.clone(),
            agent: format!("gateway-{:016x}", rand::random::<u64>()),
            launch: Some(launch),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let subject = Subject::HostHello(config.host.clone());
        let mut status = bus.status();
        loop {
            connected(&bus).await;
            if let Err(error) = bus.publish(&subject, &hello).await {
                tracing::debug!(
                    error = one_line(&error),
                    "the launch of this instance was not said"
                );
            }
            let gone = status.wait_for(|status| *status != BusStatus::Connected).await;
            if gone.is_err() {
                break;
            }
        }
    };
    // Cancelling loses nothing: it is said again after the next start.
    shutdown.run_until_cancelled(telling).await;
    shutdown.cancelled().await;
    Ok(())
}
