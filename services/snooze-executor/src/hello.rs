//! A host that says hello is looked at: its launch generation and tags go into the roster's record, a tag
//! that says `Stopped` of a running machine is mended (P4), and a wake that has come true is cleared (P2).
//!
//! Nothing here stops anything, and nothing waits for it: what fails is put right at the next hello.

use crate::{
    context::Context,
    convert,
    perform::chain,
    provider::{InstanceState, Target, tags},
};
use snooze_bus::{Delivery, EXECUTOR_QUEUE, SubjectFilter, Subscription};
use snooze_decision::claim::{self, note_running, tags_to_mend};
use snooze_schemas::{HostId, audit::AuditKind, event::Scope, host::Hello};
use snooze_service_runtime::CancellationToken;
use std::{convert::Infallible, time::Duration};

/// Hosts looked at at once; a whole fleet greets after the broker was away, and the cloud counts requests.
const AT_ONCE: usize = 64;
/// For how long looks under way may go on after shutdown.
const GRACE: Duration = Duration::from_secs(5);
/// For how long one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(30);

/// Subscribes as a member of the executors' queue group.
pub(crate) async fn subscribe(context: &Context) -> Result<Subscription, snooze_bus::BusError> {
    context
        .bus
        .subscribe(&SubjectFilter::AllHello, Some(EXECUTOR_QUEUE))
        .await
}

/// Looks at hosts that say hello until shutdown.
pub(crate) async fn serve(
    subscription: Subscription,
    context: Context,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let handler = |delivery: Delivery| {
        let context = context.clone();
        async move {
            let (Some(host), Ok(hello)) = (delivery.subject().host(), delivery.read::<Hello>()) else {
                return;
            };
            match tokio::time::timeout(LOOK_WITHIN, look(&context, host, &hello)).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => {
                    tracing::warn!(host = %host, reason, "a host that said hello was not looked at");
                }
                Err(_) => tracing::warn!(host = %host, "looking at a host that said hello took too long"),
            }
        }
    };
    snooze_bus::serve(subscription, AT_ONCE, GRACE, shutdown.cancelled_owned(), handler).await;
    Ok(())
}

async fn look(context: &Context, host: &HostId, hello: &Hello) -> Result<(), String> {
    let stored = context.store.roster(host).await.map_err(|error| chain(&error))?;
    let Some((revision, mut record)) = stored else {
        return Ok(());
    };
    let target = Target::from_roster(host, &record);
    let cloud = context.clouds.of(&target).map_err(|error| chain(&error))?;
    let inspection = cloud.inspect(&target).await.map_err(|error| chain(&error))?;
    if record.tags != inspection.tags || record.launch != hello.launch {
        record.tags.clone_from(&inspection.tags);
        record.launch.clone_from(&hello.launch);
        // Where it has moved, somebody knows better; the next hello looks again.
        if let Err(error) = context.store.update_roster(host, &record, revision).await {
            tracing::debug!(host = %host, error = %chain(&error), "the roster's record was not refreshed");
        }
    }
    let entry = context.store.host(host).await.map_err(|error| chain(&error))?;
    if inspection.state == InstanceState::Running && entry.value.wake.is_some() && entry.value.claim.is_none()
    {
        let running = note_running(&entry, context.now().wall);
        context
            .store
            .update(host, running, entry.revision)
            .await
            .map_err(|error| chain(&error))?;
        context
            .file(
                Scope::Host(host.clone()),
                AuditKind::Wake,
                "The machine runs.".to_owned(),
            )
            .await;
    }
    let policy = context
        .mirror
        .view(host)
        .policy
        .map_err(|error| chain(error.as_ref()))?;
    if !policy.wire.enable_instance_tags {
        return Ok(());
    }
    let status = tags::status(&policy.wire, &inspection.tags);
    let Some(state) = convert::instance_state(inspection.state) else {
        return Ok(());
    };
    if tags_to_mend(state, status, &entry.value) == Some(claim::Tags::Running) {
        let mended = tags::mended(&policy.wire);
        cloud
            .write_tags(&target, &mended)
            .await
            .map_err(|error| chain(&error))?;
        let message = "The machine runs; its tag said that it was stopped.".to_owned();
        context
            .file(Scope::Host(host.clone()), AuditKind::Tags, message)
            .await;
    }
    Ok(())
}
