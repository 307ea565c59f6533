//! `snooze plugin enable`, `disable` and `configure`: what is to last is a key of the configuration.
//!
//! The hosts hear of it by themselves. It never writes what a host says that its plugin cannot take.

use super::{
    json_file,
    plugin_elsewhere::{switched_otherwise, tell_of_narrower},
    plugin_layer::{Layer, change, look},
    plugin_presence::{warn_before_configuring, warn_before_disabling, warn_before_enabling},
    plugin_secrets::Secrets,
    plugin_validation::refuse_mistakes,
};
use crate::{
    arguments::{PluginConfigure, PluginSetting},
    print,
    session::Session,
};
use serde_json::{Map, Value};
use snooze_service_runtime::{Exit, Failure};

/// Switches a plugin on.
pub(super) async fn enable(session: &Session, arguments: PluginSetting) -> Result<(), Failure> {
    switch(session, arguments, true).await
}

/// Switches a plugin off.
pub(super) async fn disable(session: &Session, arguments: PluginSetting) -> Result<(), Failure> {
    switch(session, arguments, false).await
}

async fn switch(session: &Session, arguments: PluginSetting, enabled: bool) -> Result<(), Failure> {
    let layer = Layer::of(session, arguments.level).await?;
    match enabled {
        true => warn_before_enabling(session, &layer, &arguments.plugin).await,
        false => warn_before_disabling(session, &layer, &arguments.plugin).await,
    }
    change(session, &layer, &arguments.plugin, |plugin| {
        plugin.enabled = Some(enabled);
    })
    .await?;
    let done = if enabled { "enabled" } else { "disabled" };
    print::lines([format!("{} is {done} {}.", arguments.plugin, layer.shown())])?;
    let plugin = &arguments.plugin;
    let otherwise = |others: &[_]| switched_otherwise(others, plugin, enabled);
    tell_of_narrower(session, &layer, plugin, otherwise).await;
    Ok(())
}

/// Shows or changes what a plugin is configured with.
pub(super) async fn configure(session: &Session, arguments: PluginConfigure) -> Result<(), Failure> {
    let layer = Layer::of(session, arguments.level).await?;
    let plugin = &arguments.plugin;
    let edit = match &arguments.file {
        Some(file) => Some(Edit::Instead(json_file::read(file, "a JSON object").await?)),
        None if arguments.settings.is_empty() && arguments.unset.is_empty() => None,
        None => Some(Edit::Keys {
            set: arguments.settings,
            unset: arguments.unset,
        }),
    };
    let sets = edit.as_ref().map(Edit::sets).unwrap_or_default();
    let held = match edit {
        Some(edit) => {
            refuse_own(&sets)?;
            let now = look(session, &layer).await?.0.plugins.remove(plugin.as_str());
            let unset = edit.unsets(now.and_then(|now| now.config).unwrap_or_default());
            refuse_mistakes(session, layer.whose(), plugin, &sets, &unset).await?;
            if !sets.is_empty() {
                warn_before_configuring(session, &layer, plugin).await;
            }
            change(session, &layer, plugin, |held| {
                held.config = edit.of(held.config.take());
            })
            .await?
        }
        None => look(session, &layer)
            .await?
            .0
            .plugins
            .remove(plugin.as_str())
            .unwrap_or_default(),
    };
    let config = held.config.unwrap_or_default();
    let secrets = Secrets::of(session, &layer, plugin).await;
    if let Some(warning) = secrets.warning(&sets, &layer, plugin) {
        print::talk(&warning);
    }
    if arguments.output.json {
        return print::json(&config);
    }
    let mut lines = vec![format!("{plugin} {}:", layer.shown())];
    let shown = secrets.shown(&config);
    lines.extend(shown.iter().map(|(key, value)| format!("  {key} = {value}")));
    if shown != config && !secrets.are_known() {
        print::talk(&format!(
            "no value is shown: no host that has {plugin} says which of them are secret; `--json` shows all"
        ));
    }
    if config.is_empty() {
        lines.push("  nothing is set here".to_owned());
    }
    if let Some(enabled) = held.enabled {
        let done = if enabled { "enabled" } else { "disabled" };
        print::talk(&format!("it is {done} here as well"));
    }
    print::lines(lines)
}

/// Refuses what would be kept and have no effect: in a layer these keys are said in another way.
fn refuse_own(sets: &Map<String, Value>) -> Result<(), Failure> {
    for (key, instead) in [
        ("enabled", "`snooze plugin enable` and `disable` switch a plugin"),
        (
            "permissions",
            "`snooze plugin approve` says what a plugin may do; the host's own file may say it here",
        ),
    ] {
        if sets.contains_key(key) {
            let text = format!("{key} is no configuration: {instead}");
            return Err(Failure::new(Exit::Usage, text));
        }
    }
    Ok(())
}

/// How a configuration is changed.
#[derive(Debug, Clone, PartialEq)]
enum Edit {
    /// These keys.
    Keys {
        set: Vec<(String, Value)>,
        unset: Vec<String>,
    },
    /// All of it.
    Instead(Map<String, Value>),
}

impl Edit {
    /// The keys that are set by it.
    fn sets(&self) -> Map<String, Value> {
        match self {
            Self::Instead(config) => config.clone(),
            Self::Keys { set, .. } => set.iter().cloned().collect(),
        }
    }

    /// Those of the held keys that are gone afterwards.
    fn unsets(&self, held: Map<String, Value>) -> Vec<String> {
        let keys: Vec<String> = held.keys().cloned().collect();
        let left = self.of(Some(held)).unwrap_or_default();
        keys.into_iter().filter(|key| !left.contains_key(key)).collect()
    }

    /// The configuration afterwards; none where nothing is left.
    fn of(&self, held: Option<Map<String, Value>>) -> Option<Map<String, Value>> {
        let config = match self {
            Self::Instead(config) => config.clone(),
            Self::Keys { set, unset } => {
                let mut config = held.unwrap_or_default();
                for key in unset {
                    config.remove(key);
                }
                config.extend(set.iter().cloned());
                config
            }
        };
        (!config.is_empty()).then_some(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn keys_are_set_and_unset_beside_others_and_a_file_takes_the_place_of_all() {
        let held = || Some(map(json!({"a": 1, "b": 2})));
        let keys = Edit::Keys {
            set: vec![("c".to_owned(), json!(3)), ("a".to_owned(), json!(0))],
            unset: vec!["b".to_owned(), "not there".to_owned()],
        };
        assert_eq!(keys.of(held()), Some(map(json!({"a": 0, "c": 3}))));
        assert_eq!(
            Edit::Instead(map(json!({"d": 4}))).of(held()),
            Some(map(json!({"d": 4})))
        );
    }

    #[test]
    fn what_would_have_no_effect_is_refused_with_what_has() {
        for key in ["enabled", "permissions"] {
            let refused = refuse_own(&map(json!({"a": 1, key: false}))).expect_err("it has no effect");
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.line.contains("snooze plugin"), "{}", refused.line);
        }
        assert!(refuse_own(&map(json!({"runtime": "fleet"}))).is_ok());
    }

    #[test]
    fn a_configuration_that_sets_nothing_is_none() {
        let unset = Edit::Keys {
            set: Vec::new(),
            unset: vec!["a".to_owned()],
        };
        assert_eq!(unset.of(Some(map(json!({"a": 1})))), None);
        assert_eq!(unset.unsets(map(json!({"a": 1, "b": 2}))), ["a"]);
        let instead = Edit::Instead(map(json!({"b": 3})));
        assert_eq!(instead.unsets(map(json!({"a": 1, "b": 2}))), ["a"]);
        assert_eq!(Edit::Instead(Map::new()).of(Some(map(json!({"a": 1})))), None);
    }
}
