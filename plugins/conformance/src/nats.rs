//! A plugin that answers on the bus, asked as the runner does and as monitoring does.
//!
//! It starts nothing: the plugin is there before the suite is. Subjects are made by the bus's own enum; those of
//! NATS's services come from the cases.

use crate::{
    case::{Ask, Form},
    report::Failure,
    wire,
};
use serde_json::{Value, json};
use snooze_bus::{Bus, Format, KIND, PluginMethod, Subject, VERSION};
use snooze_schemas::{HostId, PluginName, message, unambiguous::Unambiguous};
use std::{collections::BTreeMap, time::Duration};

/// The host that the cases are about; on the bus it is the one that the plugin serves, where it serves one.
const CASES_HOST: &str = "conformance";

/// What a server says where nobody listens.
const NO_RESPONDERS: u16 = 503;

/// A plugin on the bus.
#[derive(Debug, Clone)]
pub struct NatsPlugin {
    /// Asks as a host does.
    pub bus: Bus,
    /// Asks as monitoring does: may publish to `$SRV.>`.
    pub monitoring: Bus,
    /// Its name.
    pub plugin: PluginName,
    /// The host that it serves; none where it serves all.
    pub host: Option<HostId>,
}

impl NatsPlugin {
    /// Asks what a plugin is asked on the lines, in its form on the bus.
    pub(crate) async fn ask(&self, form: Form, ask: &Ask, within: Duration) -> Result<Value, Failure> {
        let Value::Object(mut params) = crate::case::written_out(&Value::Object(ask.params.clone())) else {
            unreachable!("an object was written out");
        };
        match ask.method.as_str() {
            "CheckIdle" => {
                let host = self.host.as_ref().map_or(CASES_HOST, HostId::as_str);
                params.entry("host").or_insert_with(|| host.into());
            }
            // On the lines it stands in the event, here beside it.
            "HandleEvent" => {
                let event = params.get_mut("event").and_then(Value::as_object_mut);
                if let Some(event) = event {
                    let left = event.remove("left_ms");
                    if let (Some(host), Some(named)) = (&self.host, event.get_mut("host"))
                        && *named == CASES_HOST
                    {
                        *named = host.as_str().into();
                    }
                    params.extend(left.map(|left| ("left_ms".to_owned(), left)));
                }
            }
            _ => {}
        }
        let format = match form {
            Form::NatsMessagepack => Format::MessagePack,
            Form::NatsJson | Form::Lines | Form::JsonRpc => Format::Json,
        };
        let body = snooze_bus::encode(&params, format)
            .map_err(|cause| Failure::new("a case that can be sent", cause.to_string()))?;
        self.send(&ask.method, ask.headers.as_ref(), &body, within).await
    }

    /// Sends any body to the subject of a method, with headers that say what it is, or with these.
    pub(crate) async fn send(
        &self,
        method: &str,
        headers: Option<&BTreeMap<String, String>>,
        body: &[u8],
        within: Duration,
    ) -> Result<Value, Failure> {
        let kind = kind(method)
            .ok_or_else(|| Failure::new("a method of a plugin", format!("the case asks {method}")))?;
        let subject = self.subject(kind).to_string();
        let version = message::VERSION.to_string();
        let headers: Vec<(&str, &str)> = match headers {
            Some(headers) => headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            None => vec![(KIND, kind.as_str()), (VERSION, version.as_str())],
        };
        let answered = self.bus.raw_request(&subject, &headers, body, within).await;
        let answer =
            answered.map_err(|cause| Failure::new(format!("an answer to {subject}"), cause.to_string()))?;
        if answer.status == Some(NO_RESPONDERS) {
            return Ok(json!({"error": format!("nobody listens to {subject}"), "unknown_method": true}));
        }
        let odd = |why: String| {
            let came = format!("{why}: {}", String::from_utf8_lossy(&answer.payload));
            Failure::new("a MessagePack map or a JSON object", came)
        };
        let form = match Format::of(&answer.payload).map_err(|why| odd(why.to_string()))? {
            Format::Json => "json",
            Format::MessagePack => "messagepack",
        };
        let Unambiguous(value) = snooze_bus::decode(&answer.payload).map_err(|why| {
            let cause =
                std::error::Error::source(&why).map_or_else(String::new, |cause| format!(" ({cause})"));
            odd(format!("{why}{cause}"))
        })?;
        let mut read = wire::body(value, method);
        read.insert("form".to_owned(), form.into());
        Ok(Value::Object(read))
    }

    /// Asks on a subject of NATS's services.
    pub(crate) async fn service(&self, subject: &str, within: Duration) -> Result<Value, Failure> {
        let subject = subject.replace("{plugin}", self.plugin.as_str());
        let answered = self.monitoring.raw_request(&subject, &[], b"", within).await;
        let answer =
            answered.map_err(|cause| Failure::new(format!("an answer to {subject}"), cause.to_string()))?;
        if answer.status == Some(NO_RESPONDERS) {
            return Err(Failure::new(
                format!("an answer to {subject}"),
                "nobody listens".to_owned(),
            ));
        }
        serde_json::from_slice(&answer.payload).map_err(|cause| {
            let came = format!("{cause}: {}", String::from_utf8_lossy(&answer.payload));
            Failure::new("JSON", came)
        })
    }

    /// Where it is asked.
    #[must_use]
    pub fn subject(&self, method: PluginMethod) -> Subject {
        let plugin = self.plugin.clone();
        match &self.host {
            Some(host) => Subject::HostPlugin {
                host: host.clone(),
                plugin,
                method,
            },
            None => Subject::FleetPlugin { plugin, method },
        }
    }
}

/// A method of the lines as the bus calls it.
fn kind(method: &str) -> Option<PluginMethod> {
    match method {
        "Info" => Some(PluginMethod::Info),
        "Configure" => Some(PluginMethod::Configure),
        "Initialize" => Some(PluginMethod::Initialize),
        "CheckIdle" => Some(PluginMethod::CheckIdle),
        "HandleEvent" => Some(PluginMethod::HandleEvent),
        "GetSupportedEvents" => Some(PluginMethod::SupportedEvents),
        "Shutdown" => Some(PluginMethod::Shutdown),
        _ => None,
    }
}
