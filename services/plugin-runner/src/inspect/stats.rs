//! How plugins do: what they were asked and used, and how soon events came to them.

use super::Inspector;
use crate::{
    plugin::{Plugin, Runtime},
    usage::{self, Asked},
};
use snooze_schemas::{
    ErrorCode, Refusal,
    plugin::inspection::{Limit, PluginReport, ReadStats, StatsReport, Usage},
};
use snooze_service_runtime::exit::one_line;
use std::{collections::BTreeSet, sync::Arc};

impl Inspector {
    /// How they do.
    ///
    /// # Errors
    /// There is none of that name, or the processes of this host cannot be looked at.
    pub(crate) async fn stats(self: Arc<Self>, asked: ReadStats) -> Result<StatsReport, Refusal> {
        let wanted = self.wanted(asked.plugin.as_ref())?;
        let processes: Vec<Option<Asked>> = wanted.iter().map(|plugin| Asked::about(plugin)).collect();
        let there: Vec<Asked> = processes.iter().flatten().cloned().collect();
        // A large machine has thousands of processes, and the loop must not wait for all of them to be read.
        let held = tokio::task::spawn_blocking(move || usage::of(&there)).await;
        let held = match held {
            Ok(Ok(held)) => held,
            Ok(Err(error)) => return Err(unread(&error)),
            Err(error) => return Err(unread(&error)),
        };
        let plugins = wanted.iter().zip(processes).map(|(plugin, asked)| PluginReport {
            plugin: plugin.name(),
            stats: plugin.stats(),
            latency: plugin.latency(),
            usage: asked.and_then(|asked| {
                let held = held.get(&asked.leader).cloned()?;
                Some(Usage {
                    over: over(plugin),
                    ..held
                })
            }),
        });
        Ok(StatsReport {
            plugins: plugins.collect(),
            events: match asked.plugin {
                None => self.first_handlers.report(),
                Some(_) => Vec::new(),
            },
        })
    }
}

/// The limits that it nears.
fn over(plugin: &Plugin) -> BTreeSet<Limit> {
    match plugin.runtime() {
        Runtime::Process(process) => process.over(),
        Runtime::Nats(_) => BTreeSet::new(),
    }
}

fn unread(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let text = format!(
        "the processes of this host cannot be looked at: {}",
        one_line(error)
    );
    Refusal::new(ErrorCode::Internal, text)
}
