//! What a plugin is asked and what it answers, over NATS and over stdin/stdout alike.

pub mod approval;
pub mod inspection;
pub mod management;
pub mod manifest;
pub mod permissions;

use crate::{EventType, HostId, Message, metrics::Metrics};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What a plugin says of itself. Only the name is needed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PluginInfo {
    /// The plugin's identifier.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// Semantic version.
    pub version: String,
    /// Who made it.
    pub author: String,
    /// What it does.
    pub description: String,
    /// Everything else that it says, kept as it is.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// "Is the host idle, as far as you know?" May come bare from a shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct CheckIdle {
    /// The readings, in the names of the original plugin protocol.
    pub metrics: Metrics,
    /// The host that is asked about; absent in requests from a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
}

impl Message for CheckIdle {
    const KIND: &'static str = "check_idle";
    const HAS_EFFECT: bool = false;
}

/// The answer, the original's result without an envelope. Any `error` that is not null makes it a failure,
/// whatever stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum CheckIdleResult {
    /// The plugin failed; counts as unknown.
    Error {
        /// Why.
        error: String,
    },
    /// The plugin's opinion.
    Opinion {
        /// Whether nobody uses what it watches.
        is_idle: bool,
        /// Why, for people.
        #[serde(default)]
        reason: String,
        /// What it rests on.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        details: Map<String, Value>,
    },
}

impl<'de> Deserialize<'de> for CheckIdleResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            error: Value,
            #[serde(default)]
            is_idle: Option<bool>,
            #[serde(default)]
            reason: String,
            #[serde(default)]
            details: Map<String, Value>,
        }

        let answer = Answer::deserialize(deserializer)?;
        match (answer.error, answer.is_idle) {
            (Value::Null, Some(is_idle)) => Ok(Self::Opinion {
                is_idle,
                reason: answer.reason,
                details: answer.details,
            }),
            (Value::Null, None) => Err(serde::de::Error::missing_field("is_idle")),
            (Value::String(error), _) => Ok(Self::Error { error }),
            (error, _) => Ok(Self::Error {
                error: error.to_string(),
            }),
        }
    }
}

/// "Who are you?"
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Info {}

impl Message for Info {
    const KIND: &'static str = "info";
    const HAS_EFFECT: bool = false;
}

/// "Take this configuration."
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Configure {
    /// The plugin's own keys.
    pub config: Map<String, Value>,
}

impl Message for Configure {
    const KIND: &'static str = "configure";
}

/// "Make ready: you have your configuration."
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Initialize {}

impl Message for Initialize {
    const KIND: &'static str = "initialize";
}

/// "Which events can you handle?"
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SupportedEvents {}

impl Message for SupportedEvents {
    const KIND: &'static str = "supported_events";
    const HAS_EFFECT: bool = false;
}

/// The types that a plugin handles; `custom` stands for every `custom.*` too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SupportedEventsResult {
    /// The types.
    pub events: Vec<EventType>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CheckIdleResult, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn s2_any_error_beside_is_idle_is_a_failure() {
        for (text, error) in [
            (r#"{"is_idle":true,"error":{"code":5}}"#, r#"{"code":5}"#),
            (r#"{"is_idle":true,"error":false}"#, "false"),
            (r#"{"is_idle":true,"error":["a"]}"#, r#"["a"]"#),
            (r#"{"error":"no route"}"#, "no route"),
        ] {
            let error = error.to_owned();
            assert_eq!(
                read(text).expect("reads"),
                CheckIdleResult::Error { error },
                "{text}"
            );
        }
    }

    #[test]
    fn an_opinion_may_have_a_null_for_its_error() {
        let opinion = CheckIdleResult::Opinion {
            is_idle: true,
            reason: String::new(),
            details: Map::new(),
        };
        assert_eq!(read(r#"{"is_idle":true,"error":null}"#).expect("reads"), opinion);
        assert!(read("{}").is_err());
        assert!(read(r#"{"is_idle":"yes"}"#).is_err());
    }
}
