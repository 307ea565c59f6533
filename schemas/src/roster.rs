//! What a host is: the record that says which instance a stop call would name (rule I1).

use crate::{GroupName, HostId, Timestamp, event::Severity};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, str::FromStr};

/// `snooze_config`, key `roster.<host>`: written at enrolment, found by the host token of a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct RosterRecord {
    /// The cloud that would be called.
    pub provider: Provider,
    /// The account, for people and for the permission check; empty where there is none.
    #[serde(default)]
    pub account: String,
    /// The region; never taken from configuration.
    #[serde(default)]
    pub region: String,
    /// The instance that would be stopped.
    pub instance: String,
    /// The group whose policy and limits hold.
    #[serde(default = "default_group")]
    pub group: GroupName,
    /// The kind of instance, as `t3.medium`; empty where unknown.
    #[serde(default)]
    pub instance_type: String,
    /// Whether broker and executor run on this very host (rules P10, S25).
    #[serde(default)]
    pub carries_executor: bool,
    /// The launch generation that was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
    /// The tags as last read; a cache, never what a stop rests on.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
}

fn default_group() -> GroupName {
    "default".parse().expect("`default` is a valid group name")
}

/// Which cloud a host belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Records the calls and stops nothing.
    Simulated,
    /// EC2.
    Aws,
}

impl Provider {
    /// Every cloud that is known.
    pub const ALL: [Provider; 2] = [Self::Simulated, Self::Aws];

    /// As records, reports and claims spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Aws => "aws",
        }
    }
}

/// A cloud that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no provider that is known here")]
pub struct UnknownProvider {
    /// As it was given.
    pub word: String,
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|provider| provider.as_str() == word);
        known.ok_or_else(|| UnknownProvider {
            word: word.to_owned(),
        })
    }
}

/// `snooze_config`, key `source.<source>`: what a source of custom events may say. An administrator writes
/// it together with the source's credentials; a source without a record is refused.
///
/// A service cannot see the credentials of whoever sends to it, only the subject, which names the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SourceRecord {
    /// Which hosts it may name.
    pub hosts: SourceHosts,
    /// The most urgent that its events may be; what is sent as more urgent is refused.
    pub max_severity: Severity,
}

impl SourceRecord {
    /// Whether events of this source may concern a host, or the fleet where none is named.
    #[must_use]
    pub fn permits(&self, host: Option<&HostId>) -> bool {
        match (&self.hosts, host) {
            (SourceHosts::All, _) => true,
            (SourceHosts::Only(hosts), Some(host)) => hosts.contains(host),
            (SourceHosts::Only(_), None) => false,
        }
    }
}

/// Which hosts a source may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SourceHosts {
    /// Any, and the fleet as a whole.
    All,
    /// These.
    Only(Vec<HostId>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_spelt_alike_in_records_and_everywhere_else() {
        for provider in Provider::ALL {
            assert_eq!(provider.as_str().parse(), Ok(provider));
            let in_records = serde_json::to_value(provider).expect("it is written");
            assert_eq!(in_records, provider.as_str());
        }
        assert!("another".parse::<Provider>().is_err());
    }

    #[test]
    fn i5_a_source_that_is_fenced_to_hosts_may_not_name_the_fleet() {
        let record: SourceRecord =
            serde_json::from_str(r#"{"hosts":{"only":["a"]},"max_severity":1}"#).expect("reads");
        let host = |name: &str| name.parse::<HostId>().expect("a host id");
        assert!(record.permits(Some(&host("a"))));
        assert!(!record.permits(Some(&host("b"))));
        assert!(!record.permits(None));
        let any: SourceRecord = serde_json::from_str(r#"{"hosts":"all","max_severity":3}"#).expect("reads");
        assert!(any.permits(None) && any.permits(Some(&host("b"))));
    }
}
