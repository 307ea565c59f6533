//! What is told of a plugin to those who ask how it is.

use super::{Plugin, Runtime};
use crate::{
    manifest::{ConfigSchema, PluginManifest},
    stdio::{STRAY, Stage},
};
use serde_json::{Map, Value, json};
use snooze_schemas::{
    PluginName,
    host::{PluginStats, PluginStatus},
    plugin::{PluginInfo, inspection::Latency, manifest::Manifest},
};
use std::time::Duration;

/// So many unknown keys of a manifest are shown, and so many characters of each.
const ODD: usize = 16;
const ODD_LENGTH: usize = 200;

impl Stage {
    /// What it is called where people see it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Misconfigured => "misconfigured",
            Self::Disabled => "disabled",
            Self::Held => "held",
            Self::Quarantined => "quarantined",
            Self::Stopped => "stopped",
        }
    }
}

impl Plugin {
    /// What its author states of it, else what it says of itself; its name alone where neither says anything.
    pub async fn info(&self, within: Duration) -> PluginInfo {
        if let Some(manifest) = self.manifest() {
            return stated(manifest.stated());
        }
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

    /// What is counted of it.
    #[must_use]
    pub(crate) fn stats(&self) -> PluginStats {
        let stats = self.calls.stats();
        match &self.runtime {
            Runtime::Process(process) => {
                let stats = with_strays(stats, process.strays(), process.stray_age());
                let restarts = process.restarts();
                PluginStats { restarts, ..stats }
            }
            Runtime::Nats(_) => stats,
        }
    }

    /// How long it took to say whether the host is idle; nothing before it was asked.
    pub(crate) fn latency(&self) -> Option<Latency> {
        self.latencies.quantiles()
    }

    /// What a list of plugins shows of it, without its vote.
    pub async fn status(&self, within: Duration) -> PluginStatus {
        // First, as it shows whether one on the bus is there.
        let info = self.info(within).await;
        let (runtime, origin, state) = match &self.runtime {
            Runtime::Process(process) => {
                let state = process.stage().borrow().as_str();
                (process.runtime(), process.path().display().to_string(), state)
            }
            Runtime::Nats(plugin) => (
                plugin.reach().as_str(),
                plugin.origin(),
                plugin.presence().as_str(),
            ),
        };
        PluginStatus {
            info,
            runtime: runtime.to_owned(),
            origin,
            state: state.to_owned(),
            config_refused: match &self.runtime {
                Runtime::Process(process) => process.config_refused(),
                Runtime::Nats(plugin) => plugin.config_refused(),
            },
            secrets: fields(self.manifest.as_deref(), ConfigSchema::secrets),
            secret_files: fields(self.manifest.as_deref(), ConfigSchema::secret_files),
            odd: odd(self.manifest.as_deref()),
            vote: None,
            stats: self.stats(),
            rights: None,
        }
    }
}

fn fields(manifest: Option<&PluginManifest>, of: fn(&ConfigSchema) -> Vec<String>) -> Vec<String> {
    let schema = manifest.and_then(PluginManifest::schema);
    schema.map(of).unwrap_or_default()
}

/// What its manifest says that nobody here understands. A manifest may have more of it than a message should.
fn odd(manifest: Option<&PluginManifest>) -> Vec<String> {
    let warnings = manifest.into_iter().flat_map(PluginManifest::warnings);
    let told = warnings.take(ODD).map(ToString::to_string);
    told.map(|told| told.chars().take(ODD_LENGTH).collect()).collect()
}

/// One that is not there, and what its author states of it where that is known.
pub(crate) fn missing(
    name: &PluginName,
    state: &str,
    why: String,
    manifest: Option<&PluginManifest>,
) -> PluginStatus {
    let named = || PluginInfo {
        name: name.to_string(),
        ..PluginInfo::default()
    };
    PluginStatus {
        info: manifest.map_or_else(named, |manifest| stated(manifest.stated())),
        runtime: "-".to_owned(),
        origin: manifest.map_or_else(String::new, |manifest| manifest.folder().display().to_string()),
        state: state.to_owned(),
        config_refused: None,
        secrets: fields(manifest, ConfigSchema::secrets),
        secret_files: fields(manifest, ConfigSchema::secret_files),
        odd: odd(manifest),
        vote: None,
        stats: PluginStats {
            last_error: Some(why),
            ..PluginStats::default()
        },
        rights: None,
    }
}

/// A manifest in the words of `Info`.
fn stated(manifest: &Manifest) -> PluginInfo {
    let texts = [
        ("category", &manifest.category),
        ("language", &manifest.language),
        ("repository", &manifest.repository),
        ("homepage", &manifest.homepage),
    ];
    let mut more: Map<String, Value> = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.to_owned(), Value::from(text.as_str())))
        .collect();
    if manifest.official {
        // Shown as what it says of itself; nobody believes it.
        more.insert("official".to_owned(), Value::Bool(true));
    }
    if !manifest.tags.is_empty() {
        more.insert("tags".to_owned(), Value::from(manifest.tags.as_slice()));
    }
    if !manifest.dependencies.is_empty() {
        let needed = manifest.dependencies.iter();
        let needed = needed.map(|needed| json!({"name": needed.name, "version": needed.version}));
        more.insert("dependencies".to_owned(), needed.collect());
    }
    if let Some(oldest) = &manifest.min_host_version {
        more.insert("min_host_version".to_owned(), Value::from(oldest.as_str()));
    }
    PluginInfo {
        name: manifest.name.to_string(),
        display_name: manifest.display_name.clone(),
        version: manifest.version.clone(),
        author: manifest.author.clone(),
        description: manifest.description.clone(),
        more,
    }
}

/// What is counted together with answers to nothing, of which the newest may be the last thing that went wrong.
fn with_strays(stats: PluginStats, count: u64, age: Option<Duration>) -> PluginStats {
    let errors = stats.errors + count;
    let age = age.and_then(|age| u64::try_from(age.as_millis()).ok());
    match age {
        Some(age) if stats.last_error_age_ms.is_none_or(|other| age < other) => PluginStats {
            errors,
            last_error: Some(STRAY.to_owned()),
            last_error_age_ms: Some(age),
            ..stats
        },
        Some(_) | None => PluginStats { errors, ..stats },
    }
}

#[cfg(test)]
mod tests;
