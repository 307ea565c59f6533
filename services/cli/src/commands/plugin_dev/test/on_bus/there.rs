//! A plugin on the bus and its process, asked as a runner asks it.
//!
//! It starts nothing, and makes nothing of what it hears.

use crate::{
    commands::plugin_dev::{
        by_itself::ByItself,
        test::{events, trial::Trial},
    },
    up::alone::Admission,
};
use serde_json::{Map, Value};
use snooze_bus::{Bus, PluginMethod};
use snooze_conformance::Target;
use snooze_plugin_runner::{
    PluginManifest,
    asking::{AskError, ConfigBook, NatsPlugin, Plugin, Runtime},
};
use snooze_schemas::{EventType, HostId, metrics::Metrics, plugin::Info, unambiguous::Unambiguous};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// An interpreter has to start and to connect.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Between two questions whether it is there; nobody listening is told at once.
const LOOK: Duration = Duration::from_millis(100);

/// As long as a runner waits for any answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// As long as a runner waits for a plugin to take its configuration and to make ready.
const CONFIGURE_LIMIT: Duration = Duration::from_secs(30);

/// So many of its last words are shown.
const LAST_WORDS: usize = 12;

/// A plugin on the bus, with its process.
pub(super) struct OnBus {
    process: ByItself,
    plugin: Arc<Plugin>,
    configs: Arc<ConfigBook>,
    asked: snooze_conformance::NatsPlugin,
}

impl OnBus {
    pub(super) fn new(
        manifest: Arc<PluginManifest>,
        config: &Map<String, Value>,
        (bus, monitoring): (Bus, Bus),
        admission: &Admission,
        process: ByItself,
    ) -> OnBus {
        let name = manifest.name().clone();
        let file = BTreeMap::from([(name.to_string(), config.clone())]);
        let configs = Arc::new(ConfigBook::new(file).with_manifests([manifest.clone()]));
        // As after the bus was heard: nothing is laid over the file.
        configs.lay(BTreeMap::new());
        let host = admission.host.clone();
        let plugin = NatsPlugin::new(bus.clone(), host.clone(), name.clone(), configs.clone());
        OnBus {
            process,
            plugin: Plugin::described(Runtime::Nats(plugin), Some(manifest)),
            configs,
            asked: snooze_conformance::NatsPlugin {
                bus,
                monitoring,
                plugin: name,
                host: Some(host),
            },
        }
    }

    /// Whether it has what is configured, as a runner finds out before it counts an opinion. That nobody listens to a
    /// configuration is believed the second time.
    pub(super) async fn settled(&self) -> Result<(), String> {
        let (readings, host) = (Metrics::default(), self.host());
        self.plugin
            .check_idle(&readings, &host, CONFIGURE_LIMIT)
            .await
            .ok();
        let asked = self.plugin.check_idle(&readings, &host, CONFIGURE_LIMIT).await;
        if let Some(why) = self.config_refused().await {
            return Err(why);
        }
        match asked {
            Ok(_) | Err(AskError::Said(_) | AskError::UnknownMethod) => Ok(()),
            // It has taken it, and listens to no question about idleness.
            Err(AskError::Absent) if self.answers().await => Ok(()),
            Err(why) => Err(why.to_string()),
        }
    }

    /// What it says of itself; nothing where that cannot be read, which the contract's cases tell.
    pub(super) async fn info(&self) -> Map<String, Value> {
        let subject = self.asked.subject(PluginMethod::Info);
        let said = self
            .asked
            .bus
            .request_bare::<_, Unambiguous>(&subject, &Info {}, ANSWER_LIMIT);
        match said.await {
            Ok(Unambiguous(Value::Object(said))) => said,
            Ok(_) | Err(_) => Map::new(),
        }
    }

    /// As what the cases of the contract are asked of.
    pub(super) fn target(&self) -> Target {
        Target::Nats(Box::new(self.asked.clone()))
    }

    /// Tells it to end, and says what came where it does not.
    pub(super) async fn end(self) -> Result<(), String> {
        self.process.end().await
    }

    /// Waits until it answers. That nobody listens yet is told at once, and asked again.
    pub(super) async fn comes(&mut self) -> Result<(), (String, String)> {
        let (asked, process) = (&self.asked, &mut self.process);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let there = async {
            loop {
                looks.tick().await;
                if answers(asked).await {
                    return;
                }
            }
        };
        // Cancelling either loses nothing.
        let came = tokio::select! {
            there = timeout(START_LIMIT, there) => there.map_err(|_| "nobody answers for it".to_owned()),
            ending = process.ended() => Err(ending),
        };
        came.map_err(|came| {
            let expected = format!("an answer to info within {} s", START_LIMIT.as_secs());
            (expected, came)
        })
    }
}

async fn answers(plugin: &snooze_conformance::NatsPlugin) -> bool {
    let subject = plugin.subject(PluginMethod::Info).to_string();
    let asked = plugin.bus.raw_request(&subject, &[], b"{}", ANSWER_LIMIT);
    asked.await.is_ok_and(|answer| answer.status.is_none())
}

impl Trial for OnBus {
    fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    fn host(&self) -> HostId {
        let host = self.asked.host.clone();
        host.expect("it was made for one host")
    }

    fn configs(&self) -> &ConfigBook {
        &self.configs
    }

    /// Nobody starts it anew.
    fn process_id(&self) -> Option<i32> {
        None
    }

    fn last_words(&self) -> Vec<String> {
        let words = self.process.last_words();
        words[words.len().saturating_sub(LAST_WORDS)..].to_vec()
    }

    async fn answers(&self) -> bool {
        answers(&self.asked).await
    }

    /// As a runner does before it counts an opinion.
    async fn configure(&self, config: &Map<String, Value>) -> Result<(), String> {
        self.configs
            .lay(BTreeMap::from([(self.asked.plugin.to_string(), config.clone())]));
        self.settled().await
    }

    fn is_given(&self, event: &EventType) -> bool {
        let manifest = self.plugin.manifest();
        let stated = manifest.map(|manifest| &manifest.stated().events);
        stated.is_none_or(|stated| {
            let enabled = stated.iter().filter(|(_, terms)| terms.enabled);
            stated.is_empty() || enabled.into_iter().any(|(wide, _)| events::covers(wide, event))
        })
    }

    fn withheld_as(&self) -> &'static str {
        "its manifest does not state among its events"
    }

    fn without_vote(&self) -> &'static str {
        "nobody listens to its check_idle: on the bus its vote is unknown for as long as it is enabled"
    }
}
