//! The plugins that run here as child processes, reachable on the bus like any other plugin.
//!
//! One wildcard subscription a plugin. It never lets anybody on the bus configure, start or end a
//! plugin: what is to last is a configuration key, written by an administrator.

use crate::{
    directory::Directory,
    listening,
    plugin::{AskError, Plugin, Work},
    stdio::StdioPlugin,
};
use serde_json::{Value, json};
use snooze_bus::{Bus, BusError, Delivery, PluginMethod, Subject, SubjectFilter, serve};
use snooze_schemas::{
    ErrorCode, HostId, Refusal,
    event::HandleEvent,
    plugin::{CheckIdle, Info, SupportedEvents, SupportedEventsResult},
    reply::Empty,
};
use snooze_service_runtime::exit::one_line;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// So many questions to one plugin may wait; it answers one at a time anyway.
const AT_ONCE: usize = 16;

/// How long an answer may take; a plugin that is asked by the bus has no policy's time-out.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long an event handler may take that is asked without a limit.
const EVENT_LIMIT: Duration = Duration::from_secs(15);

/// How long answers that are under way may take after shutdown.
const GRACE: Duration = Duration::from_secs(1);

/// Answers for one process on the bus, from when it has told its name until shutdown.
///
/// # Errors
/// When the connection is closed for good.
pub(crate) async fn host(
    bus: Bus,
    host: HostId,
    plugin: Arc<Plugin>,
    process: Arc<StdioPlugin>,
    directory: Arc<Directory>,
    shutdown: CancellationToken,
) -> Result<(), BusError> {
    let mut info = process.info();
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        introduced = info.wait_for(Option::is_some) => if introduced.is_err() { return Ok(()) },
    }
    let filter = SubjectFilter::PluginOnHost {
        host: host.clone(),
        plugin: plugin.name(),
    };
    let Some(subscription) = listening::subscribe(&bus, &filter, &shutdown).await? else {
        return Ok(());
    };
    let _listed = directory.list(plugin.clone());
    let subscription = subscription.counted_by(plugin.counts());
    let handler = move |delivery| answer(plugin.clone(), host.clone(), delivery);
    serve(subscription, AT_ONCE, GRACE, shutdown.cancelled(), handler).await;
    Ok(())
}

async fn answer(plugin: Arc<Plugin>, host: HostId, delivery: Delivery) {
    let outcome = ask(&plugin, &host, &delivery).await.unwrap_or_else(|refusal| {
        // What reaches the plugin is counted there, as what the runner itself asks is.
        plugin.counts().failed(Duration::ZERO, &refusal.message);
        Err(refusal)
    });
    let answered = match outcome {
        Ok(body) => delivery.answer_bare(&body).await,
        Err(refusal) => delivery.answer::<Empty>(Err(refusal)).await,
    };
    if let Err(error) = answered {
        tracing::warn!(plugin = %plugin.name(), error = one_line(&error), "an answer was not sent");
    }
}

/// What comes of a question; a refusal of its own where the plugin has no part in it.
async fn ask(
    plugin: &Arc<Plugin>,
    host: &HostId,
    delivery: &Delivery,
) -> Result<Result<Value, Refusal>, Refusal> {
    let Subject::HostPlugin { method, .. } = delivery.subject() else {
        return Err(Refusal::new(
            ErrorCode::NotFound,
            "nothing answers to this subject",
        ));
    };
    let outcome = match method {
        PluginMethod::Info => {
            delivery.read::<Info>()?;
            body(&plugin.info(ANSWER_LIMIT).await)
        }
        PluginMethod::CheckIdle => {
            let question: CheckIdle = delivery.read()?;
            match plugin.check_idle(&question.metrics, host, ANSWER_LIMIT).await {
                Ok(said) => {
                    Ok(json!({"is_idle": said.is_idle, "reason": said.reason, "details": said.details}))
                }
                Err(error) => Ok(json!({"error": error.to_string()})),
            }
        }
        PluginMethod::HandleEvent => {
            let question: HandleEvent = delivery.read()?;
            let left = question.left_ms.map_or(EVENT_LIMIT, Duration::from_millis);
            let begins = std::future::ready(Ok(()));
            match plugin
                .handle_event(&question.event, Work::Event, left, begins)
                .await
            {
                Ok(result) => body(&result),
                Err(error) => Err(refusal(&error)),
            }
        }
        PluginMethod::SupportedEvents => {
            delivery.read::<SupportedEvents>()?;
            match plugin.supported_events(ANSWER_LIMIT).await {
                Ok(events) => body(&SupportedEventsResult { events }),
                Err(error) => Err(refusal(&error)),
            }
        }
        PluginMethod::Configure | PluginMethod::Initialize | PluginMethod::Shutdown => {
            return Err(Refusal::new(
                ErrorCode::Forbidden,
                "a plugin is configured, enabled and disabled by a configuration key",
            ));
        }
    };
    Ok(outcome)
}

fn refusal(error: &AskError) -> Refusal {
    let code = match error {
        AskError::UnknownMethod => ErrorCode::NotFound,
        AskError::Withheld(_) => ErrorCode::Forbidden,
        _ => ErrorCode::Unavailable,
    };
    Refusal::new(code, error.to_string())
}

fn body(value: &impl serde::Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|error| Refusal::new(ErrorCode::Internal, error.to_string()))
}
