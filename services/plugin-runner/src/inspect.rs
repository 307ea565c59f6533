//! What people are told of the plugins when they ask: the list, an opinion of given readings, logs, statistics.
//!
//! **Invariant:** it changes nothing and casts no vote.

mod rights;
mod stats;

pub(crate) use rights::RightsReader;

use crate::{
    engine::{Request, opinion_of},
    events::FirstHandlers,
    manifest::listed,
    plugin::{Plugin, Runtime},
    plugins::Plugins,
    policy::PolicyInForce,
    set::Digests,
    stdio::Limits,
    tally::ms,
};
use futures_util::future::join_all;
use snooze_schemas::{
    ErrorCode, HostId, PluginName, Refusal,
    host::{ListPlugins, PluginList, Validate, Validated},
    metrics::Metrics,
    plugin::inspection::{CheckPlugins, PluginCheck, PluginChecks, PluginLog, ReadLog},
    verdict::{Vote, VoteState},
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

/// How long a plugin on the bus may take to say who it is, for the list.
const INFO_LIMIT: Duration = Duration::from_secs(2);

/// How long the loop may take to answer.
const LOOP_LIMIT: Duration = Duration::from_secs(2);

/// How long a plugin may be busy with something else before it is asked for an opinion that nobody votes by.
const QUEUE_LIMIT: Duration = Duration::from_secs(2);

/// What it looks at.
#[derive(Debug)]
pub(crate) struct Inspector {
    /// The host.
    pub host: HostId,
    /// The clocks.
    pub clocks: Clocks,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// How soon events come to their first handler.
    pub first_handlers: Arc<FirstHandlers>,
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// Digests of files.
    pub digests: Arc<Digests>,
    /// Who reads files to tell what plugins may do.
    pub rights: RightsReader,
    /// The loop that keeps the votes.
    pub engine: mpsc::Sender<Request>,
    /// So long an answer may take.
    pub limit: Duration,
}

impl Inspector {
    /// Which plugins there are, and how they are.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) async fn list(self: Arc<Self>, asked: ListPlugins) -> Result<PluginList, Refusal> {
        let mut missing = self.plugins.missing_ones(&self.policy.borrow());
        let wanted = match &asked.plugin {
            None => self.wanted(None)?,
            Some(name) => {
                missing.retain(|plugin| plugin.info.name == name.as_str());
                match self.wanted(Some(name)) {
                    Err(_) if !missing.is_empty() => Vec::new(),
                    found => found?,
                }
            }
        };
        let votes: Vec<Vote> = self
            .ask_loop(|reply| Request::Standing { reply })
            .await
            .unwrap_or_default();
        let mut plugins = join_all(wanted.iter().map(|plugin| plugin.status(INFO_LIMIT))).await;
        let rights = self.rights.of(wanted, &self.digests).await;
        for (status, rights) in plugins.iter_mut().zip(rights) {
            status.rights = rights;
        }
        plugins.extend(missing);
        for status in &mut plugins {
            let name = &status.info.name;
            status.vote = votes.iter().find(|vote| vote.voter.as_str() == name).cloned();
        }
        plugins.sort_by(|one, other| one.info.name.cmp(&other.info.name));
        Ok(PluginList { plugins })
    }

    /// What they say of these readings, all asked at once.
    ///
    /// # Errors
    /// There is none of that name, or no readings are known.
    pub(crate) async fn check(self: Arc<Self>, asked: CheckPlugins) -> Result<PluginChecks, Refusal> {
        let wanted = self.wanted(asked.plugin.as_ref())?;
        // The rest is for the readings, and for who answers just in time.
        let patience = self.limit.mul_f64(0.8);
        let metrics = match asked.metrics {
            Some(metrics) => metrics,
            None => self.newest_readings().await?,
        };
        // As long as for a vote: who is asked by hand must not be ended for what it is allowed otherwise.
        let own = Duration::from_millis(ms(self.policy.borrow().policy.plugin_timeout_seconds));
        let limits = Limits {
            queue: QUEUE_LIMIT.min(own),
            own,
        };
        let checks = wanted
            .iter()
            .map(|plugin| self.ask(plugin, &metrics, limits, patience));
        let results = join_all(checks).await;
        Ok(PluginChecks { metrics, results })
    }

    /// Asks one, and waits so long for it. It is heard to its end all the same, as long as for a vote.
    async fn ask(
        &self,
        plugin: &Arc<Plugin>,
        metrics: &Metrics,
        limits: Limits,
        patience: Duration,
    ) -> PluginCheck {
        let asked = Instant::now();
        let (answering, host, metrics) = (plugin.clone(), self.host.clone(), metrics.clone());
        let answer = tokio::spawn(async move {
            let said = answering.check_idle(&metrics, &host, limits).await;
            said.map(opinion_of).map_err(|error| one_line(&error))
        });
        let said = match tokio::time::timeout(patience, answer).await {
            Ok(said) => said.unwrap_or_else(|error| Err(one_line(&error))),
            Err(_) => Err(format!(
                "it has not answered yet, after {} ms",
                patience.as_millis()
            )),
        };
        let took_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        let name = plugin.name();
        match said {
            Ok(opinion) => PluginCheck {
                plugin: name,
                state: opinion.state,
                reason: opinion.reason,
                details: opinion.evidence.into_iter().collect(),
                took_us,
            },
            Err(reason) => PluginCheck {
                plugin: name,
                state: VoteState::Unknown,
                reason,
                details: serde_json::Map::new(),
                took_us,
            },
        }
    }

    /// What a plugin has complained about.
    ///
    /// # Errors
    /// There is none of that name, or it does not run here.
    pub(crate) async fn log(self: Arc<Self>, asked: ReadLog) -> Result<PluginLog, Refusal> {
        let wanted = self.wanted(Some(&asked.plugin))?;
        let log = wanted.iter().find_map(|plugin| match plugin.runtime() {
            Runtime::Process(process) => Some(process.log()),
            Runtime::Nats(_) => None,
        });
        let Some(log) = log else {
            let text = format!(
                "{} is not run by this host's runner; its log is where it runs",
                asked.plugin
            );
            return Err(Refusal::new(ErrorCode::NotFound, text));
        };
        let count = usize::try_from(asked.lines).unwrap_or(usize::MAX);
        Ok(log.newest(count, self.clocks.wall()))
    }

    /// Whether a plugin could be configured so; nothing is changed.
    ///
    /// # Errors
    /// Every mistake, or there is none of that name.
    pub(crate) async fn validate(self: Arc<Self>, asked: Validate) -> Result<Validated, Refusal> {
        let name = &asked.plugin;
        // What holds on this host in the end: a narrower level may say otherwise than the one that is changed.
        let layers = self.policy.borrow().levels.after(&asked);
        match self.plugins.check_config(name, &layers) {
            Some(Ok(())) => Ok(Validated { checked: true }),
            Some(Err(mistakes)) => {
                let text = format!("{name} cannot be configured so: {}", listed(&mistakes));
                Err(Refusal::new(ErrorCode::BadRequest, text))
            }
            None => match self.wanted(Some(name)) {
                // One that is not run just now may be configured all the same.
                Err(refusal) if refusal.code != ErrorCode::Unavailable => Err(refusal),
                Ok(_) | Err(_) => Ok(Validated { checked: false }),
            },
        }
    }

    /// The plugin of that name, or all, sorted by name.
    ///
    /// # Errors
    /// There is none of that name, or it is not run as things are, and why.
    fn wanted(&self, name: Option<&PluginName>) -> Result<Vec<Arc<Plugin>>, Refusal> {
        let mut wanted = self.plugins.all();
        if let Some(name) = name {
            wanted.retain(|plugin| plugin.name() == *name);
            if wanted.is_empty() {
                return Err(self.absent(name));
            }
        }
        wanted.sort_by_key(|plugin| plugin.name());
        Ok(wanted)
    }

    fn absent(&self, name: &PluginName) -> Refusal {
        let missing = self.plugins.missing_ones(&self.policy.borrow());
        match missing
            .into_iter()
            .find(|plugin| plugin.info.name == name.as_str())
        {
            Some(status) => {
                let why = status.stats.last_error.unwrap_or_default();
                let text = format!(
                    "{name} is {} on this host, and nobody can ask it: {why}",
                    status.state
                );
                Refusal::new(ErrorCode::Unavailable, text)
            }
            None => {
                let text = format!("there is no plugin {name} on this host");
                Refusal::new(ErrorCode::NotFound, text)
            }
        }
    }

    async fn newest_readings(&self) -> Result<Metrics, Refusal> {
        let metrics = self.ask_loop(|reply| Request::Metrics { reply }).await;
        metrics
            .filter(|metrics| metrics.timestamp.is_some())
            .ok_or_else(|| {
                let text = "no sample of this host has come yet; ask about readings of your own";
                Refusal::new(ErrorCode::Unavailable, text)
            })
    }

    async fn ask_loop<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.engine.send(request(reply)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(LOOP_LIMIT, asked).await.ok().flatten()
    }
}
