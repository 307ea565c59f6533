//! What EC2 says of an instance, in our words: what it is doing, its tags, what protects it.
//!
//! An answer that does not name the instance that was asked about says nothing of it.

use super::AwsCloud;
use crate::provider::{CloudError, InstanceState, Protection, Target};
use aws_sdk_ec2::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    types::{
        DeviceType, Instance, InstanceAttributeName, InstanceLifecycleType, InstanceStateName,
        SpotInstanceType,
    },
};
use std::{collections::BTreeMap, fmt};

/// The tag that an Auto Scaling group puts on its members.
const ASG_TAG: &str = "aws:autoscaling:groupName";

impl AwsCloud {
    pub(super) async fn describe(
        &self,
        client: &Client,
        target: &Target,
    ) -> Result<(Instance, Option<String>), CloudError> {
        let answer = client
            .describe_instances()
            .instance_ids(target.instance())
            .send()
            .await
            .map_err(|error| match error.code() {
                Some("InvalidInstanceID.NotFound" | "InvalidInstanceID.Malformed") => {
                    CloudError::NoSuchInstance {
                        instance: target.instance().to_owned(),
                        region: target.region().to_owned(),
                    }
                }
                _ => inspect_failed(target, "DescribeInstances", &DisplayErrorContext(&error)),
            })?;
        for reservation in answer.reservations.unwrap_or_default() {
            let owner = reservation.owner_id;
            for instance in reservation.instances.unwrap_or_default() {
                if instance.instance_id() == Some(target.instance()) {
                    return Ok((instance, owner));
                }
            }
        }
        Err(CloudError::NoSuchInstance {
            instance: target.instance().to_owned(),
            region: target.region().to_owned(),
        })
    }

    pub(super) async fn protections(
        &self,
        client: &Client,
        target: &Target,
        instance: &Instance,
        owner: Option<String>,
    ) -> Result<Vec<Protection>, CloudError> {
        let mut found = Vec::new();
        if let Some(owner) = owner
            && !target.account().is_empty()
            && owner != target.account()
        {
            found.push(Protection::OtherAccount { owner });
        }
        let stop_protection = client
            .describe_instance_attribute()
            .instance_id(target.instance())
            .attribute(InstanceAttributeName::DisableApiStop)
            .send()
            .await
            .map_err(|error| {
                inspect_failed(target, "DescribeInstanceAttribute", &DisplayErrorContext(&error))
            })?;
        if stop_protection
            .disable_api_stop
            .and_then(|attribute| attribute.value)
            == Some(true)
        {
            found.push(Protection::StopProtected);
        }
        if instance.root_device_type() == Some(&DeviceType::InstanceStore) {
            found.push(Protection::InstanceStoreRoot);
        }
        if let Some(group) = tag(instance, ASG_TAG) {
            found.push(Protection::AutoScalingMember {
                group: group.to_owned(),
            });
        }
        if instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot)
            && !self.is_persistent_spot(client, target, instance).await?
        {
            found.push(Protection::OneTimeSpot);
        }
        Ok(found)
    }

    /// Only a persistent request can be stopped and started again. One that is not found is not persistent.
    async fn is_persistent_spot(
        &self,
        client: &Client,
        target: &Target,
        instance: &Instance,
    ) -> Result<bool, CloudError> {
        let Some(request) = instance.spot_instance_request_id() else {
            return Ok(false);
        };
        let answer = client
            .describe_spot_instance_requests()
            .spot_instance_request_ids(request)
            .send()
            .await
            .map_err(|error| {
                inspect_failed(
                    target,
                    "DescribeSpotInstanceRequests",
                    &DisplayErrorContext(&error),
                )
            })?;
        Ok(answer
            .spot_instance_requests()
            .iter()
            .any(|request| request.r#type == Some(SpotInstanceType::Persistent)))
    }
}

/// The operation is named: its name is that of the permission that may be missing.
fn inspect_failed(target: &Target, operation: &str, error: &dyn fmt::Display) -> CloudError {
    CloudError::Inspect {
        instance: target.instance().to_owned(),
        reason: format!("{operation}: {error}").chars().take(500).collect(),
    }
}

pub(super) fn state_of(name: Option<&InstanceStateName>) -> InstanceState {
    match name {
        Some(InstanceStateName::Pending) => InstanceState::Pending,
        Some(InstanceStateName::Running) => InstanceState::Running,
        Some(InstanceStateName::Stopping) => InstanceState::Stopping,
        Some(InstanceStateName::Stopped) => InstanceState::Stopped,
        Some(InstanceStateName::ShuttingDown) => InstanceState::ShuttingDown,
        Some(InstanceStateName::Terminated) => InstanceState::Terminated,
        _ => InstanceState::Unrecognised,
    }
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    instance.tags().iter().find(|tag| tag.key() == Some(key))?.value()
}

pub(super) fn tags_of(instance: &Instance) -> BTreeMap<String, String> {
    instance
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
        .collect()
}
