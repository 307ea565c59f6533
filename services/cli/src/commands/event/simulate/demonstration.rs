//! The handler for whoever brings none: it says that it was told.
//!
//! On one host it is a plugin as any other, a process in its fences. In a storm a process for each host would be most of
//! what this machine does, so there it is a plugin of the fleet: one that every host's runner asks over the bus.

use serde_json::{Map, Value, json};
use snooze_bus::{Bus, Delivery, PluginMethod, Subject, SubjectFilter, serve};
use snooze_schemas::{
    PluginName,
    event::{HandleEvent, HandlerResult},
};
use snooze_service_runtime::{CancellationToken, Exit, Failure, config::PluginsConfig};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

const MANIFEST: &str = include_str!("demonstration/plugin.json");
const PROGRAM: &str = include_str!("demonstration/plugin.sh");

/// What it handles, and what it is said to handle.
pub(super) const HANDLED: &str = "cloud.spot.interrupt";

/// Questions that it answers at once: as many as a whole storm asks.
const AT_ONCE: usize = 2_048;
/// Its answers take no time.
const GRACE: Duration = Duration::from_secs(1);

/// Its name.
pub(super) fn name() -> PluginName {
    "demonstration-handler".parse().expect("it is written here")
}

/// Puts it into a folder of plugins, and says what a host's file would say of it there.
pub(super) fn as_process(plugins: &Path) -> Result<PluginsConfig, Failure> {
    let folder = plugins.join(name().as_str());
    let write = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("plugin.json"), MANIFEST)?;
        let program = folder.join("plugin.sh");
        fs::write(&program, PROGRAM)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
    };
    write().map_err(|error| {
        let text = format!(
            "write the demonstration's handler to {}: {error}",
            folder.display()
        );
        Failure::new(Exit::Failed, text)
    })?;
    let granted = json!({"permissions": {"events": [HANDLED]}});
    Ok(PluginsConfig {
        enabled: true,
        directories: vec![plugins.to_owned()],
        require_isolation: false,
        configs: [of(&granted)].into(),
    })
}

/// What a host's file would say of it where it serves the whole fleet.
pub(super) fn of_fleet() -> PluginsConfig {
    let asked = json!({"runtime": "fleet", "events": {HANDLED: {"priority": 100}}});
    PluginsConfig {
        enabled: true,
        directories: Vec::new(),
        require_isolation: false,
        configs: [of(&asked)].into(),
    }
}

fn of(config: &Value) -> (String, Map<String, Value>) {
    let config = config.as_object().cloned().unwrap_or_default();
    (name().to_string(), config)
}

/// Answers every host until it is told to stop.
///
/// # Errors
/// When it cannot listen.
pub(super) async fn serve_fleet(bus: Bus, stop: CancellationToken) -> Result<(), snooze_bus::BusError> {
    let name = name();
    let filter = SubjectFilter::FleetPlugin(name.clone());
    let questions = bus.subscribe(&filter, Some(name.as_str())).await?;
    serve(questions, AT_ONCE, GRACE, stop.cancelled_owned(), answer).await;
    Ok(())
}

async fn answer(question: Delivery) {
    let is_event = matches!(
        question.subject(),
        Subject::FleetPlugin {
            method: PluginMethod::HandleEvent,
            ..
        }
    );
    let sent = match is_event.then(|| question.read::<HandleEvent>()) {
        Some(Ok(_)) => {
            let said = HandlerResult {
                handled: true,
                succeeded: true,
                message: "told in time".to_owned(),
                details: Map::new(),
            };
            question.answer_bare(&said).await
        }
        Some(Err(refusal)) => question.answer_bare(&json!({"error": refusal.message})).await,
        None => question.answer_bare(&json!({"error": "Unknown method"})).await,
    };
    // Whoever asked runs into its own time-out, and says so.
    drop(sent);
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_plugin_runner::PluginManifest;

    #[test]
    fn what_it_is_given_is_what_its_manifest_asks_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let plugins = as_process(folder.path()).expect("written");
        let manifest = PluginManifest::read(&folder.path().join(name().as_str())).expect("a manifest");
        let asked = json!(manifest.stated().permissions);
        assert_eq!(manifest.name(), &name());
        assert_eq!(
            plugins.configs[name().as_str()]["permissions"]["events"],
            asked["events"]
        );
    }
}
