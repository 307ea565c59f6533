//! The steps of a claim that ask its cloud something, the one call among them.

use super::{Performer, chain};
use crate::{
    convert,
    provider::{self, Cloud, CloudError, StopRequest, Target, tags},
};
use snooze_decision::{
    Boot,
    claim::{CallOutcome, InstanceState, Permit, Protections, Tags},
};
use snooze_schemas::{host, roster::RosterRecord};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tracing::Instrument;

impl Performer {
    fn cloud(&self) -> Result<(&dyn Cloud, &Target), CloudError> {
        let target = self.target.as_ref().ok_or(CloudError::NotEnrolled)?;
        Ok((self.clouds.of(target)?, target))
    }

    /// State, tags and protections, and the roster's record once more: what it names is what is looked at.
    pub(super) async fn protections(&self) -> Result<Protections, String> {
        let now = self
            .store
            .roster(&self.host)
            .await
            .map_err(|error| chain(&error))?;
        let (cloud, target) = self.cloud().map_err(|error| chain(&error))?;
        let inspection = cloud.inspect(target).await.map_err(|error| chain(&error))?;
        self.learn(|learnt| learnt.can_hibernate = Some(inspection.can_hibernate));
        let mut forbids: Vec<String> = inspection
            .protections
            .iter()
            .filter(|protection| {
                protection
                    .kind()
                    .is_none_or(|kind| !self.policy.stop_despite.contains(&kind))
            })
            .map(|protection| format!("{}: {protection}", target.instance()))
            .collect();
        match now {
            Some((revision, now)) if Target::from_roster(&self.host, &now) == *target => {
                if now.carries_executor && !self.policy.self_stop {
                    forbids.push("an executor runs on it, and the policy does not say self_stop".to_owned());
                }
                self.remember_tags(revision, now, &inspection.tags).await;
            }
            _ => forbids.push("the roster no longer says that the host is this instance".to_owned()),
        }
        Ok(Protections {
            state: convert::instance_state(inspection.state)
                .ok_or("the cloud reports a state that is not known here")?,
            forbids,
            tags: inspection.tags,
        })
    }

    /// S8: a host that was found to have opted out is not claimed again before it opts in.
    async fn remember_tags(&self, revision: u64, mut record: RosterRecord, tags: &BTreeMap<String, String>) {
        if record.tags == *tags {
            return;
        }
        record.tags.clone_from(tags);
        if let Err(error) = self.store.update_roster(&self.host, &record, revision).await {
            // Where it has moved, somebody knows better; the next look tells.
            tracing::debug!(host = %self.host, error = %chain(&error), "the roster's record was not refreshed");
        }
    }

    /// Whether the instance was started with hibernation configured, which does not change while it runs.
    pub(super) async fn can_hibernate(&self) -> Result<bool, String> {
        if let Some(known) = self.learn(|learnt| learnt.can_hibernate) {
            return Ok(known);
        }
        let (cloud, target) = self.cloud().map_err(|error| chain(&error))?;
        let inspection = cloud.inspect(target).await.map_err(|error| chain(&error))?;
        self.learn(|learnt| learnt.can_hibernate = Some(inspection.can_hibernate));
        Ok(inspection.can_hibernate)
    }

    pub(super) async fn call(&self, permit: Permit) -> CallOutcome {
        let (cloud, target) = match self.cloud() {
            Ok(found) => found,
            Err(error) => {
                return CallOutcome::NotSent {
                    reason: chain(&error),
                };
            }
        };
        let can_hibernate = self.learn(|learnt| learnt.can_hibernate) == Some(true);
        let action = match convert::wire_action(permit.action) {
            host::Action::Hibernate if can_hibernate => host::Action::Hibernate,
            _ => host::Action::Stop,
        };
        self.learn(|learnt| learnt.action = Some(action));
        let within = Duration::from_millis(permit.timeout_ms);
        let clocks = self.clocks.clone();
        let guard: provider::SendGuard = Arc::new(move || {
            if permit.allows(Boot(clocks.boottime_ms())) {
                Ok(())
            } else {
                Err("the verification was too old when the request was about to be sent".to_owned())
            }
        });
        let span = tracing::info_span!(
            "stop call",
            otel.kind = "client",
            rpc.method = "StopInstances",
            host = %self.host,
            cloud.resource_id = target.instance(),
            cloud.region = target.region(),
        );
        let request = StopRequest {
            action,
            guard,
            within,
        };
        let outcome = cloud.stop(target, request).instrument(span).await;
        tracing::info!(host = %self.host, instance = target.instance(), ?outcome, "the stop call was made");
        match outcome {
            provider::CallOutcome::Accepted {
                before: provider::InstanceState::Stopping | provider::InstanceState::Stopped,
                ..
            } => CallOutcome::AlreadyStopping,
            provider::CallOutcome::Accepted { .. } => CallOutcome::Accepted,
            provider::CallOutcome::Refused { code, message } => CallOutcome::Refused {
                reason: format!("{code}: {message}"),
            },
            provider::CallOutcome::NotSent { reason } => CallOutcome::NotSent { reason },
            provider::CallOutcome::Unknown { reason } => CallOutcome::Unknown { reason },
        }
    }

    pub(super) async fn instance(&self) -> Result<InstanceState, String> {
        let target = match &self.target {
            Some(target) => target.clone(),
            // The claim outlived the host's enrolment, as far as was known when it was taken over.
            None => match self.store.roster(&self.host).await {
                Ok(Some((_, record))) => Target::from_roster(&self.host, &record),
                Ok(None) => return Ok(InstanceState::Missing),
                Err(error) => return Err(chain(&error)),
            },
        };
        let cloud = self.clouds.of(&target).map_err(|error| chain(&error))?;
        match cloud.see(&target).await {
            Ok(seen) => convert::instance_state(seen.state)
                .ok_or_else(|| "the cloud reports a state that is not known here".to_owned()),
            Err(CloudError::NoSuchInstance { .. }) => Ok(InstanceState::Missing),
            Err(error) => Err(chain(&error)),
        }
    }

    pub(super) async fn write_tags(&self, tags: Tags) -> Result<(), String> {
        let (cloud, target) = self.cloud().map_err(|error| chain(&error))?;
        let tags = match tags {
            Tags::Running => tags::mended(&self.policy),
            Tags::Stopped { at, reason } => {
                let verdict = self.learn(|learnt| learnt.verdict.clone());
                // The roster may name another instance by now, or none.
                let of_target =
                    |record: &&Arc<RosterRecord>| Target::from_roster(&self.host, record) == *target;
                let record = self.record.as_ref().filter(of_target);
                let facts = tags::StopFacts {
                    at: convert::timestamp(at),
                    reason: &reason,
                    instance_type: record.map_or("", |record| record.instance_type.as_str()),
                    region: target.region(),
                    verdict: verdict.as_ref(),
                };
                tags::stopped(&self.policy, &facts)
            }
        };
        if tags.is_empty() {
            return Ok(());
        }
        cloud
            .write_tags(target, &tags)
            .await
            .map_err(|error| chain(&error))
    }
}
