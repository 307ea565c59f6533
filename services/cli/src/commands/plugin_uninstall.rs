//! `snooze plugin uninstall`: takes back that hosts are to have a package, and what was approved for it.
//!
//! The package stays in the store unless it is asked for; and it stays where another layer still names it, or where
//! nobody can say so.

use super::{
    plugin_elsewhere::{elsewhere, still_approved, still_installed},
    plugin_install::of_store,
    plugin_layer::{Layer, change, look},
    plugin_validation::AT_ONCE,
};
use crate::{arguments::PluginUninstall, print, session::Session};
use futures_util::{StreamExt, stream};
use snooze_schemas::{
    PluginName,
    policy::{ConfigLayer, PluginLayer},
};
use snooze_service_runtime::{Exit, Failure};
use std::collections::BTreeSet;

/// Takes a plugin away.
pub(super) async fn uninstall(session: &Session, arguments: PluginUninstall) -> Result<(), Failure> {
    let plugin = &arguments.plugin;
    let layer = Layer::of(session, arguments.level).await?;
    let held = look(session, &layer).await?.0.plugins.remove(plugin.as_str());
    let held = held.unwrap_or_default();
    // What is left over of one that was installed at another level is taken away with its configuration.
    let is_left_over = arguments.config && held != PluginLayer::default();
    if held.installed.is_none() && !is_left_over {
        let text = format!(
            "{plugin} is not installed {}; it may be for other hosts (--host, --group, --fleet), or lie in one of a \
             host's own folders, where `snooze plugin disable {plugin}` switches it off",
            layer.shown()
        );
        return Err(Failure::new(Exit::Refused, text));
    }
    change(session, &layer, plugin, |held| {
        (held.installed, held.approved) = (None, None);
        // That it was switched on was for this package, and would have it looked for on the bus. That it was switched
        // off holds for one that lies there otherwise, too.
        if held.enabled == Some(true) {
            held.enabled = None;
        }
        if arguments.config {
            held.config = None;
        }
    })
    .await?;
    let Some(installed) = held.installed else {
        return print::lines([format!(
            "What was set for {plugin} {} is taken away.",
            layer.shown()
        )]);
    };
    tell(session, &layer, plugin).await?;
    if !arguments.package {
        return Ok(());
    }
    let naming = naming(session, &installed.sha256).await?;
    if let Some(layer) = naming.first() {
        print::talk(&format!(
            "its package stays: it is still installed {}",
            layer.shown()
        ));
        return Ok(());
    }
    let deleted = session.bus.artifacts().delete(&installed.sha256).await;
    deleted.map_err(|error| of_store(&error))?;
    print::lines(["Its package is deleted."])
}

/// Says what is taken back, and what still holds there.
async fn tell(session: &Session, layer: &Layer, plugin: &PluginName) -> Result<(), Failure> {
    let others = match elsewhere(session, layer, plugin).await {
        Ok(others) => others,
        Err(failure) => {
            print::talk(&format!(
                "nobody can say whether another level has {plugin} installed there: {}",
                failure.line
            ));
            return print::lines([taken_back(layer, plugin)]);
        }
    };
    let installed = still_installed(layer, &others);
    let first = match installed.is_empty() {
        true => format!("{plugin} is uninstalled {}.", layer.shown()),
        false => taken_back(layer, plugin),
    };
    let approved = still_approved(layer, &others);
    print::lines([first].into_iter().chain(installed).chain(approved))
}

fn taken_back(layer: &Layer, plugin: &PluginName) -> String {
    format!("The installation of {plugin} {} is taken back.", layer.shown())
}

/// The layers that still name a package.
async fn naming(session: &Session, sha256: &str) -> Result<Vec<Layer>, Failure> {
    let kept = |why: &str| {
        let text =
            format!("its package stays, because nobody can say whether others have it installed: {why}");
        Failure::new(Exit::Failed, text)
    };
    let roll = session.roll().await.map_err(|failure| kept(&failure.line))?;
    if !roll.is_whole {
        return Err(kept("there are more hosts than the executors named"));
    }
    let groups: BTreeSet<&str> = roll.hosts.iter().map(|known| known.group.as_str()).collect();
    let groups = groups
        .into_iter()
        .filter_map(|group| group.parse().ok())
        .map(Layer::Group);
    let hosts = roll.hosts.iter().map(|known| Layer::Host(known.host.clone()));
    let layers: Vec<Layer> = [Layer::Fleet].into_iter().chain(groups).chain(hosts).collect();
    let looks = layers.into_iter().map(|layer| async move {
        let looked = look(session, &layer).await;
        looked.map(|(held, _)| (layer, held))
    });
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    let mut naming = Vec::new();
    while let Some(looked) = looks.next().await {
        let (layer, held) = looked.map_err(|failure| kept(&failure.line))?;
        if names(&held, sha256) {
            naming.push(layer);
        }
    }
    Ok(naming)
}

fn names(layer: &ConfigLayer, sha256: &str) -> bool {
    let mut installed = layer
        .plugins
        .values()
        .filter_map(|plugin| plugin.installed.as_ref());
    installed.any(|installed| installed.sha256 == sha256)
}
