//! What can be subscribed to, or read from a stream: a subject, or a family of them.
//!
//! Nothing here subscribes; the role table decides who may.

use super::{CONFIG_PREFIX, PREFIX, Subject};
use crate::headers::Filed;
use snooze_schemas::{
    EventId, HostId, PluginName,
    audit::AuditKind,
    event::{Scope, Severity},
};
use std::fmt;

/// One subject or a family of subjects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SubjectFilter {
    /// This one.
    Exactly(Subject),
    /// The samples of every host.
    AllMetrics,
    /// The verdicts of every host.
    AllVerdicts,
    /// Every host's hello.
    AllHello,
    /// Every host's requests for a lease.
    AllLease,
    /// All that is asked of a host's runner.
    RunnerOf(HostId),
    /// All that is asked of one plugin of a host.
    PluginOnHost {
        /// The host.
        host: HostId,
        /// The plugin.
        plugin: PluginName,
    },
    /// All that is asked of any plugin of a host.
    PluginsOf(HostId),
    /// All that is asked of a plugin that serves any host.
    FleetPlugin(PluginName),
    /// All that people ask of the executors.
    AllOps,
    /// All that people ask of the gateways.
    AllGateway,
    /// Everybody's own events.
    AllCustom,
    /// Every event.
    AllEvents,
    /// The events of one severity.
    EventsOfSeverity(Severity),
    /// The events that concern a host, or the fleet as a whole.
    EventsOf(Scope),
    /// The events with an id: one, unless a host has given one of its own the id of another.
    EventsOfId(EventId),
    /// The event of a host, or of the fleet as a whole, with an id.
    EventOf(Scope, EventId),
    /// The audit trail.
    AllAudit,
    /// The audit trail of a host, or of the fleet as a whole.
    AuditOf(Scope),
    /// One kind of entry of the audit trail, of every host and of the fleet as a whole.
    AuditOfKind(AuditKind),
    /// All events that could not be handled.
    AllDead,
    /// The events of a host, or of the fleet as a whole, that could not be handled.
    DeadOf(Scope),
    /// Changes of one configuration key; read the key again when one arrives.
    ConfigKey(String),
}

/// Whether somebody waits for an answer to what a filter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Questions: each is answered, also one that makes no sense.
    Asked,
    /// Heard on its way to a stream or to nobody in particular: the answer is not ours to give.
    Heard,
}

impl SubjectFilter {
    /// Whether what it names are questions.
    pub(crate) fn manner(&self) -> Manner {
        match self {
            Self::AllOps
            | Self::AllGateway
            | Self::AllCustom
            | Self::AllLease
            | Self::RunnerOf(_)
            | Self::PluginOnHost { .. }
            | Self::PluginsOf(_)
            | Self::FleetPlugin(_) => Manner::Asked,
            Self::Exactly(subject) if subject.filed() == Filed::Nowhere => Manner::Asked,
            _ => Manner::Heard,
        }
    }

    /// The filter with its variable tokens named, for spans and metrics.
    #[must_use]
    pub fn template(&self) -> &'static str {
        match self {
            Self::Exactly(subject) => subject.template(),
            Self::AllMetrics => "snooze.v1.host.*.metrics",
            Self::AllVerdicts => "snooze.v1.host.*.verdict",
            Self::AllHello => "snooze.v1.host.*.hello",
            Self::AllLease => "snooze.v1.host.*.lease",
            Self::RunnerOf(_) => "snooze.v1.host.<host>.runner.*",
            Self::PluginOnHost { .. } => "snooze.v1.host.<host>.plugin.<plugin>.*",
            Self::PluginsOf(_) => "snooze.v1.host.<host>.plugin.*.*",
            Self::FleetPlugin(_) => "snooze.v1.fleet.plugin.<plugin>.*",
            Self::AllOps => "snooze.v1.ops.*",
            Self::AllGateway => "snooze.v1.gateway.*",
            Self::AllCustom => "snooze.v1.custom.>",
            Self::AllEvents => "snooze.v1.event.>",
            Self::EventsOfSeverity(_) => "snooze.v1.event.*.<severity>.>",
            Self::EventsOf(_) => "snooze.v1.event.<host>.>",
            Self::EventsOfId(_) => "snooze.v1.event.*.*.<id>.>",
            Self::EventOf(..) => "snooze.v1.event.<host>.*.<id>.>",
            Self::AllAudit => "snooze.v1.audit.>",
            Self::AuditOf(_) => "snooze.v1.audit.<host>.>",
            Self::AuditOfKind(_) => "snooze.v1.audit.*.<kind>",
            Self::AllDead => "snooze.v1.dead.>",
            Self::DeadOf(_) => "snooze.v1.dead.<host>.>",
            Self::ConfigKey(_) => "$KV.snooze_config.<key>",
        }
    }
}

impl fmt::Display for SubjectFilter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(subject) => subject.fmt(out),
            Self::ConfigKey(key) => write!(out, "{CONFIG_PREFIX}{key}"),
            Self::RunnerOf(host) => write!(out, "{PREFIX}host.{host}.runner.*"),
            Self::PluginOnHost { host, plugin } => write!(out, "{PREFIX}host.{host}.plugin.{plugin}.*"),
            Self::PluginsOf(host) => write!(out, "{PREFIX}host.{host}.plugin.*.*"),
            Self::FleetPlugin(plugin) => write!(out, "{PREFIX}fleet.plugin.{plugin}.*"),
            Self::EventsOfSeverity(severity) => write!(out, "{PREFIX}event.*.{}.>", u8::from(*severity)),
            Self::EventsOf(scope) => write!(out, "{PREFIX}event.{scope}.>"),
            Self::EventOf(scope, id) => write!(out, "{PREFIX}event.{scope}.*.{id}.>"),
            Self::EventsOfId(id) => write!(out, "{PREFIX}event.*.*.{id}.>"),
            Self::AuditOf(scope) => write!(out, "{PREFIX}audit.{scope}.>"),
            Self::AuditOfKind(kind) => write!(out, "{PREFIX}audit.*.{}", kind.as_str()),
            Self::DeadOf(scope) => write!(out, "{PREFIX}dead.{scope}.>"),
            // The rest has no variable token: its template is what is subscribed to.
            Self::AllMetrics
            | Self::AllVerdicts
            | Self::AllHello
            | Self::AllLease
            | Self::AllOps
            | Self::AllGateway
            | Self::AllCustom
            | Self::AllEvents
            | Self::AllAudit
            | Self::AllDead => out.write_str(self.template()),
        }
    }
}

impl From<Subject> for SubjectFilter {
    fn from(subject: Subject) -> Self {
        Self::Exactly(subject)
    }
}

/// Whether a subject is of the family that a filter names, by NATS's rules.
pub(crate) fn matches(filter: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in filter.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (exact, Some(token)) if exact == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}
