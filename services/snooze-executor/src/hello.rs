//! Hosts that say hello: each is to be looked at soon. Nothing here looks.

use crate::{context::Context, looks::Looks};
use snooze_bus::{EXECUTOR_QUEUE, SubjectFilter, Subscription};
use snooze_schemas::host::Hello;
use snooze_service_runtime::CancellationToken;

/// Why hellos are not heard any more.
#[derive(Debug, thiserror::Error)]
#[error("the subscription to hellos was closed")]
pub(crate) struct Closed;

/// Subscribes as a member of the executors' queue group.
pub(crate) async fn subscribe(context: &Context) -> Result<Subscription, snooze_bus::BusError> {
    context
        .bus
        .subscribe(&SubjectFilter::AllHello, Some(EXECUTOR_QUEUE))
        .await
}

/// Has hosts that say hello looked at, until shutdown.
pub(crate) async fn hear(
    mut subscription: Subscription,
    context: Context,
    looks: Looks,
    shutdown: CancellationToken,
) -> Result<(), Closed> {
    loop {
        // Cancelling `next` loses nothing.
        let delivery = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            delivery = subscription.next() => delivery.ok_or(Closed)?,
        };
        // A refusal is counted and logged where the body is read.
        if let (Some(host), Ok(hello)) = (delivery.subject().host(), delivery.read::<Hello>()) {
            looks.ask(host, hello.launch, context.now().boot);
        }
    }
}
