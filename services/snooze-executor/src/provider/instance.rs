//! An instance: which one it is, what it is doing, and what protects it.

use snooze_decision::claim;
use snooze_schemas::{HostId, policy, roster};
use std::{collections::BTreeMap, fmt};

/// The instance that a call names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: HostId,
    provider: roster::Provider,
    account: String,
    region: String,
    instance: String,
}

impl Target {
    /// The instance that the roster says this host is.
    #[must_use]
    pub fn from_roster(host: &HostId, record: &roster::RosterRecord) -> Self {
        Self {
            host: host.clone(),
            provider: record.provider,
            account: record.account.clone(),
            region: record.region.clone(),
            instance: record.instance.clone(),
        }
    }

    /// The instance that the roster said this host was when its claim was made; none where the claim names
    /// a cloud that is not known here. There is no third way to make a target.
    #[must_use]
    pub fn kept_in_claim(host: &HostId, kept: &claim::Target) -> Option<Self> {
        Some(Self {
            host: host.clone(),
            provider: kept.provider.parse().ok()?,
            account: kept.account.clone(),
            region: kept.region.clone(),
            instance: kept.instance.clone(),
        })
    }

    /// The host whose record this was made of.
    #[must_use]
    pub fn host(&self) -> &HostId {
        &self.host
    }

    /// The cloud.
    #[must_use]
    pub fn provider(&self) -> roster::Provider {
        self.provider
    }

    /// The account; empty where the record has none.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The instance's own id.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }
}

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceState {
    /// It is being started.
    Pending,
    /// It runs.
    Running,
    /// It is being stopped or hibernated.
    Stopping,
    /// It is stopped or hibernated.
    Stopped,
    /// It is being terminated.
    ShuttingDown,
    /// It is terminated.
    Terminated,
    /// The cloud says something that this version does not know.
    Unrecognised,
}

impl InstanceState {
    /// As people and the cloud's own pages spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Unrecognised => "unrecognised",
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Why an instance is not to be stopped, whatever its host's votes say (rule S19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// Somebody switched stop protection on.
    StopProtected,
    /// Its root volume is lost at a stop.
    InstanceStoreRoot,
    /// A one-time spot request: stopping it is not possible, or loses it.
    OneTimeSpot,
    /// Its Auto Scaling group would replace it.
    AutoScalingMember {
        /// The group.
        group: String,
    },
    /// The account of the instance is not the one in the roster.
    OtherAccount {
        /// The account that owns the instance.
        owner: String,
    },
}

impl Protection {
    /// The name under which a policy may say that this does not matter; another account always does.
    #[must_use]
    pub fn kind(&self) -> Option<policy::Protection> {
        match self {
            Self::StopProtected => Some(policy::Protection::StopProtected),
            Self::InstanceStoreRoot => Some(policy::Protection::InstanceStore),
            Self::OneTimeSpot => Some(policy::Protection::OneTimeSpot),
            Self::AutoScalingMember { .. } => Some(policy::Protection::AsgMember),
            Self::OtherAccount { .. } => None,
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopProtected => out.write_str("stop protection is on"),
            Self::InstanceStoreRoot => {
                out.write_str("its root volume is an instance store, which a stop loses")
            }
            Self::OneTimeSpot => out.write_str("it belongs to a one-time spot request"),
            Self::AutoScalingMember { group } => {
                write!(
                    out,
                    "it belongs to the Auto Scaling group {group}, which would replace it"
                )
            }
            Self::OtherAccount { owner } => {
                write!(
                    out,
                    "it belongs to account {owner}, which is not the one in the roster"
                )
            }
        }
    }
}

/// What one question to a cloud tells of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is doing.
    pub state: InstanceState,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// All that is looked at right before a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What it is doing.
    pub state: InstanceState,
    /// Its tags, as the cloud has them now.
    pub tags: BTreeMap<String, String>,
    /// What speaks against stopping it.
    pub protections: Vec<Protection>,
    /// Whether it was started with hibernation configured.
    pub can_hibernate: bool,
}
