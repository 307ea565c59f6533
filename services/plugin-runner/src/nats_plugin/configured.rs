//! Whether a plugin on the bus has its configuration, and telling it.
//!
//! It starts and ends no plugin, and tells none what its manifest does not allow. **Invariant:** a plugin has the
//! configuration that it has said it took, or needs none by its own word, since it was last seen to appear; silence is
//! neither. Whether it is still the same process cannot be seen, so it is told again every minute and before each stop.

mod known;

use crate::{
    config::OWN_KEYS,
    config_book::ConfigBook,
    line::{self, Method},
    plugin::AskError,
};
use known::{Known, Trouble};
use serde_json::{Map, Value};
use snooze_bus::{Bus, PluginMethod, RequestError, Subject};
use snooze_schemas::{
    HostId, Message, PluginName,
    plugin::{Configure, Initialize},
    unambiguous::Unambiguous,
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// How long it may take to be configured, and as long again to make ready: as long as a process may.
const LIMIT: Duration = Duration::from_secs(15);

/// So many times in a row nobody may listen to `configure` before that is its way: a plugin subscribes to one
/// subject after the other, and may be asked in between. It is no consent to a configuration: it only says that there
/// is none to be taken back.
pub(super) const CONFIRMED: u32 = 2;

/// What becomes of one that answers and does not listen to its configuration.
const DEAF: &str = "it has a configuration, and nobody listens to `configure`: whether it holds is not known until it \
                    takes that, or answers `Unknown method`";

/// A plugin's configuration, on its way to it.
pub(super) struct Configured {
    bus: Bus,
    host: HostId,
    name: PluginName,
    configs: Arc<ConfigBook>,
    known: watch::Sender<Known>,
}

impl fmt::Debug for Configured {
    /// Without the configurations, which hold secrets.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Configured")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How far one is that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It has what it needs.
    Ready,
    /// Nobody listened to its configuration: it is away or half way there. Its answer tells only which of them.
    Unheard,
    /// Nobody listens to its configuration, though it was there in between. Its answer tells only whether it still is.
    Deaf,
}

impl Settled {
    /// Whether an opinion counts that came after this.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn admits(self) -> Result<(), AskError> {
        match self {
            Self::Ready => Ok(()),
            Self::Unheard => Err(AskError::Configuring),
            Self::Deaf => Err(AskError::Misconfigured(DEAF.to_owned())),
        }
    }
}

impl Configured {
    pub(super) fn new(bus: Bus, host: HostId, name: PluginName, configs: Arc<ConfigBook>) -> Arc<Configured> {
        Arc::new(Configured {
            bus,
            host,
            name,
            configs,
            known: watch::Sender::default(),
        })
    }

    /// What it has to be told: its own keys, as far as its manifest allows them.
    ///
    /// # Errors
    /// When it cannot have what is written, and had nothing before.
    pub(super) fn wanted(&self) -> Result<Map<String, Value>, AskError> {
        let handed = self.configs.handed(&self.name);
        let Some(mut config) = handed.config else {
            let why = handed.refused.unwrap_or_default();
            return Err(AskError::Misconfigured(format!(
                "its configuration is refused: {why}"
            )));
        };
        config.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
        Ok(config)
    }

    /// Tells it where it has to be told, and waits until it has taken that. Cancelling it, or the deadline, ends
    /// the waiting and not the telling.
    ///
    /// # Errors
    /// Why it has not taken it.
    pub(super) async fn settle(
        self: &Arc<Self>,
        wanted: &Map<String, Value>,
        deadline: Instant,
    ) -> Result<Settled, AskError> {
        // What was under way may have been begun for another configuration, or for one who is gone.
        for _ in 0..2 {
            self.begin(wanted);
            let mut known = self.known.subscribe();
            let ended = known.wait_for(|known| !known.under_way);
            let Ok(Ok(known)) = timeout_at(deadline, ended).await else {
                return Err(AskError::Configuring);
            };
            match &known.trouble {
                _ if known.has(wanted) => return Ok(Settled::Ready),
                None => {}
                Some(Trouble::Unheard) if known.is_deaf() => return Ok(Settled::Deaf),
                Some(Trouble::Unheard) => return Ok(Settled::Unheard),
                Some(Trouble::Away) => return Err(AskError::BusAway),
                Some(Trouble::Silent) => {
                    let limit = LIMIT.as_millis();
                    let why = format!("its configuration: it did not answer within {limit} ms");
                    return Err(AskError::Bus(why));
                }
                Some(Trouble::Refused(why)) => return Err(AskError::Misconfigured(why.clone())),
            }
        }
        Err(AskError::Configuring)
    }

    /// It did not answer: whoever answers next is another one.
    pub(super) fn forget(&self) {
        self.known.send_modify(|known| {
            known.doubt();
            known.unheard = 0;
        });
    }

    /// It may be another one by now: it is told again before it is asked anything.
    pub(super) fn doubt(&self) {
        self.known.send_modify(Known::doubt);
    }

    /// Why it does not have the newest configuration, where that is known.
    pub(super) fn refused(&self) -> Option<String> {
        if let Some(why) = self.configs.handed(&self.name).refused {
            return Some(why);
        }
        let known = self.known.borrow();
        match &known.trouble {
            Some(Trouble::Refused(why)) => Some(why.clone()),
            Some(Trouble::Unheard) if known.is_deaf() => Some(DEAF.to_owned()),
            Some(Trouble::Unheard | Trouble::Away | Trouble::Silent) | None => None,
        }
    }

    fn begin(self: &Arc<Self>, wanted: &Map<String, Value>) {
        let mut life = None;
        self.known.send_if_modified(|known| {
            if known.under_way || known.is_fresh(wanted, Instant::now()) {
                return false;
            }
            known.under_way = true;
            life = Some(known.life);
            true
        });
        if let Some(life) = life {
            let (telling, config) = (self.clone(), wanted.clone());
            tokio::spawn(async move {
                let outcome = telling.tell(&config).await;
                telling.end(life, config, outcome);
            });
        }
    }

    async fn tell(&self, config: &Map<String, Value>) -> Result<(), Trouble> {
        let (has_been_told, unheard) = {
            let known = self.known.borrow();
            (known.has_been_told, known.unheard)
        };
        if !config.is_empty() || has_been_told {
            let (config, is_empty) = (config.clone(), config.is_empty());
            match self.ask(Method::Configure, &Configure { config }).await {
                Err(Trouble::Unheard) if is_empty && unheard + 1 >= CONFIRMED => {}
                told => told?,
            }
        }
        match self.ask(Method::Initialize, &Initialize {}).await {
            Err(Trouble::Unheard) => Ok(()),
            told => told,
        }
    }

    fn end(&self, life: u64, config: Map<String, Value>, outcome: Result<(), Trouble>) {
        let before = self.refused();
        self.known
            .send_modify(|known| known.end(life, config, outcome, Instant::now()));
        if let Some(why) = self.refused()
            && before.as_ref() != Some(&why)
        {
            tracing::warn!(plugin = %self.name, why, "a plugin on the bus does not take its configuration");
        }
    }

    async fn ask<Q: Message>(&self, method: Method, question: &Q) -> Result<(), Trouble> {
        let (kind, failed) = match method {
            Method::Initialize => (PluginMethod::Initialize, "it does not initialize"),
            _ => (PluginMethod::Configure, "it does not take its configuration"),
        };
        let subject = Subject::HostPlugin {
            host: self.host.clone(),
            plugin: self.name.clone(),
            method: kind,
        };
        let refused = |why: &dyn fmt::Display| Trouble::Refused(format!("{failed}: {why}"));
        match self
            .bus
            .request_bare::<_, Unambiguous>(&subject, question, LIMIT)
            .await
        {
            Ok(Unambiguous(answer)) => match line::success(&answer, method) {
                Err(said) if !said.unknown_method => Err(refused(&said)),
                Ok(()) | Err(_) => Ok(()),
            },
            Err(RequestError::NoResponders { .. }) => Err(Trouble::Unheard),
            Err(RequestError::TimedOut { .. }) => Err(Trouble::Silent),
            Err(error) => match AskError::of_request(&error) {
                AskError::BusAway => Err(Trouble::Away),
                other => Err(refused(&other)),
            },
        }
    }
}
