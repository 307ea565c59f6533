//! What is told of a plugin to those who ask how it is.

use super::{Plugin, Runtime};
use crate::stdio::Stage;
use serde_json::Value;
use snooze_schemas::{
    host::{PluginStats, PluginStatus},
    plugin::PluginInfo,
};
use std::{sync::atomic::Ordering, time::Duration};

impl Plugin {
    /// What it says of itself; its name alone where it has not said anything.
    pub async fn info(&self, within: Duration) -> PluginInfo {
        let said = match &self.runtime {
            Runtime::Process(process) => {
                let said = process.info().borrow().clone();
                said.and_then(|said| serde_json::from_value(Value::Object(said)).ok())
            }
            Runtime::Nats(plugin) => plugin.info(within).await.ok(),
        };
        PluginInfo {
            name: self.name().to_string(),
            ..said.unwrap_or_default()
        }
    }

    /// What a list of plugins shows of it, without its vote.
    pub async fn status(&self, within: Duration) -> PluginStatus {
        let (runtime, origin, state, restarts, strays) = match &self.runtime {
            Runtime::Process(process) => {
                let state = match *process.stage().borrow() {
                    Stage::Starting => "starting",
                    Stage::Running => "running",
                    Stage::Restarting => "restarting",
                    Stage::Disabled => "disabled",
                    Stage::Stopped => "stopped",
                };
                (
                    "process",
                    process.path().display().to_string(),
                    state,
                    process.restarts(),
                    process.strays(),
                )
            }
            Runtime::Nats(plugin) => {
                let state = if plugin.is_present() { "running" } else { "absent" };
                ("nats", plugin.origin(), state, 0, 0)
            }
        };
        PluginStatus {
            info: self.info(within).await,
            runtime: runtime.to_owned(),
            origin,
            state: state.to_owned(),
            vote: None,
            stats: PluginStats {
                calls: self.calls.load(Ordering::Relaxed),
                errors: self.errors.load(Ordering::Relaxed) + strays,
                time_outs: self.time_outs.load(Ordering::Relaxed),
                restarts,
                last_error: self.last_error().clone(),
            },
        }
    }
}
