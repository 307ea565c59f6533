//! How parts of the service end.

use super::RunnerError;
use snooze_bus::{Bus, BusStatus};
use snooze_service_runtime::CancellationToken;
use std::convert::Infallible;

/// Ends with an error when the connection has ended: it is closed, or one to which a denial is the end, since what is
/// withheld would never be missed.
pub(super) async fn not_denied(bus: Bus, shutdown: CancellationToken) -> Result<(), RunnerError> {
    let mut status = bus.status();
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        denied = status.wait_for(|status| matches!(status, BusStatus::Fatal(_))) => match denied.as_deref() {
            Ok(BusStatus::Fatal(why)) => Err(RunnerError::Denied(why.clone())),
            Ok(_) | Err(_) => Err(RunnerError::Denied("the connection is gone".to_owned())),
        },
    }
}

/// A part that cannot fail.
pub(super) async fn ends_well(part: impl Future<Output = ()>) -> Result<(), Infallible> {
    part.await;
    Ok(())
}
