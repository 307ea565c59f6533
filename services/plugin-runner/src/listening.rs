//! Subscribing on a bus that may be away just now.
//!
//! A broker that is restarted is no reason to end the runner. What a denial is, its connection says, and that shows as
//! the connection's state, never here.

use snooze_bus::{Announcement, Bus, BusError, BusStatus, Service, SubjectFilter, Subscription};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::time::Duration;

/// Between two attempts. The first one takes seconds by itself where there is no server.
const RETRY: Duration = Duration::from_millis(500);

/// Subscribes, waiting for the server where there is none; nothing at shutdown.
///
/// # Errors
/// When the connection is closed for good.
pub(crate) async fn subscribe(
    bus: &Bus,
    filter: &SubjectFilter,
    shutdown: &CancellationToken,
) -> Result<Option<Subscription>, BusError> {
    patiently(bus, filter.template(), shutdown, || bus.subscribe(filter, None)).await
}

/// Subscribes to what is asked of a service, as [`subscribe`] does.
///
/// # Errors
/// When the connection is closed for good.
pub(crate) async fn announce(
    bus: &Bus,
    service: &Service,
    shutdown: &CancellationToken,
) -> Result<Option<Announcement>, BusError> {
    patiently(bus, service.name, shutdown, || bus.announce(service)).await
}

async fn patiently<T, F>(
    bus: &Bus,
    template: &'static str,
    shutdown: &CancellationToken,
    attempt: impl Fn() -> F,
) -> Result<Option<T>, BusError>
where
    F: Future<Output = Result<T, BusError>>,
{
    let attempts = async {
        let mut status = bus.status();
        loop {
            // Where there is no server the client would keep each attempt for later, for as long as there is none. Its
            // end shows in the attempt.
            drop(status.wait_for(|status| *status != BusStatus::Disconnected).await);
            match attempt().await {
                Err(error) if error.is_unreachable() && !is_lost(bus) => {
                    tracing::info!(
                        template,
                        error = one_line(&error),
                        "a subscription waits for the bus"
                    );
                    tokio::time::sleep(RETRY).await;
                }
                other => return other.map(Some),
            }
        }
    };
    // A subscription that was not confirmed is dropped, and with it given up.
    tokio::select! {
        subscribed = attempts => subscribed,
        () = shutdown.cancelled() => Ok(None),
    }
}

/// Whether the connection will not come back.
fn is_lost(bus: &Bus) -> bool {
    matches!(*bus.status().borrow(), BusStatus::Fatal(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_bus::{Subject, User};
    use snooze_test_harness::NatsServer;

    #[tokio::test]
    async fn t2_a_subscription_outlives_the_brokers_absence() {
        let mut server = NatsServer::open().await;
        let host = "h1".parse().expect("a host id");
        let bus = server.bus(&User::host(&host)).await;
        let filter = SubjectFilter::Exactly(Subject::Metrics(host));
        server.kill();
        let (patient, other) = (bus.clone(), filter.clone());
        let shutdown = CancellationToken::new();
        let subscribing = tokio::spawn(async move { subscribe(&patient, &other, &shutdown).await });
        // An attempt that begins later has failed: so has the first one of the other task.
        let failed = bus.subscribe(&filter, None).await.expect_err("nobody is there");
        assert!(failed.is_unreachable(), "{failed}");
        assert!(!subscribing.is_finished(), "it goes on trying");
        server.restart().await;
        let subscribed = subscribing.await.expect("no panic").expect("no denial");
        assert!(subscribed.is_some());
    }
}
