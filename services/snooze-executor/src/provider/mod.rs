//! The clouds: what an executor may ask of one, and what it can answer.
//!
//! A cloud is told which instance by a [`Target`], and a target is made of a roster record, or of what a
//! claim kept of one, and of nothing else (rules I1, P8). One call to [`Cloud::stop`] makes at most one request and never
//! repeats it (rule P1): whether to ask again is not a cloud's business, and neither is whether to ask.

#[cfg(feature = "aws")]
pub mod aws;
mod instance;
pub mod simulated;
pub mod tags;

pub use instance::{Inspection, InstanceState, Protection, Seen, Target};

use futures_util::future::BoxFuture;
use snooze_schemas::{host::Action, roster};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

/// What became of a stop or start request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The cloud said yes; the instance is stopping (starting), or was already.
    Accepted {
        /// What it did before, as far as the cloud says.
        before: InstanceState,
        /// What it is doing now.
        now: InstanceState,
    },
    /// The cloud said no, and will not do it later.
    Refused {
        /// The cloud's own code, as `UnauthorizedOperation`.
        code: String,
        /// The cloud's own words.
        message: String,
    },
    /// Nothing left this process: the last look before sending said no.
    NotSent {
        /// Why.
        reason: String,
    },
    /// It may have been done, be done later, or never.
    Unknown {
        /// What was seen instead of an answer.
        reason: String,
    },
}

/// Asked after the request is signed and before its first byte leaves; an error drops the request (rule P1).
pub type SendGuard = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// A stop request.
#[derive(Clone)]
pub struct StopRequest {
    /// Stop or hibernate.
    pub action: Action,
    /// The last look.
    pub guard: SendGuard,
    /// `C`: at its end the connection is aborted and the outcome is unknown.
    pub within: Duration,
}

impl fmt::Debug for StopRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StopRequest")
            .field("action", &self.action)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}

/// A question to a cloud that had no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Looking at the instance failed.
    #[error("look at {instance}: {reason}")]
    Inspect {
        /// The instance.
        instance: String,
        /// What the cloud or the network said.
        reason: String,
    },
    /// There is no such instance.
    #[error("there is no instance {instance} in {region:?}")]
    NoSuchInstance {
        /// The instance.
        instance: String,
        /// Where it was looked for.
        region: String,
    },
    /// Writing tags failed.
    #[error("write tags of {instance}: {reason}")]
    WriteTags {
        /// The instance.
        instance: String,
        /// What the cloud or the network said.
        reason: String,
    },
    /// The permission check itself failed.
    #[error("check whether {instance} may be stopped: {reason}")]
    CheckPermission {
        /// The instance.
        instance: String,
        /// What the cloud or the network said.
        reason: String,
    },
    /// The roster says nothing of the host.
    #[error("the host is not in the roster")]
    NotEnrolled,
    /// This executor cannot reach that cloud.
    #[error("this executor was built or configured without the provider {provider}")]
    NoSuchProvider {
        /// The provider that the roster names.
        provider: &'static str,
    },
}

/// Whether the credentials in use may stop an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// They may.
    Granted,
    /// They may not, and what the cloud said.
    Denied(String),
}

/// One cloud. Every method answers within the time it is given, or within ten seconds where it is given none.
pub trait Cloud: Send + Sync {
    /// Asks for a stop, once. Dropping the future aborts the connection; the outcome is then unknown.
    fn stop<'a>(&'a self, target: &'a Target, request: StopRequest) -> BoxFuture<'a, CallOutcome>;

    /// Asks for a start, once.
    fn start<'a>(&'a self, target: &'a Target, within: Duration) -> BoxFuture<'a, CallOutcome>;

    /// State and tags: one question.
    fn see<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Seen, CloudError>>;

    /// Everything that is looked at before a stop: state, tags and protections. Several questions.
    fn inspect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Inspection, CloudError>>;

    /// Whether this process's credentials may stop that instance; stops nothing.
    fn permission_check<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Permission, CloudError>>;

    /// Writes these tags and leaves all others.
    fn write_tags<'a>(
        &'a self,
        target: &'a Target,
        tags: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), CloudError>>;
}

/// The clouds that this process can reach.
#[derive(Clone, Default)]
pub struct Clouds {
    simulated: Option<simulated::SimulatedCloud>,
    #[cfg(feature = "aws")]
    aws: Option<Arc<aws::AwsCloud>>,
}

impl fmt::Debug for Clouds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Clouds");
        shown.field("simulated", &self.simulated.is_some());
        #[cfg(feature = "aws")]
        shown.field("aws", &self.aws.is_some());
        shown.finish()
    }
}

impl Clouds {
    /// With a simulated cloud. The handle given here stays usable: it shows the calls.
    #[must_use]
    pub fn with_simulated(mut self, cloud: simulated::SimulatedCloud) -> Self {
        self.simulated = Some(cloud);
        self
    }

    /// With EC2.
    #[cfg(feature = "aws")]
    #[must_use]
    pub fn with_aws(mut self, cloud: aws::AwsCloud) -> Self {
        self.aws = Some(Arc::new(cloud));
        self
    }

    /// The cloud of this target.
    ///
    /// # Errors
    /// [`CloudError::NoSuchProvider`] where this process was built or configured without it.
    pub fn of(&self, target: &Target) -> Result<&dyn Cloud, CloudError> {
        match target.provider() {
            roster::Provider::Simulated => {
                self.simulated
                    .as_ref()
                    .map(|cloud| cloud as &dyn Cloud)
                    .ok_or(CloudError::NoSuchProvider {
                        provider: "simulated",
                    })
            }
            #[cfg(feature = "aws")]
            roster::Provider::Aws => self
                .aws
                .as_deref()
                .map(|cloud| cloud as &dyn Cloud)
                .ok_or(CloudError::NoSuchProvider { provider: "aws" }),
            #[cfg(not(feature = "aws"))]
            roster::Provider::Aws => Err(CloudError::NoSuchProvider { provider: "aws" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::HostId;

    fn record(instance: &str) -> roster::RosterRecord {
        serde_json::from_value(serde_json::json!({
            "provider": "simulated", "region": "eu-central-1", "account": "123456789012",
            "instance": instance, "enrolled_at": "2026-01-01T00:00:00Z",
        }))
        .expect("a record")
    }

    #[test]
    fn i1_p8_a_target_is_what_the_roster_says_and_nothing_else() {
        let host: HostId = "i-0aaa".parse().expect("a host id");
        let target = Target::from_roster(&host, &record("i-0bbb"));
        assert_eq!(target.instance(), "i-0bbb");
        assert_eq!(target.region(), "eu-central-1");
        assert_eq!(target.account(), "123456789012");
    }

    #[test]
    fn a_cloud_that_is_not_there_is_said_by_name() {
        let host: HostId = "i-0aaa".parse().expect("a host id");
        let target = Target::from_roster(&host, &record("i-0bbb"));
        let refused = Clouds::default().of(&target).err().expect("no cloud");
        assert!(refused.to_string().contains("simulated"), "{refused}");
    }
}
