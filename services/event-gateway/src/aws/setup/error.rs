//! What keeps a set-up from going on: which call on what, and what to do about it.

use crate::aws::{client::said, permission::is_denied};
use aws_sdk_sqs::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use snooze_service_runtime::Exit;

/// Why it did not go on. Run again, it goes on where it ended.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Neither the command line nor the environment nor the instance names a region.
    #[error("no region is known: name one with --region, or set AWS_REGION")]
    NoRegion,
    /// Whoever asks is not allowed to.
    #[error(
        "{call} of {what} in {region} was denied: it takes the permission {permission} \
         (deploy/iam-policy-aws-setup.json has all of them): {said}"
    )]
    Denied {
        /// The call.
        call: &'static str,
        /// On what.
        what: String,
        /// Where.
        region: String,
        /// What has to be allowed.
        permission: &'static str,
        /// What AWS said.
        said: String,
    },
    /// A call failed.
    #[error("{call} of {what} in {region} failed; run it again to go on: {said}")]
    Call {
        /// The call.
        call: &'static str,
        /// On what.
        what: String,
        /// Where.
        region: String,
        /// What AWS said.
        said: String,
    },
    /// Somebody else has something of that name.
    #[error(
        "there is a {kind} {name} in {region} without the tag {tag}, so this did not make it: choose another \
         --name, or give it that tag to hand it over"
    )]
    Foreign {
        /// `queue` or `rule`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where.
        region: String,
        /// As `key=value`.
        tag: String,
    },
    /// There is no such event bus.
    #[error("there is no event bus {name} in {region}: make it, or name another one with --event-bus")]
    NoEventBus {
        /// Its name.
        name: String,
        /// Where.
        region: String,
    },
    /// A queue of that name was deleted less than a minute ago.
    #[error(
        "a queue {name} was deleted in {region} within the last minute, and AWS gives its name to no other so \
         long: run it again in a minute"
    )]
    DeletedRecently {
        /// Its name.
        name: String,
        /// Where.
        region: String,
    },
}

impl SetupError {
    /// What the process ends with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoRegion | Self::NoEventBus { .. } => Exit::Usage,
            Self::Denied { .. } => Exit::Refused,
            Self::Call { .. } | Self::Foreign { .. } | Self::DeletedRecently { .. } => Exit::Failed,
        }
    }
}

/// A call, and the permission that it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) permission: &'static str,
}

/// Makes errors that say where.
#[derive(Debug, Clone)]
pub(super) struct Failing {
    pub(super) region: String,
}

impl Failing {
    /// The error of a call on something.
    pub(super) fn at<E>(&self, call: Call, what: &str, error: &SdkError<E, HttpResponse>) -> SetupError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (what, region, said) = (what.to_owned(), self.region.clone(), said(error));
        let call_name = call.name;
        if is_denied(error.code()) {
            SetupError::Denied {
                call: call_name,
                what,
                region,
                permission: call.permission,
                said,
            }
        } else {
            self.call(call, &what, said)
        }
    }

    /// The error of a call that was answered, and not with what was asked for.
    pub(super) fn call(&self, call: Call, what: &str, said: String) -> SetupError {
        SetupError::Call {
            call: call.name,
            what: what.to_owned(),
            region: self.region.clone(),
            said,
        }
    }

    /// Something that was not made here.
    pub(super) fn foreign(&self, kind: &'static str, name: &str, tag: String) -> SetupError {
        SetupError::Foreign {
            kind,
            name: name.to_owned(),
            region: self.region.clone(),
            tag,
        }
    }
}
