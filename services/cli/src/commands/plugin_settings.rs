//! `snooze plugin enable`, `disable` and `configure`: what is to last is a key of the configuration.
//!
//! A change begins with the layer as it is and is written at the revision that was read, so that two people
//! who change two plugins at once lose nothing. The hosts hear of it by themselves. It never writes what a
//! host says that its plugin cannot take.

use super::{
    host::{one_host, refuse_unknown},
    json_file,
    plugin_validation::{Whose, refuse_mistakes},
};
use crate::{
    arguments::{Level, PluginConfigure, PluginSetting},
    print,
    session::{Session, of_bus},
};
use serde_json::{Map, Value};
use snooze_bus::{Bucket, WriteError, keys};
use snooze_schemas::{
    GroupName, HostId, PluginName,
    policy::{ConfigLayer, PluginLayer},
};
use snooze_service_runtime::{Exit, Failure};

/// Each attempt fails only because somebody else wrote the same key in between.
const ATTEMPTS: usize = 8;

/// Which layer is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Layer {
    Host(HostId),
    Group(GroupName),
    Fleet,
}

impl Layer {
    async fn of(session: &Session, level: Level) -> Result<Layer, Failure> {
        match (level.fleet, level.group) {
            (true, _) => Ok(Layer::Fleet),
            (false, Some(group)) => Ok(Layer::Group(group)),
            (false, None) => {
                let host = one_host(session, level.host).await?;
                refuse_unknown(session, &host).await?;
                Ok(Layer::Host(host))
            }
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Host(host) => keys::host_key(host),
            Self::Group(group) => keys::group_key(group),
            Self::Fleet => keys::FLEET.to_owned(),
        }
    }

    fn whose(&self) -> Whose<'_> {
        match self {
            Self::Host(host) => Whose::Host(host),
            Self::Group(group) => Whose::Group(group),
            Self::Fleet => Whose::Fleet,
        }
    }

    /// For whom, in a sentence.
    fn shown(&self) -> String {
        match self {
            Self::Host(host) => format!("on the host {host}"),
            Self::Group(group) => format!("on every host of the group {group}"),
            Self::Fleet => "on every host".to_owned(),
        }
    }
}

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
    change(session, &layer, &arguments.plugin, |plugin| {
        plugin.enabled = Some(enabled);
    })
    .await?;
    let done = if enabled { "enabled" } else { "disabled" };
    print::lines([format!("{} is {done} {}.", arguments.plugin, layer.shown())])
}

/// Shows or changes what a plugin is configured with.
pub(super) async fn configure(session: &Session, arguments: PluginConfigure) -> Result<(), Failure> {
    let layer = Layer::of(session, arguments.level).await?;
    let plugin = &arguments.plugin;
    let edit = match &arguments.file {
        Some(file) => Some(Edit::Instead(json_file::read(file, "a JSON object")?)),
        None if arguments.settings.is_empty() && arguments.unset.is_empty() => None,
        None => Some(Edit::Keys {
            set: arguments.settings,
            unset: arguments.unset,
        }),
    };
    let held = match edit {
        Some(edit) => {
            refuse_mistakes(session, layer.whose(), plugin, &edit.sets()).await?;
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
    if arguments.output.json {
        return print::json(&config);
    }
    let mut lines = vec![format!("{plugin} {}:", layer.shown())];
    lines.extend(config.iter().map(|(key, value)| format!("  {key} = {value}")));
    if config.is_empty() {
        lines.push("  nothing is set here".to_owned());
    }
    print::lines(lines)
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

/// Changes what a layer says of a plugin, and returns what it says then.
async fn change(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
    edit: impl Fn(&mut PluginLayer),
) -> Result<PluginLayer, Failure> {
    let (key, bucket) = (layer.key(), session.bus.bucket(Bucket::Config));
    for _ in 0..ATTEMPTS {
        let (mut held, revision) = look(session, layer).await?;
        let mut wanted = held.plugins.get(plugin.as_str()).cloned().unwrap_or_default();
        edit(&mut wanted);
        if held.plugins.get(plugin.as_str()) == Some(&wanted) {
            return Ok(wanted);
        }
        if wanted == PluginLayer::default() {
            held.plugins.remove(plugin.as_str());
        } else {
            held.plugins.insert(plugin.to_string(), wanted.clone());
        }
        match bucket.update(&key, &held, revision).await {
            Ok(_) => return Ok(wanted),
            // Somebody else wrote it, or our own write came to be although nothing said so: the next look tells.
            Err(WriteError::Conflict { .. } | WriteError::Ambiguous { .. }) => {}
            Err(WriteError::NotSent(error)) => return Err(of_bus(&error)),
            Err(error @ WriteError::Refused { .. }) => {
                return Err(Failure::from_error(Exit::Refused, &error));
            }
        }
    }
    let text = format!("the configuration key {key} was changed by others each time; nothing was written");
    Err(Failure::new(Exit::Failed, text))
}

/// A layer as it is, and the revision that the next write has to name.
async fn look(session: &Session, layer: &Layer) -> Result<(ConfigLayer, u64), Failure> {
    let bucket = session.bus.bucket(Bucket::Config);
    let look = bucket
        .look::<ConfigLayer>(&layer.key())
        .await
        .map_err(|error| of_bus(&error))?;
    Ok((
        look.entry.map(|entry| entry.value).unwrap_or_default(),
        look.revision,
    ))
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
    fn a_configuration_that_sets_nothing_is_none() {
        let unset = Edit::Keys {
            set: Vec::new(),
            unset: vec!["a".to_owned()],
        };
        assert_eq!(unset.of(Some(map(json!({"a": 1})))), None);
        assert_eq!(Edit::Instead(Map::new()).of(Some(map(json!({"a": 1})))), None);
    }
}
