//! Every subject there is: one enum renders and parses them, and nothing else builds a subject string.
//!
//! It never lets a name break out of its token: the names are checked types, and what does not parse
//! is no subject of ours.

mod filter;
mod verb;

pub use filter::SubjectFilter;
pub(crate) use filter::{Manner, matches};
pub use verb::{GatewayVerb, OpsVerb, PluginMethod, RunnerVerb, UnknownVerb};

use crate::headers::Filed;
use serde::{Deserialize, de::value::StrDeserializer};
use snooze_schemas::{
    EventId, EventType, HostId, PluginName, SourceName,
    audit::AuditKind,
    event::{Event, Scope, Severity},
};
use std::{fmt, str::FromStr};

/// What every subject of the first version begins with.
pub(crate) const PREFIX: &str = "snooze.v1.";
/// What the subject of a key in the bucket of configuration begins with.
pub(crate) const CONFIG_PREFIX: &str = "$KV.snooze_config.";

/// A subject: what a message is about, and who may send it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `snooze.v1.host.<host>.metrics`: a sample.
    Metrics(HostId),
    /// `snooze.v1.host.<host>.verdict`: a verdict.
    Verdict(HostId),
    /// `snooze.v1.host.<host>.hello`: a host is (back) on the bus.
    HostHello(HostId),
    /// `snooze.v1.host.<host>.lease`: somebody on the host asks to keep it awake.
    HostLease(HostId),
    /// `snooze.v1.host.<host>.plugin.<plugin>.<method>`: asks a plugin of that host.
    HostPlugin {
        /// The host.
        host: HostId,
        /// The plugin.
        plugin: PluginName,
        /// What is asked.
        method: PluginMethod,
    },
    /// `snooze.v1.fleet.plugin.<plugin>.<method>`: asks a plugin that serves any host.
    FleetPlugin {
        /// The plugin.
        plugin: PluginName,
        /// What is asked.
        method: PluginMethod,
    },
    /// `snooze.v1.host.<host>.runner.<verb>`: asks a host's runner.
    Runner {
        /// The host.
        host: HostId,
        /// What is asked.
        verb: RunnerVerb,
    },
    /// `snooze.v1.host.<host>.collector.sample`: asks a host's collector for a sample begun now.
    CollectorSample(HostId),
    /// `snooze.v1.host.<host>.collector.missed`: asks a host's collector for samples that were missed.
    CollectorMissed(HostId),
    /// `snooze.v1.ops.<verb>`: asks the executors.
    Ops(OpsVerb),
    /// `snooze.v1.event.<host>.<severity>.<id>.<type…>`: an event as it is filed.
    Event {
        /// Whom it concerns.
        scope: Scope,
        /// How urgent it is.
        severity: Severity,
        /// Its id, derived from the happening.
        id: EventId,
        /// Its type.
        event_type: EventType,
    },
    /// `snooze.v1.gateway.<verb>`: asks the gateways.
    Gateway(GatewayVerb),
    /// `snooze.v1.custom.<source>.<type…>`: a person's own event; the type as it was given.
    Custom {
        /// Whose event it is.
        source: SourceName,
        /// Its type.
        event_type: EventType,
    },
    /// `snooze.v1.audit.<host>.<kind>`: an entry of the audit trail.
    Audit {
        /// Whom it concerns.
        scope: Scope,
        /// What it is.
        kind: AuditKind,
    },
    /// `snooze.v1.dead.<host>.<type…>`: an event that could not be handled.
    Dead {
        /// Whom it concerned.
        scope: Scope,
        /// Its type.
        event_type: EventType,
    },
    /// `$KV.snooze_config.<key>`: a configuration key changed. Heard, never published by this name.
    ConfigKey(String),
}

impl From<&Event> for Subject {
    /// What an event is filed under: it follows from what the event says of itself.
    fn from(event: &Event) -> Subject {
        Subject::Event {
            scope: event.host.clone(),
            severity: event.severity,
            id: event.id.clone(),
            event_type: event.event_type.clone(),
        }
    }
}

impl Subject {
    /// The subject with its variable tokens named instead of filled in, for spans and metrics.
    #[must_use]
    pub fn template(&self) -> &'static str {
        match self {
            Self::Metrics(_) => "snooze.v1.host.<host>.metrics",
            Self::Verdict(_) => "snooze.v1.host.<host>.verdict",
            Self::HostHello(_) => "snooze.v1.host.<host>.hello",
            Self::HostLease(_) => "snooze.v1.host.<host>.lease",
            Self::HostPlugin { .. } => "snooze.v1.host.<host>.plugin.<plugin>.<method>",
            Self::FleetPlugin { .. } => "snooze.v1.fleet.plugin.<plugin>.<method>",
            Self::Runner { .. } => "snooze.v1.host.<host>.runner.<verb>",
            Self::CollectorSample(_) => "snooze.v1.host.<host>.collector.sample",
            Self::CollectorMissed(_) => "snooze.v1.host.<host>.collector.missed",
            Self::Ops(_) => "snooze.v1.ops.<verb>",
            Self::Event { .. } => "snooze.v1.event.<host>.<severity>.<id>.<type>",
            Self::Gateway(_) => "snooze.v1.gateway.<verb>",
            Self::Custom { .. } => "snooze.v1.custom.<source>.<type>",
            Self::Audit { .. } => "snooze.v1.audit.<host>.<kind>",
            Self::Dead { .. } => "snooze.v1.dead.<host>.<type>",
            Self::ConfigKey(_) => "$KV.snooze_config.<key>",
        }
    }

    /// Whether a stream takes the messages of this subject.
    pub(crate) fn filed(&self) -> Filed {
        match self {
            Self::Verdict(_) | Self::Event { .. } | Self::Audit { .. } | Self::Dead { .. } => Filed::InStream,
            _ => Filed::Nowhere,
        }
    }

    /// The host that the subject names, where it names one: the truth about whom a message concerns (I1).
    #[must_use]
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::Metrics(host)
            | Self::Verdict(host)
            | Self::HostHello(host)
            | Self::HostLease(host)
            | Self::CollectorSample(host)
            | Self::CollectorMissed(host)
            | Self::HostPlugin { host, .. }
            | Self::Runner { host, .. } => Some(host),
            Self::Event { scope, .. } | Self::Audit { scope, .. } | Self::Dead { scope, .. } => match scope {
                Scope::Host(host) => Some(host),
                Scope::Fleet => None,
            },
            Self::FleetPlugin { .. }
            | Self::Ops(_)
            | Self::Gateway(_)
            | Self::Custom { .. }
            | Self::ConfigKey(_) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigKey(key) => return write!(out, "{CONFIG_PREFIX}{key}"),
            _ => out.write_str(PREFIX)?,
        }
        match self {
            Self::Metrics(host) => write!(out, "host.{host}.metrics"),
            Self::Verdict(host) => write!(out, "host.{host}.verdict"),
            Self::HostHello(host) => write!(out, "host.{host}.hello"),
            Self::HostLease(host) => write!(out, "host.{host}.lease"),
            Self::HostPlugin { host, plugin, method } => write!(out, "host.{host}.plugin.{plugin}.{method}"),
            Self::FleetPlugin { plugin, method } => write!(out, "fleet.plugin.{plugin}.{method}"),
            Self::Runner { host, verb } => write!(out, "host.{host}.runner.{verb}"),
            Self::CollectorSample(host) => write!(out, "host.{host}.collector.sample"),
            Self::CollectorMissed(host) => write!(out, "host.{host}.collector.missed"),
            Self::Ops(verb) => write!(out, "ops.{verb}"),
            Self::Event {
                scope,
                severity,
                id,
                event_type,
            } => write!(out, "event.{scope}.{}.{id}.{event_type}", u8::from(*severity)),
            Self::Gateway(verb) => write!(out, "gateway.{verb}"),
            Self::Custom { source, event_type } => write!(out, "custom.{source}.{event_type}"),
            Self::Audit { scope, kind } => write!(out, "audit.{scope}.{}", kind.as_str()),
            Self::Dead { scope, event_type } => write!(out, "dead.{scope}.{event_type}"),
            Self::ConfigKey(_) => Ok(()),
        }
    }
}

/// A text that is no subject of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no subject of CloudSnooze")]
pub struct InvalidSubject(pub String);

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        parse(text).ok_or_else(|| InvalidSubject(text.chars().take(256).collect()))
    }
}

fn parse(text: &str) -> Option<Subject> {
    if let Some(key) = text.strip_prefix(CONFIG_PREFIX) {
        return crate::keys::is_key(key).then(|| Subject::ConfigKey(key.to_owned()));
    }
    let (area, rest) = text.strip_prefix(PREFIX)?.split_once('.')?;
    match area {
        "host" => parse_host(rest),
        "fleet" => {
            let (plugin, method) = rest.strip_prefix("plugin.")?.split_once('.')?;
            Some(Subject::FleetPlugin {
                plugin: plugin.parse().ok()?,
                method: method.parse().ok()?,
            })
        }
        "ops" => Some(Subject::Ops(rest.parse().ok()?)),
        "gateway" => Some(Subject::Gateway(rest.parse().ok()?)),
        "event" => {
            let mut tokens = rest.splitn(4, '.');
            Some(Subject::Event {
                scope: parse_scope(tokens.next()?)?,
                severity: parse_severity(tokens.next()?)?,
                id: tokens.next()?.parse().ok()?,
                event_type: tokens.next()?.parse().ok()?,
            })
        }
        "custom" => {
            let (source, event_type) = rest.split_once('.')?;
            Some(Subject::Custom {
                source: source.parse().ok()?,
                event_type: event_type.parse().ok()?,
            })
        }
        "audit" => {
            let (scope, kind) = rest.split_once('.')?;
            Some(Subject::Audit {
                scope: parse_scope(scope)?,
                kind: parse_audit_kind(kind)?,
            })
        }
        "dead" => {
            let (scope, event_type) = rest.split_once('.')?;
            Some(Subject::Dead {
                scope: parse_scope(scope)?,
                event_type: event_type.parse().ok()?,
            })
        }
        _ => None,
    }
}

fn parse_host(rest: &str) -> Option<Subject> {
    let (host, what) = rest.split_once('.')?;
    let host: HostId = host.parse().ok()?;
    match what {
        "metrics" => return Some(Subject::Metrics(host)),
        "verdict" => return Some(Subject::Verdict(host)),
        "hello" => return Some(Subject::HostHello(host)),
        "lease" => return Some(Subject::HostLease(host)),
        "collector.sample" => return Some(Subject::CollectorSample(host)),
        "collector.missed" => return Some(Subject::CollectorMissed(host)),
        _ => {}
    }
    match what.split_once('.')? {
        ("runner", verb) => Some(Subject::Runner {
            host,
            verb: verb.parse().ok()?,
        }),
        ("plugin", rest) => {
            let (plugin, method) = rest.split_once('.')?;
            Some(Subject::HostPlugin {
                host,
                plugin: plugin.parse().ok()?,
                method: method.parse().ok()?,
            })
        }
        _ => None,
    }
}

fn parse_scope(token: &str) -> Option<Scope> {
    Scope::try_from(token.to_owned()).ok()
}

fn parse_severity(token: &str) -> Option<Severity> {
    // One digit exactly: `03` would be a second name of the same subject.
    match token.as_bytes() {
        [digit @ b'0'..=b'3'] => Severity::try_from(digit - b'0').ok(),
        _ => None,
    }
}

fn parse_audit_kind(token: &str) -> Option<AuditKind> {
    AuditKind::deserialize(StrDeserializer::<serde::de::value::Error>::new(token)).ok()
}

#[cfg(test)]
mod tests;
