//! What a plugin is asked at the beginning and at the end of its process.
//!
//! It neither starts nor ends a process: it says why one is of no use, and the supervisor acts on it.

use super::{CallError, ConfigureParams, StdioPlugin, accepted};
use crate::{
    discovery,
    line::{self, Method},
    pipes::Pipes,
};
use serde_json::{Map, Value};
use std::{fmt::Display, sync::PoisonError, time::Duration};
use tokio::time::timeout;

/// How long a plugin may take to tidy up when it is told that it will be ended, and to end by itself after its
/// stdin was closed.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// How long a plugin may take to say which events it handles. The original asks this only of those that
/// handle any, and one that keeps silent instead of saying that it does not know the method is none of them.
const EVENTS_LIMIT: Duration = Duration::from_secs(2);

impl StdioPlugin {
    /// `Info`, then `Configure` where there is something to configure, then `Initialize`, then which events it
    /// handles. Returns its configuration.
    pub(super) async fn introduce(&self, pipes: &mut Pipes) -> Result<Map<String, Value>, String> {
        let (limit, strays) = (self.settings.handshake_limit, self.strays());
        let info = match timeout(limit, self.converse(pipes, Method::Info, &Map::new())).await {
            Ok(Ok(Value::Object(info))) => {
                self.compare_name(&info);
                info
            }
            Ok(Ok(_)) => Map::new(),
            Ok(Err(CallError::Said(said))) => {
                tracing::info!(plugin = %self.name(), %said, "a plugin does not introduce itself");
                Map::new()
            }
            Ok(Err(error)) => return Err(format!("Info: {error}")),
            Err(_) => return Err(format!("Info: {}", self.late(limit, strays))),
        };
        self.info.send_replace(Some(info));
        // It was there before the process was started; layers that came since may have left none that it can have.
        let Some(config) = self.handed().config else {
            return Err("there is no configuration any more that it can have".to_owned());
        };
        let taken = match config.is_empty() {
            true => Ok(()),
            false => self.configure(pipes, &config).await,
        };
        let not_taken = taken.as_ref().err().map(|why| (config.clone(), why.clone()));
        *self.not_taken.lock().unwrap_or_else(PoisonError::into_inner) = not_taken;
        taken?;
        self.initialize(pipes).await?;
        self.learn_events(pipes).await?;
        Ok(config)
    }

    /// Gives it its configuration.
    pub(super) async fn configure(
        &self,
        pipes: &mut Pipes,
        config: &Map<String, Value>,
    ) -> Result<(), String> {
        let (limit, strays) = (self.settings.handshake_limit, self.strays());
        let params = ConfigureParams { config };
        match timeout(limit, self.converse(pipes, Method::Configure, &params)).await {
            Ok(Ok(result)) => {
                accepted(&result).map_err(|said| format!("it refuses its configuration: {said}"))
            }
            Ok(Err(error)) if error.is_unknown_method() => Ok(()),
            Ok(Err(error)) => Err(format!("it did not take its configuration: {error}")),
            Err(_) => Err(format!(
                "it did not take its configuration: {}",
                self.late(limit, strays)
            )),
        }
    }

    /// Lets it make ready, now that it has its configuration.
    async fn initialize(&self, pipes: &mut Pipes) -> Result<(), String> {
        let (limit, strays) = (self.settings.handshake_limit, self.strays());
        let failed = |why: &dyn Display| format!("Initialize: {why}");
        match timeout(limit, self.converse(pipes, Method::Initialize, &Map::new())).await {
            Ok(Ok(result)) => accepted(&result).map_err(|said| failed(&said)),
            Ok(Err(error)) if error.is_unknown_method() => Ok(()),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(failed(&self.late(limit, strays))),
        }
    }

    /// Asks which events it handles; it is not asked at an event, which has no time for that.
    async fn learn_events(&self, pipes: &mut Pipes) -> Result<(), String> {
        let method = Method::GetSupportedEvents;
        let failed = |error: CallError| format!("GetSupportedEvents: {error}");
        let posed = timeout(EVENTS_LIMIT, self.pose(pipes, method, &Map::new())).await;
        let id = match posed {
            Ok(posed) => posed.map_err(failed)?,
            Err(_) => return Err(failed(CallError::TimedOut(EVENTS_LIMIT))),
        };
        let events = match timeout(EVENTS_LIMIT, self.answer_to(pipes, method, id)).await {
            Ok(Ok(result)) => Some(line::supported_events(&result)),
            Ok(Err(CallError::Said(said))) if said.unknown_method => Some(Vec::new()),
            Ok(Err(CallError::Said(said))) => {
                tracing::warn!(plugin = %self.name(), %said, "a plugin does not say which events it handles");
                None
            }
            Ok(Err(error)) => return Err(failed(error)),
            Err(_) => None,
        };
        // One that does not say keeps what it said before.
        self.events.send_modify(|known| match events {
            Some(events) => *known = Some(events.into()),
            None => *known = Some(known.take().unwrap_or_default()),
        });
        Ok(())
    }

    /// Tells it that it will be ended. Whether it can do anything about it is its own affair.
    pub(super) async fn dismiss(&self, pipes: &mut Pipes) {
        match timeout(FAREWELL, self.converse(pipes, Method::Shutdown, &Map::new())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.is_unknown_method() => {}
            Ok(Err(error)) => tracing::info!(plugin = %self.name(), %error, "a plugin fails at its end"),
            Err(_) => tracing::info!(plugin = %self.name(), "a plugin does not say that it is ready to end"),
        }
    }

    /// Says so where it calls itself something else, for whoever looks for it by that name.
    fn compare_name(&self, info: &Map<String, Value>) {
        if let Some(said) = info.get("name").and_then(Value::as_str)
            && discovery::sanitised(said).as_ref() != Some(&self.settings.name)
        {
            tracing::info!(plugin = %self.name(), said, "a plugin calls itself something else than its file is called, by which it goes");
        }
    }
}

#[cfg(test)]
mod tests;
