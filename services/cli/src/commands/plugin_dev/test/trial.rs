//! A plugin while it is tried, whatever it runs in. It starts and ends none.

use super::Findings;
use serde_json::{Map, Value};
use snooze_plugin_runner::{
    PluginManifest,
    asking::{ConfigBook, Plugin},
};
use snooze_schemas::{EventType, HostId};
use std::{sync::Arc, time::Duration};

/// To say who it is takes a plugin no work.
const LIMIT: Duration = Duration::from_secs(5);

/// What is asked of a plugin.
pub(super) trait Trial {
    /// The plugin, as a runner asks it.
    fn plugin(&self) -> &Arc<Plugin>;

    /// The host that it is asked about.
    fn host(&self) -> HostId;

    /// What is configured for it.
    fn configs(&self) -> &ConfigBook;

    /// Its process, where a runner would start it anew.
    fn process_id(&self) -> Option<i32>;

    /// What it has complained about last.
    fn last_words(&self) -> Vec<String>;

    /// Whether it still answers.
    async fn answers(&self) -> bool;

    /// Hands it a configuration, and says why it does not take it.
    async fn configure(&self, config: &Map<String, Value>) -> Result<(), String>;

    /// Whether a host where nothing is configured gives it events of this type, and in which words it does not.
    fn is_given(&self, event: &EventType) -> bool;
    fn withheld_as(&self) -> &'static str;

    /// What becomes of one that does not know `CheckIdle`.
    fn without_vote(&self) -> &'static str;

    /// Why the newest configuration is not handed to it.
    async fn config_refused(&self) -> Option<String> {
        self.plugin().status(LIMIT).await.config_refused
    }
}

/// Whether it says of itself what its manifest says.
pub(super) fn introduction(manifest: &PluginManifest, info: &Map<String, Value>, findings: &mut Findings) {
    let stated = manifest.stated();
    for (key, stated) in [
        ("name", stated.name.as_str()),
        ("version", stated.version.as_str()),
    ] {
        let said = info.get(key).and_then(Value::as_str);
        let kept = match said {
            // One that does not say it is what its manifest says.
            None => Ok(()),
            Some(said) if said == stated => Ok(()),
            Some(said) => Err((format!("{key} {stated}, as in plugin.json"), said.to_owned())),
        };
        let law = "Info says what its manifest says.";
        let case = format!("info-agrees-on-its-{key}");
        let begun = findings.begin("manifest", &case);
        findings.add("manifest", &case, law, begun, kept);
    }
}
