//! Ending where the connection has ended: a gateway that cannot do its work has to say so. On a host it can, and its
//! connection goes on where the bus denies something.

use crate::GatewayError;
use snooze_bus::Bus;
use snooze_service_runtime::CancellationToken;

/// Watches the connection: a denied permission would otherwise never be heard of.
pub(crate) async fn until_denied(bus: Bus, shutdown: CancellationToken) -> Result<(), GatewayError> {
    let mut status = bus.status();
    let denied = status.wait_for(|status| matches!(status, snooze_bus::BusStatus::Fatal(_)));
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        status = denied => match status.as_deref() {
            Ok(snooze_bus::BusStatus::Fatal(why)) => Err(GatewayError::Denied { why: why.clone() }),
            _ => Err(GatewayError::Denied { why: "the connection is closed".to_owned() }),
        },
    }
}
