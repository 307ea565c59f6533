//! Auto Scaling's two calls: "handlers run, wait", and "go on".

use super::Settings;
use crate::{aws::said, source::aws_queue::Hook};
use aws_sdk_autoscaling::{
    Client,
    config::{Config, Region, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
};
use std::error::Error;

/// Why a call was of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScalingError {
    /// Nothing waits there any more: it was answered, or its time is over.
    #[error("the lifecycle action is over")]
    Over,
    /// Anything else; the same again may help.
    #[error("{operation}: {reason}")]
    Failed {
        /// Its name, which is that of the permission too.
        operation: &'static str,
        /// Why.
        reason: String,
    },
}

/// Auto Scaling, in any region.
#[derive(Debug)]
pub(super) struct Scaling(Client);

impl Scaling {
    pub(super) async fn of(settings: &Settings) -> Scaling {
        Scaling(Client::new(&settings.scaling.sdk_config().await))
    }

    /// The hook's time-out begins anew.
    pub(super) async fn beat(&self, hook: &Hook) -> Result<(), ScalingError> {
        let call = self
            .0
            .record_lifecycle_action_heartbeat()
            .lifecycle_hook_name(&hook.name)
            .auto_scaling_group_name(&hook.group)
            .lifecycle_action_token(&hook.token)
            .instance_id(&hook.instance)
            .customize()
            .config_override(at(hook));
        let answer = call.send().await;
        answer
            .map(drop)
            .map_err(|error| failed("autoscaling:RecordLifecycleActionHeartbeat", &error))
    }

    /// The instance goes on the way that it is on.
    pub(super) async fn go_on(&self, hook: &Hook) -> Result<(), ScalingError> {
        let call = self
            .0
            .complete_lifecycle_action()
            .lifecycle_hook_name(&hook.name)
            .auto_scaling_group_name(&hook.group)
            .lifecycle_action_token(&hook.token)
            .instance_id(&hook.instance)
            .lifecycle_action_result("CONTINUE")
            .customize()
            .config_override(at(hook));
        let answer = call.send().await;
        answer
            .map(drop)
            .map_err(|error| failed("autoscaling:CompleteLifecycleAction", &error))
    }
}

/// In the group's region, where that is not the queue's.
fn at(hook: &Hook) -> aws_sdk_autoscaling::config::Builder {
    let config = Config::builder();
    match &hook.region {
        Some(region) => config.region(Region::new(region.clone())),
        None => config,
    }
}

/// "No active Lifecycle Action found" is a `ValidationError` as is a name that does not exist: nothing waits there.
fn failed<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> ScalingError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ValidationError") {
        return ScalingError::Over;
    }
    ScalingError::Failed {
        operation,
        reason: said(error),
    }
}
