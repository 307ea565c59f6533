//! Asks a plugin: reads a method's params, calls it, and makes its result or why there is none. Knows no
//! transport; nothing that a plugin does, a panic included, ends it.

use crate::{
    failure::{Failure, WRONG_PARAMS},
    messages::{Config, Event, Metrics},
    plugin::{Plugin, Result},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a plugin can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Info,
    Configure,
    Initialize,
    CheckIdle,
    HandleEvent,
    SupportedEvents,
    Shutdown,
}

impl Method {
    pub(crate) const ALL: [Method; 7] = [
        Self::Info,
        Self::Configure,
        Self::Initialize,
        Self::CheckIdle,
        Self::HandleEvent,
        Self::SupportedEvents,
        Self::Shutdown,
    ];

    /// As lines name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Configure => "Configure",
            Self::Initialize => "Initialize",
            Self::CheckIdle => "CheckIdle",
            Self::HandleEvent => "HandleEvent",
            Self::SupportedEvents => "GetSupportedEvents",
            Self::Shutdown => "Shutdown",
        }
    }

    /// As the end of a subject.
    #[cfg(feature = "nats")]
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Configure => "configure",
            Self::Initialize => "initialize",
            Self::CheckIdle => "check_idle",
            Self::HandleEvent => "handle_event",
            Self::SupportedEvents => "supported_events",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether being asked it changes anything.
    #[cfg(feature = "nats")]
    pub(crate) const fn has_effect(self) -> bool {
        match self {
            Self::Info | Self::CheckIdle | Self::SupportedEvents => false,
            Self::Configure | Self::Initialize | Self::HandleEvent | Self::Shutdown => true,
        }
    }

    pub(crate) fn named(name: &str) -> std::result::Result<Method, Failure> {
        let found = Method::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| Failure::unknown_method(name))
    }
}

/// How far a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Ready,
    Ended,
}

/// A plugin and how far it is.
pub(crate) struct Session<P> {
    plugin: P,
    stage: Stage,
}

#[derive(Deserialize)]
struct ConfigureParams {
    #[serde(default)]
    config: Config,
}

#[derive(Deserialize)]
struct CheckIdleParams {
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    host: Option<String>,
}

#[derive(Deserialize)]
struct HandleEventParams {
    event: Event,
    #[serde(default)]
    left_ms: Option<u64>,
}

impl<P: Plugin> Session<P> {
    pub(crate) fn new(plugin: P) -> Session<P> {
        Session {
            plugin,
            stage: Stage::New,
        }
    }

    /// Asks the plugin. What it panics with is an error as well; it is asked again as it is then.
    pub(crate) fn ask(&mut self, method: Method, params: Value) -> std::result::Result<Value, Failure> {
        let params = match params {
            Value::Null => Value::Object(Map::new()),
            Value::Object(_) => params,
            _ => return Err(Failure::new(WRONG_PARAMS, "params have to be an object")),
        };
        catch_unwind(AssertUnwindSafe(|| self.call(method, params)))
            .unwrap_or_else(|payload| Err(Failure::of_panic(payload.as_ref())))
    }

    /// Ends the plugin, where that has not been asked for already.
    pub(crate) fn end(&mut self) -> std::result::Result<(), Failure> {
        match self.stage {
            Stage::Ended => Ok(()),
            Stage::New | Stage::Ready => self.ask(Method::Shutdown, Value::Null).map(drop),
        }
    }

    fn call(&mut self, method: Method, params: Value) -> std::result::Result<Value, Failure> {
        match method {
            Method::Info => serde_json::to_value(self.plugin.info()).map_err(|error| unwritable(&error)),
            Method::Configure => {
                let ConfigureParams { config } = read(params)?;
                succeeded(method, self.plugin.configure(config))
            }
            Method::Initialize => self.make_ready().map(|()| success()),
            Method::CheckIdle => {
                let CheckIdleParams { mut metrics, host } = read(params)?;
                metrics.host = host;
                self.make_ready()?;
                written(method, self.plugin.check_idle(&metrics))
            }
            Method::HandleEvent => {
                let HandleEventParams { mut event, left_ms } = read(params)?;
                event.left_ms = left_ms.or(event.left_ms);
                self.make_ready()?;
                written(method, self.plugin.handle_event(&event))
            }
            Method::SupportedEvents => {
                let events = self.plugin.supported_events();
                written(method, events.map(|events| json!({ "events": events })))
            }
            Method::Shutdown => {
                if self.stage == Stage::Ended {
                    return Ok(success());
                }
                // Before the call: it is made once, however it ends.
                self.stage = Stage::Ended;
                succeeded(method, self.plugin.shutdown())
            }
        }
    }

    /// Initializes the plugin where it is not: over NATS, and from a shell, nobody else does.
    fn make_ready(&mut self) -> std::result::Result<(), Failure> {
        if self.stage != Stage::Ready {
            succeeded(Method::Initialize, self.plugin.initialize())?;
            self.stage = Stage::Ready;
        }
        Ok(())
    }
}

fn read<T: for<'de> Deserialize<'de>>(params: Value) -> std::result::Result<T, Failure> {
    serde_json::from_value(params).map_err(|error| Failure::new(WRONG_PARAMS, &format!("params: {error}")))
}

fn written<T: serde::Serialize>(method: Method, result: Result<T>) -> std::result::Result<Value, Failure> {
    let result = result.map_err(|error| Failure::of(method.name(), &error))?;
    serde_json::to_value(result).map_err(|error| unwritable(&error))
}

fn succeeded(method: Method, result: Result<()>) -> std::result::Result<Value, Failure> {
    written(method, result.map(|()| success()))
}

fn success() -> Value {
    json!({ "success": true })
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::new(crate::failure::BROKEN, &format!("write the result: {error}"))
}

#[cfg(test)]
mod tests;
