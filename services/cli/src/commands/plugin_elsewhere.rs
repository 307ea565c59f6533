//! What other layers say of a plugin on the same hosts: what is taken back in one of them may still hold by another.

use super::{
    host::query_one,
    plugin_layer::{Layer, look},
    plugin_validation::AT_ONCE,
};
use crate::{print, session::Session, view::text};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use snooze_schemas::{
    GroupName, PluginName,
    plugin::approval::{Approval, Installed},
    policy::{ConfigLayer, PluginLayer},
};
use snooze_service_runtime::Failure;
use std::collections::BTreeSet;

/// So many are told; of more a person learns their number.
const TOLD: usize = 10;

/// What other layers say of a plugin.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// What those say that say something, the narrower before the wider.
    pub(super) said: Vec<(Layer, PluginLayer)>,
    /// Those whose policy has to hear it.
    pub(super) requiring: Vec<Layer>,
}

/// What the other layers say of a plugin that hold on the same hosts.
pub(super) async fn elsewhere(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
) -> Result<Elsewhere, Failure> {
    let looks = around(session, layer).await?.into_iter().map(|layer| async move {
        let mut held = look(session, &layer).await?.0;
        let said = held.plugins.remove(plugin.as_str());
        Ok::<_, Failure>((layer, said, requires(&held, plugin)))
    });
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    let mut found = Elsewhere::default();
    while let Some(looked) = looks.next().await {
        let (layer, said, requires) = looked?;
        found.requiring.extend(requires.then(|| layer.clone()));
        found.said.extend(said.map(|said| (layer, said)));
    }
    Ok(found)
}

/// Whether a layer's policy has to hear a plugin, whether it is there or not.
pub(super) fn requires(layer: &ConfigLayer, plugin: &PluginName) -> bool {
    let voter = layer
        .policy
        .get("voters")
        .and_then(|voters| voters.get(plugin.as_str()));
    let role = voter.and_then(|voter| voter.get("role")).and_then(Value::as_str);
    role == Some("required")
}

/// All other layers that hold on one of its hosts.
async fn around(session: &Session, layer: &Layer) -> Result<Vec<Layer>, Failure> {
    let group_of = |group: &str| group.parse::<GroupName>().ok().map(Layer::Group);
    match layer {
        Layer::Host(host) => {
            let hosts = query_one(session, host).await?.hosts;
            let groups = hosts.iter().filter_map(|report| group_of(&report.group));
            Ok(groups.take(1).chain([Layer::Fleet]).collect())
        }
        Layer::Group(group) => {
            let hosts = session.roll().await?.enrolled();
            let hosts = hosts.filter(|known| known.group == group.as_str());
            let hosts = hosts.map(|known| Layer::Host(known.host.clone()));
            Ok(hosts.chain([Layer::Fleet]).collect())
        }
        Layer::Fleet => {
            let roll = session.roll().await?;
            let groups: BTreeSet<&str> = roll.enrolled().map(|known| known.group.as_str()).collect();
            let groups = groups.into_iter().filter_map(group_of);
            let hosts = roll.enrolled().map(|known| Layer::Host(known.host.clone()));
            Ok(hosts.chain(groups).collect())
        }
    }
}

/// Tells whoever has done something for many hosts where a narrower layer goes before. It is done, whether others can be
/// looked at or not.
pub(super) async fn tell_of_narrower(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
    told: impl FnOnce(&[(Layer, PluginLayer)]) -> Vec<String>,
) {
    // Nothing is narrower than a host.
    if matches!(layer, Layer::Host(_)) {
        return;
    }
    match elsewhere(session, layer, plugin).await {
        Ok(others) => told(&others.said).iter().for_each(|line| print::talk(line)),
        Err(failure) => print::talk(&format!(
            "whether a narrower level goes before is not known: {}",
            failure.line
        )),
    }
}

/// A line for each narrower layer by which a plugin is switched otherwise, and what changes that.
pub(super) fn switched_otherwise(
    others: &[(Layer, PluginLayer)],
    plugin: &PluginName,
    enabled: bool,
) -> Vec<String> {
    let (is, verb) = match enabled {
        true => ("disabled", "enable"),
        false => ("enabled", "disable"),
    };
    let otherwise = others
        .iter()
        .filter(|(other, held)| *other != Layer::Fleet && held.enabled == Some(!enabled));
    let otherwise: Vec<&Layer> = otherwise.map(|(other, _)| other).collect();
    let told = otherwise.iter().take(TOLD).map(|other| {
        format!(
            "{plugin} is still {is} {}, which goes before: `snooze plugin {verb} {plugin} {}` changes that",
            other.shown(),
            other.option()
        )
    });
    let mut lines: Vec<String> = told.collect();
    if let more @ 1.. = otherwise.len().saturating_sub(TOLD) {
        lines.push(format!("{plugin} is still {is} by {more} more layers"));
    }
    lines
}

/// A line for each narrower layer by which a plugin is installed, and goes before what is installed now.
pub(super) fn installed_narrower(others: &[(Layer, PluginLayer)], plugin: &PluginName) -> Vec<String> {
    let narrower = others.iter().filter(|(other, _)| *other != Layer::Fleet);
    let installed = narrower.filter_map(|(other, held)| Some((other, held.installed.as_ref()?)));
    let told = installed.take(TOLD).map(|(other, held)| {
        let line = format!(
            "version {} is installed {}, which goes before: `snooze plugin uninstall {plugin} {}` takes that away",
            held.version,
            other.shown(),
            other.option()
        );
        text::printable(&line)
    });
    told.collect()
}

/// A line for each layer by which it still holds, where there are any. On one host only the narrowest does.
pub(super) fn still<T>(
    layer: &Layer,
    others: &[(Layer, PluginLayer)],
    what: &str,
    of: impl Fn(&PluginLayer) -> Option<&T>,
    told: impl Fn(&T) -> String,
) -> Vec<String> {
    let mut held: Vec<_> = others
        .iter()
        .filter_map(|(layer, held)| Some((layer, of(held)?)))
        .collect();
    if matches!(layer, Layer::Host(_)) {
        held.truncate(1);
    }
    let mut lines: Vec<String> = held
        .iter()
        .take(TOLD)
        .map(|(layer, held)| {
            let line = format!("It is still {what} {}: {}.", layer.shown(), told(held));
            text::printable(&line)
        })
        .collect();
    if held.len() > TOLD {
        lines.push(format!(
            "It is still {what} by {} more layers.",
            held.len() - TOLD
        ));
    }
    lines
}

/// Those by which it is still approved.
pub(super) fn still_approved(layer: &Layer, others: &[(Layer, PluginLayer)]) -> Vec<String> {
    let told = |held: &Approval| format!("by {} at {:.0}", held.by, held.at);
    still(layer, others, "approved", |held| held.approved.as_ref(), told)
}

/// Those by which it is still installed.
pub(super) fn still_installed(layer: &Layer, others: &[(Layer, PluginLayer)]) -> Vec<String> {
    let told = |held: &Installed| format!("version {}", held.version);
    still(layer, others, "installed", |held| held.installed.as_ref(), told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_switches_a_plugin_for_many_is_told_of_the_narrower_layers_that_say_otherwise() {
        let plugin: PluginName = "db".parse().expect("a name");
        let host = |name: &str| Layer::Host(name.parse().expect("a host"));
        let group = Layer::Group("lab".parse().expect("a group"));
        let says = |enabled| PluginLayer {
            enabled,
            ..PluginLayer::default()
        };
        let others = [
            (host("web"), says(Some(true))),
            (host("mail"), says(None)),
            (group.clone(), says(Some(false))),
            (Layer::Fleet, says(Some(true))),
        ];
        let told = |enabled| switched_otherwise(&others, &plugin, enabled);
        assert_eq!(
            told(false),
            [
                "db is still enabled on the host web, which goes before: `snooze plugin disable db --host web` \
              changes that"
            ]
        );
        let on = told(true);
        assert!(
            on.len() == 1 && on[0].contains("`snooze plugin enable db --group lab`"),
            "{on:?}"
        );
        let has = PluginLayer {
            installed: Some(Installed {
                version: "2.0.0".to_owned(),
                sha256: "0".repeat(64),
            }),
            ..PluginLayer::default()
        };
        let narrower = installed_narrower(&[(host("web"), has), (group, says(None))], &plugin);
        assert!(
            narrower.len() == 1
                && narrower[0].contains("2.0.0 is installed on the host web, which goes before"),
            "{narrower:?}"
        );
        let many: Vec<_> = (0..13)
            .map(|number| (host(&format!("h{number}")), says(Some(true))))
            .collect();
        let told = switched_otherwise(&many, &plugin, false);
        assert_eq!(
            (told.len(), told[10].as_str()),
            (11, "db is still enabled by 3 more layers")
        );
    }
}
