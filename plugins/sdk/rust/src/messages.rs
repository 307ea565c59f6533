//! What a plugin is told and what it says. The golden messages of the protocol are read into these types in the
//! tests; a field that is not known here is kept or passed over, never an error.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// A plugin's configuration: its own keys. `serde_json::from_value(config.into())` makes a type of it.
pub type Config = Map<String, Value>;

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// Its identifier, 1 to 64 of `a-z 0-9 -`.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Its semantic version, as `1.0.0`.
    pub version: String,
    /// Who made it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What it does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Anything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Info {
    /// A plugin's name, of `a-z 0-9 -`, and its semantic version.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Info {
        Info {
            name: name.into(),
            version: version.into(),
            ..Info::default()
        }
    }
}

/// What is known of the host. A reading that is not known is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Percent of all cores.
    pub cpu_usage: Option<f64>,
    /// Percent.
    pub memory_usage: Option<f64>,
    /// KiB/s, received and sent.
    pub network_traffic: Option<f64>,
    /// KiB/s, read and written.
    pub disk_io: Option<f64>,
    /// Percent, of the busiest GPU.
    pub gpu_usage: Option<f64>,
    /// Unix seconds.
    pub timestamp: Option<i64>,
    /// The host that is asked about, where the question says so: over NATS.
    #[serde(skip)]
    pub host: Option<String>,
    /// Readings that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Something that happened or will happen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Event {
    /// Derived from the happening: seeing it twice gives the same id.
    pub id: String,
    /// What happened, as `cloud.spot.interrupt` or `custom.backup`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// How urgent it is: 0 info, 1 warning, 2 urgent, 3 critical.
    #[serde(default)]
    pub severity: u8,
    /// Who noticed it.
    #[serde(default)]
    pub source: String,
    /// Whom it concerns: a host, or `fleet`.
    #[serde(default)]
    pub host: String,
    /// When it was noticed, in UTC as RFC 3339 writes it.
    #[serde(default)]
    pub noticed_at: String,
    /// Until when something can be done, in the clock of whoever set it. [`left`](Event::left) needs no clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// What else is known.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// How much time was left when this was asked, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
}

impl Event {
    /// How much time was left when this was asked; nobody hears of what takes longer.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.left_ms.map(Duration::from_millis)
    }

    /// Whether its type is this one or lies below it, as `custom.backup` below `custom`.
    #[must_use]
    pub fn is_a(&self, event_type: &str) -> bool {
        let rest = self.event_type.strip_prefix(event_type);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// What a plugin thinks: idle, or busy. Who cannot tell returns an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Opinion {
    is_idle: bool,
    reason: String,
    details: Map<String, Value>,
}

impl Opinion {
    /// Nobody uses what it watches, and why it thinks so.
    pub fn idle(reason: impl Into<String>) -> Opinion {
        Opinion {
            is_idle: true,
            reason: reason.into(),
            details: Map::new(),
        }
    }

    /// Somebody uses it, and why it thinks so.
    pub fn busy(reason: impl Into<String>) -> Opinion {
        Opinion {
            is_idle: false,
            ..Opinion::idle(reason)
        }
    }

    /// What it rests on. A number that JSON cannot write becomes `null`.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Opinion {
        self.details.insert(key.into(), value.into());
        self
    }

    /// Whether it is [`idle`](Opinion::idle).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Why, for people.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What it rests on.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        &self.details
    }
}

fn yes() -> bool {
    true
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Outcome {
    handled: bool,
    /// What failed says so.
    #[serde(default = "yes")]
    succeeded: bool,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Map<String, Value>,
}

impl Outcome {
    /// It was this plugin's, and is done.
    pub fn handled(message: impl Into<String>) -> Outcome {
        Outcome {
            handled: true,
            succeeded: true,
            message: message.into(),
            details: Map::new(),
        }
    }

    /// It was this plugin's, and came to no good end.
    pub fn failed(message: impl Into<String>) -> Outcome {
        Outcome {
            succeeded: false,
            ..Outcome::handled(message)
        }
    }

    /// It was not this plugin's, which is no failure.
    pub fn not_handled() -> Outcome {
        Outcome {
            handled: false,
            ..Outcome::handled("")
        }
    }

    /// Anything else that is to be told of it.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Outcome {
        self.details.insert(key.into(), value.into());
        self
    }

    /// All that is to be told of it, in place of what it has.
    pub fn with_details(self, details: Map<String, Value>) -> Outcome {
        Outcome { details, ..self }
    }

    /// Whether it was this plugin's.
    #[must_use]
    pub fn is_handled(&self) -> bool {
        self.handled
    }

    /// Whether it is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.succeeded
    }

    /// For people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Anything else.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        &self.details
    }
}
