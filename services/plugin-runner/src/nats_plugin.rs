//! A plugin that answers on its own subjects, with any NATS client, in any language: for one host, or for every host.
//!
//! It is named in the configuration; nobody can vote here by merely showing up on the bus. The opinion of one that serves
//! this host alone counts only where it has its newest configuration. One that serves every host is asked nothing but
//! whether this one is idle, and given events: it says who it is to people, and is configured where it runs.

mod configured;

use crate::{config_book::ConfigBook, line::PluginOpinion, plugin::AskError};
use configured::{Configured, Settled};
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
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

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
    configured: Option<Arc<Configured>>,
}

impl NatsPlugin {
    /// The plugin of this name on this host, which is told what the configurations say of it.
    #[must_use]
    pub fn new(bus: Bus, host: HostId, name: PluginName, configs: Arc<ConfigBook>) -> NatsPlugin {
        NatsPlugin::reaching(Reach::Host, bus, host, name, configs)
    }

    /// The plugin of this name, as this host asks it.
    #[must_use]
    pub fn reaching(
        reach: Reach,
        bus: Bus,
        host: HostId,
        name: PluginName,
        configs: Arc<ConfigBook>,
    ) -> NatsPlugin {
        let configured = || Configured::new(bus.clone(), host.clone(), name.clone(), configs);
        NatsPlugin {
            configured: (reach == Reach::Host).then(configured),
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
        let Some(configured) = &self.configured else {
            return self.opinion(metrics, host, within).await;
        };
        let deadline = Instant::now() + within;
        let wanted = configured.wanted()?;
        let settled = configured.settle(&wanted, deadline).await;
        if matches!(settled, Err(AskError::Misconfigured(_))) {
            self.present.store(true, Ordering::Relaxed);
        }
        let settled = settled?;
        let within = deadline.saturating_duration_since(Instant::now());
        let opinion = self.opinion(metrics, host, within).await?;
        match settled {
            Settled::Ready => Ok(opinion),
            Settled::Unheard => Err(AskError::Configuring),
        }
    }

    /// It may have been started anew since it was configured: that is done again before it is asked.
    pub(crate) fn doubt(&self) {
        self.with_configured(Configured::doubt);
    }

    fn with_configured(&self, then: impl FnOnce(&Configured)) {
        if let Some(configured) = &self.configured {
            then(configured);
        }
    }

    /// Why it does not have the newest configuration, where that is known.
    pub(crate) fn config_refused(&self) -> Option<String> {
        self.configured.as_ref()?.refused()
    }

    async fn opinion(
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
            if outcome.is_err() {
                self.with_configured(Configured::forget);
            }
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
