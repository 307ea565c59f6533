//! What is told of a plugin to those who ask how it is.

use super::{Plugin, Runtime};
use crate::{
    manifest::{ConfigSchema, PluginManifest},
    stdio::{STRAY, Stage},
};
use serde_json::{Map, Value};
use snooze_schemas::{
    PluginName,
    host::{PluginStats, PluginStatus},
    plugin::{PluginInfo, inspection::Latency, manifest::Manifest},
};
use std::time::Duration;

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
mod tests {
    use super::*;
    use crate::{
        plugin::{AskError, given::tests::unstarted},
        stdio::CallError,
    };
    use serde_json::json;
    use snooze_schemas::{HostId, metrics::Metrics};
    use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

    const LIMIT: Duration = Duration::from_secs(1);

    fn plugin() -> Arc<Plugin> {
        unstarted(Arc::default())
    }

    #[tokio::test]
    async fn before_it_is_ready_nothing_is_counted_against_a_plugin() {
        let (plugin, host) = (plugin(), "web".parse::<HostId>().expect("a host id"));
        let asked = plugin.check_idle(&Metrics::default(), &host, LIMIT).await;
        assert!(
            matches!(asked, Err(AskError::Process(CallError::Starting))),
            "{asked:?}"
        );
        assert_eq!(plugin.status(LIMIT).await.stats, PluginStats::default());
    }

    #[tokio::test]
    async fn a_method_that_it_does_not_know_is_a_call_and_no_error() {
        let plugin = plugin();
        let answered = plugin.calls.count::<()>(LIMIT, Err(AskError::UnknownMethod));
        assert!(answered.is_err());
        let counted = PluginStats {
            calls: 1,
            ..PluginStats::default()
        };
        assert_eq!(plugin.status(LIMIT).await.stats, counted);
    }

    #[tokio::test]
    async fn one_that_votes_and_does_not_know_the_question_shows_that_as_its_error() {
        let plugin = plugin();
        let answered = plugin.calls.no_opinion::<()>(LIMIT);
        assert!(matches!(answered, Err(AskError::UnknownMethod)), "{answered:?}");
        let stats = plugin.status(LIMIT).await.stats;
        assert_eq!((stats.calls, stats.errors, stats.time_outs), (1, 1, 0));
        let told = stats.last_error.expect("it is said");
        assert!(
            told.contains("CheckIdle") && told.contains("GetSupportedEvents"),
            "{told}"
        );
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_an_error_and_the_last_one_where_it_is_newer() {
        let counted = |age| PluginStats {
            errors: 1,
            last_error: Some("it failed".to_owned()),
            last_error_age_ms: Some(age),
            ..PluginStats::default()
        };
        let second = Some(Duration::from_secs(1));
        let stats = with_strays(counted(2_000), 2, second);
        assert_eq!(
            (stats.errors, stats.last_error.as_deref(), stats.last_error_age_ms),
            (3, Some(STRAY), Some(1_000))
        );
        let stats = with_strays(counted(500), 2, second);
        assert_eq!(
            (stats.errors, stats.last_error.as_deref()),
            (3, Some("it failed"))
        );
        assert_eq!(with_strays(counted(500), 0, None), counted(500));
        let stats = with_strays(PluginStats::default(), 1, second);
        assert_eq!((stats.errors, stats.last_error.as_deref()), (1, Some(STRAY)));
    }

    #[tokio::test]
    async fn the_last_error_says_how_long_ago_it_was() {
        let plugin = plugin();
        let failed = plugin
            .calls
            .count::<()>(LIMIT, Err(AskError::Said("no disk".to_owned())));
        assert!(failed.is_err());
        let stats = plugin.status(LIMIT).await.stats;
        assert_eq!((stats.calls, stats.errors), (1, 1));
        assert_eq!(stats.last_error.as_deref(), Some("no disk"));
        assert!(stats.last_error_age_ms.is_some());
    }

    #[tokio::test]
    async fn what_its_manifest_calls_secret_is_named_whether_it_runs_or_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let written = json!({
            "name": "door", "version": "1.0.0", "entry_point": "run",
            "config_schema": {"type": "object", "properties": {"pin": {"type": "integer", "writeOnly": true}, "pin_file": {}}},
        });
        fs::write(folder.path().join("plugin.json"), written.to_string()).expect("writes");
        let run = folder.path().join("run");
        fs::write(&run, "").expect("writes");
        fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let manifest = PluginManifest::read(folder.path()).expect("it is right");
        let lost = missing(
            &"door".parse().expect("a name"),
            "missing",
            String::new(),
            Some(&manifest),
        );
        assert_eq!(lost.secrets, ["pin"]);
        let plugin = plugin();
        let Runtime::Process(process) = plugin.runtime() else {
            panic!("it is a process");
        };
        let described = Plugin::described(Runtime::Process(process.clone()), Some(Arc::new(manifest)));
        assert_eq!(described.status(LIMIT).await.secrets, ["pin"]);
        assert_eq!(described.status(LIMIT).await.secret_files, ["pin_file"]);
    }
}
