//! A plugin that answers on its own subjects, with any NATS client, in any language: for one host, or for every host.
//!
//! It is named in the configuration; nobody can vote here by merely showing up on the bus. One that serves every host
//! is asked nothing but whether this one is idle, and given events: it says who it is to people.

use crate::{line::PluginOpinion, plugin::AskError};
use serde::de::DeserializeOwned;
use snooze_bus::{Bus, BusErrorKind, PluginMethod, RequestError, Subject};
use snooze_schemas::{
    EventType, HostId, Message, PluginName,
    event::{Event, HandleEvent, HandlerResult},
    metrics::Metrics,
    plugin::{CheckIdle, CheckIdleResult, Info, PluginInfo, SupportedEvents, SupportedEventsResult},
};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Whom a plugin on the bus serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One host.
    Host,
    /// Every host that was granted it; any of its replicas answers.
    Fleet,
}

impl Reach {
    /// What it is called where people see it, and in a configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "nats",
            Self::Fleet => "fleet",
        }
    }
}

/// A plugin on the bus.
#[derive(Debug)]
pub struct NatsPlugin {
    reach: Reach,
    bus: Bus,
    host: HostId,
    name: PluginName,
    present: AtomicBool,
    /// Which events it handles, as it said last; it may be away meanwhile.
    events: Mutex<Option<Vec<EventType>>>,
}

impl NatsPlugin {
    /// The plugin of this name on this host.
    #[must_use]
    pub fn new(bus: Bus, host: HostId, name: PluginName) -> NatsPlugin {
        NatsPlugin::reaching(Reach::Host, bus, host, name)
    }

    /// The plugin of this name, as this host asks it.
    #[must_use]
    pub fn reaching(reach: Reach, bus: Bus, host: HostId, name: PluginName) -> NatsPlugin {
        NatsPlugin {
            reach,
            bus,
            host,
            name,
            present: AtomicBool::new(false),
            events: Mutex::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// Whom it serves.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether somebody answered for it the last time.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.present.load(Ordering::Relaxed)
    }

    /// The subject that it is asked on.
    #[must_use]
    pub fn origin(&self) -> String {
        self.subject(PluginMethod::CheckIdle).to_string()
    }

    pub(crate) async fn check_idle(
        &self,
        metrics: &Metrics,
        host: &HostId,
        within: Duration,
    ) -> Result<PluginOpinion, AskError> {
        let question = CheckIdle {
            metrics: metrics.clone(),
            host: Some(host.clone()),
        };
        match self.ask(PluginMethod::CheckIdle, &question, within).await? {
            CheckIdleResult::Error { error } => Err(AskError::Said(error)),
            CheckIdleResult::Opinion {
                is_idle,
                reason,
                details,
            } => Ok(PluginOpinion {
                is_idle,
                reason,
                details,
            }),
        }
    }

    pub(crate) async fn handle_event(
        &self,
        event: &Event,
        left: Duration,
    ) -> Result<HandlerResult, AskError> {
        let left_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let question = HandleEvent {
            event: event.clone(),
            left_ms,
        };
        self.ask(PluginMethod::HandleEvent, &question, left).await
    }

    /// Which events it handles, as it said last.
    pub(crate) fn events(&self) -> Option<Vec<EventType>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks which events it handles, and remembers it.
    pub(crate) async fn learn_events(&self, within: Duration) -> Result<Vec<EventType>, AskError> {
        let answer: SupportedEventsResult = self
            .ask(PluginMethod::SupportedEvents, &SupportedEvents {}, within)
            .await?;
        *self.events.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.events.clone());
        Ok(answer.events)
    }

    pub(crate) async fn info(&self, within: Duration) -> Result<PluginInfo, AskError> {
        self.ask(PluginMethod::Info, &Info {}, within).await
    }

    async fn ask<Q: Message, A: DeserializeOwned>(
        &self,
        method: PluginMethod,
        question: &Q,
        within: Duration,
    ) -> Result<A, AskError> {
        let is_asked = matches!(method, PluginMethod::CheckIdle | PluginMethod::HandleEvent);
        if self.reach == Reach::Fleet && !is_asked {
            let text = "it serves every host, and runners do not ask it that";
            return Err(AskError::Odd(text.to_owned()));
        }
        let outcome = self
            .bus
            .request_bare(&self.subject(method), question, within)
            .await;
        // A plugin need not listen to every method; whether it is there shows in the two that all have.
        if outcome.is_ok() || matches!(method, PluginMethod::CheckIdle | PluginMethod::Info) {
            self.present.store(outcome.is_ok(), Ordering::Relaxed);
        }
        outcome.map_err(|error| match &error {
            RequestError::Bus(denied)
                if self.reach == Reach::Fleet && denied.kind() == BusErrorKind::Denied =>
            {
                let (host, name) = (&self.host, &self.name);
                AskError::Bus(format!(
                    "this host may not ask it: its credentials do not name it; make others with \
                     `snooze credentials host {host} --fleet-plugin {name}`"
                ))
            }
            _ => AskError::of_request(&error),
        })
    }

    fn subject(&self, method: PluginMethod) -> Subject {
        let plugin = self.name.clone();
        match self.reach {
            Reach::Host => Subject::HostPlugin {
                host: self.host.clone(),
                plugin,
                method,
            },
            Reach::Fleet => Subject::FleetPlugin { plugin, method },
        }
    }
}
