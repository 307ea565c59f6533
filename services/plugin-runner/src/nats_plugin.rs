//! A plugin that answers on its own subjects, with any NATS client, in any language: for one host, or for every host.
//!
//! It is named in the configuration; nobody can vote here by merely showing up on the bus. The opinion of one that serves
//! this host alone counts only where it has its newest configuration. One that serves every host is asked nothing but
//! whether this one is idle, and given events: it says who it is to people, and is configured where it runs.

mod configured;
mod presence;

pub use presence::Presence;

use crate::{config_book::ConfigBook, line::PluginOpinion, plugin::AskError};
use configured::Configured;
use serde::de::DeserializeOwned;
use snooze_bus::{Bus, BusErrorKind, PluginMethod, RequestError, Subject};
use snooze_schemas::{
    EventType, HostId, Message, PluginName,
    event::{Event, HandleEvent, HandlerResult},
    metrics::Metrics,
    plugin::{CheckIdle, CheckIdleResult, Info, PluginInfo, SupportedEvents, SupportedEventsResult},
    unambiguous::Unambiguous,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
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
    presence: Mutex<Presence>,
    /// What it said of itself last.
    introduced: Mutex<Option<Box<PluginInfo>>>,
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
            presence: Mutex::default(),
            introduced: Mutex::default(),
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
        self.presence() == Presence::Here
    }

    /// What the last question showed of who answers for it.
    #[must_use]
    pub fn presence(&self) -> Presence {
        *self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, presence: Presence) {
        *self.presence.lock().unwrap_or_else(PoisonError::into_inner) = presence;
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
            self.note(Presence::Here);
        }
        let settled = settled?;
        let within = deadline.saturating_duration_since(Instant::now());
        let opinion = self.opinion(metrics, host, within).await?;
        settled.admits().map(|()| opinion)
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

    /// What it says of itself; where it does not say it in time, what it said last.
    ///
    /// # Errors
    /// Why nothing is known.
    pub(crate) async fn info(&self, within: Duration) -> Result<PluginInfo, AskError> {
        let said: Result<PluginInfo, AskError> = self.ask(PluginMethod::Info, &Info {}, within).await;
        let mut known = self.introduced.lock().unwrap_or_else(PoisonError::into_inner);
        match said {
            Ok(said) => {
                *known = Some(Box::new(said.clone()));
                Ok(said)
            }
            Err(error) => known.as_deref().cloned().ok_or(error),
        }
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
            .request_bare::<_, Unambiguous>(&self.subject(method), question, within)
            .await;
        if let Some(presence) = Presence::shown_by(method, &outcome) {
            self.note(presence);
            // Who takes long to say who it is may be at work, and has what it was told.
            let may_be_gone = match presence {
                Presence::Here => false,
                Presence::Slow => method == PluginMethod::CheckIdle,
                Presence::Absent | Presence::Unknown => true,
            };
            if may_be_gone {
                self.with_configured(Configured::forget);
            }
        }
        let answer = outcome.map_err(|error| self.unanswered(&error))?;
        serde_json::from_value(answer.0)
            .map_err(|error| AskError::Odd(format!("its answer is not what it should be: {error}")))
    }

    fn unanswered(&self, error: &RequestError) -> AskError {
        match error {
            RequestError::Bus(denied)
                if self.reach == Reach::Fleet && denied.kind() == BusErrorKind::Denied =>
            {
                let (host, name) = (&self.host, &self.name);
                AskError::Bus(format!(
                    "this host may not ask it: its credentials do not name it; make others with \
                     `snooze credentials host {host} --fleet-plugin {name}` and start its services anew with them; \
                     `snooze up` makes its own, for those whose `runtime` is `fleet` in its configuration file"
                ))
            }
            _ => AskError::of_request(error),
        }
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
