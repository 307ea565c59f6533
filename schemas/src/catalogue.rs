//! Every message and record by name, for the generated JSON Schemas and the golden fixtures.
//!
//! Only built with the feature `json-schema`: no service needs it.

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

/// Calls `$each!(name, Type)` for every type that has a schema and fixtures.
macro_rules! for_each {
    ($each:ident) => {
        $each!("sample", crate::sample::Sample);
        $each!("verdict", crate::verdict::Verdict);
        $each!("hello", crate::host::Hello);
        $each!("prepare", crate::host::Prepare);
        $each!("prepared", crate::host::Prepared);
        $each!("verify", crate::host::Verify);
        $each!("verified", crate::host::Verified);
        $each!("cancel", crate::host::Cancel);
        $each!("take_sample", crate::host::TakeSample);
        $each!("missed_samples", crate::host::MissedSamples);
        $each!("samples", crate::host::Samples);
        $each!("validate", crate::host::Validate);
        $each!("validated", crate::host::Validated);
        $each!("plugin_list", crate::host::PluginList);
        $each!("check_idle", crate::plugin::CheckIdle);
        $each!("check_idle_result", crate::plugin::CheckIdleResult);
        $each!("plugin_info", crate::plugin::PluginInfo);
        $each!("manifest", crate::plugin::manifest::Manifest);
        $each!("approval", crate::plugin::approval::Approval);
        $each!("installed", crate::plugin::approval::Installed);
        $each!("rights", crate::plugin::approval::Rights);
        $each!("load", crate::plugin::management::LoadPlugin);
        $each!("unload", crate::plugin::management::UnloadPlugin);
        $each!("reload", crate::plugin::management::ReloadPlugins);
        $each!("check", crate::plugin::inspection::CheckPlugins);
        $each!("plugin_checks", crate::plugin::inspection::PluginChecks);
        $each!("logs", crate::plugin::inspection::ReadLog);
        $each!("plugin_log", crate::plugin::inspection::PluginLog);
        $each!("stats", crate::plugin::inspection::ReadStats);
        $each!("stats_report", crate::plugin::inspection::StatsReport);
        $each!("event", crate::event::Event);
        $each!("handle_event", crate::event::HandleEvent);
        $each!("hand_over", crate::event::HandOver);
        $each!("accepted", crate::event::Accepted);
        $each!("handler_result", crate::event::HandlerResult);
        $each!("custom", crate::event::CustomEvent);
        $each!("replay", crate::event::Replay);
        $each!("filed", crate::event::Filed);
        $each!("progress", crate::event::ReadProgress);
        $each!("event_progress", crate::event::EventProgress);
        $each!("open_event", crate::event::OpenEvent);
        $each!("dead", crate::event::DeadEvent);
        $each!("audit", crate::audit::AuditRecord);
        $each!("lease", crate::ops::LeaseRequest);
        $each!("postpone", crate::ops::PostponeRequest);
        $each!("freeze", crate::ops::FreezeRequest);
        $each!("thaw", crate::ops::ThawRequest);
        $each!("wake", crate::ops::WakeRequest);
        $each!("query", crate::ops::Query);
        $each!("query_result", crate::ops::QueryResult);
        $each!("config_layer", crate::policy::ConfigLayer);
        $each!("policy", crate::policy::Policy);
        $each!("roster", crate::roster::RosterRecord);
        $each!("source", crate::roster::SourceRecord);
    };
}

/// The JSON Schema (2020-12) of every message and record, by name.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    fn schema<T: JsonSchema>() -> Value {
        schema_for!(T).to_value()
    }
    let mut all = Vec::new();
    macro_rules! add {
        ($name:literal, $type:ty) => {
            all.push(($name, schema::<$type>()));
        };
    }
    for_each!(add);
    all
}

/// Reads a value as the type of that name, and gives it back as JSON; MessagePack is left to the reader.
///
/// # Errors
/// Why the text is not a message of that type.
pub fn read_back(name: &str, json: &Value) -> Result<Value, serde_json::Error> {
    macro_rules! read {
        ($name:literal, $type:ty) => {
            if name == $name {
                return serde_json::to_value(serde_json::from_value::<$type>(json.clone())?);
            }
        };
    }
    for_each!(read);
    Err(serde::de::Error::custom(format!(
        "there is no message named {name}"
    )))
}
