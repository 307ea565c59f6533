//! What a running plugin says: its opinion of the newest readings when it changes, and its log.
//!
//! It asks the runner as an operator does, and changes nothing.

use crate::{print, view::text};
use snooze_bus::{Bus, RequestError, RunnerVerb, Subject};
use snooze_schemas::{
    HostId, PluginName,
    plugin::inspection::{CheckPlugins, PluginChecks, PluginLog, ReadLog},
};
use snooze_service_runtime::{Failure, exit::one_line};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// As often as readings come.
const EVERY: Duration = Duration::from_secs(1);

/// A plugin has two seconds for its vote.
const WITHIN: Duration = Duration::from_secs(5);

/// So many lines are kept by the runner; more in one second are not shown.
const LINES: u32 = 500;

/// Who asks.
pub(super) struct Watch {
    bus: Bus,
    host: HostId,
}

impl Watch {
    pub(super) fn new(bus: Bus, host: HostId) -> Watch {
        Watch { bus, host }
    }

    /// Says something to the author in between.
    pub(super) fn say(&self, what: &str) -> Result<(), Failure> {
        print::lines(
            what.lines()
                .map(|line| format!("run    {}", text::printable(line))),
        )
    }

    /// Shows lines of a plugin's own.
    pub(super) fn log(&self, lines: impl IntoIterator<Item = String>) -> Result<(), Failure> {
        let lines = lines.into_iter();
        print::lines(lines.map(|line| format!("log    {}", text::printable(&line))))
    }

    /// Shows what the plugin says, until it is cancelled.
    pub(super) async fn follow(&self, plugin: &PluginName) -> Result<(), Failure> {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut said, mut shown) = (String::new(), 0);
        loop {
            ticks.tick().await;
            let now = self.vote(plugin).await;
            self.runners_log(plugin, &mut shown).await?;
            if let Some(now) = now.filter(|now| *now != said) {
                print::lines([&now])?;
                said = now;
            }
        }
    }

    /// Its opinion in one line; nothing where nobody can be asked yet.
    async fn vote(&self, plugin: &PluginName) -> Option<String> {
        let question = CheckPlugins {
            plugin: Some(plugin.clone()),
            metrics: None,
        };
        match self.ask::<_, PluginChecks>(RunnerVerb::Check, &question).await {
            Ok(checks) => {
                let check = checks.results.into_iter().next()?;
                let (state, reason) = (text::state(check.state), text::printable(&check.reason));
                Some(format!("vote   {plugin} is {state}: {reason}"))
            }
            Err(RequestError::NoResponders { .. }) => None,
            Err(error) => match error.refusal() {
                Some(refusal) => Some(format!(
                    "vote   {plugin} is unknown: {}",
                    text::printable(&refusal.message)
                )),
                None => Some(format!(
                    "vote   {plugin} is unknown: {}",
                    text::printable(&one_line(&error))
                )),
            },
        }
    }

    /// The lines that came since the last look.
    async fn runners_log(&self, plugin: &PluginName, shown: &mut u64) -> Result<(), Failure> {
        let question = ReadLog {
            plugin: plugin.clone(),
            lines: LINES,
        };
        // Without an answer there is nothing to show; the vote says why.
        let Ok(log) = self.ask::<_, PluginLog>(RunnerVerb::Logs, &question).await else {
            return Ok(());
        };
        let kept = u64::try_from(log.lines.len()).unwrap_or(u64::MAX);
        let all = log.dropped.saturating_add(kept);
        let new = usize::try_from(all.saturating_sub(*shown)).unwrap_or(usize::MAX);
        *shown = all;
        let known = log.lines.len().saturating_sub(new);
        self.log(log.lines.into_iter().skip(known).map(|line| line.text))
    }

    async fn ask<M: snooze_schemas::Message, R: serde::de::DeserializeOwned>(
        &self,
        verb: RunnerVerb,
        question: &M,
    ) -> Result<R, RequestError> {
        let subject = Subject::Runner {
            host: self.host.clone(),
            verb,
        };
        self.bus.request(&subject, question, WITHIN).await
    }
}
