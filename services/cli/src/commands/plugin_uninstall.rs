//! `snooze plugin uninstall`: takes back that hosts are to have a package, and what was approved for it.
//!
//! The package stays in the store unless it is asked for; and it stays where another layer still names it, or where
//! nobody can say so. What other layers say of the plugin is taken away where that is asked for, and else told: a host
//! that looks for what is not there any more stays awake.

use super::{
    plugin_elsewhere::{Elsewhere, elsewhere, requires, still_approved, still_installed},
    plugin_install::of_store,
    plugin_layer::{Layer, change, look},
    plugin_leftovers::Leftovers,
    plugin_validation::AT_ONCE,
};
use crate::{arguments::PluginUninstall, print, session::Session};
use futures_util::{StreamExt, stream};
use snooze_schemas::{
    HostId, PluginName,
    policy::{ConfigLayer, PluginLayer},
};
use snooze_service_runtime::{Exit, Failure};
use std::collections::BTreeSet;

/// What becomes of what it is configured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settings {
    Kept,
    TakenAway,
}

/// Takes a plugin away.
pub(super) async fn uninstall(session: &Session, arguments: PluginUninstall) -> Result<(), Failure> {
    let plugin = &arguments.plugin;
    let layer = Layer::of(session, arguments.level).await?;
    let settings = match arguments.config {
        true => Settings::TakenAway,
        false => Settings::Kept,
    };
    let held = look(session, &layer).await?.0.plugins.remove(plugin.as_str());
    let held = held.unwrap_or_default();
    let narrower = match arguments.everywhere {
        true => narrower(session, &layer, plugin, settings).await?,
        false => Vec::new(),
    };
    // What is left over of one that was installed at another level is taken away with its configuration.
    let is_left_over = settings == Settings::TakenAway && held != PluginLayer::default();
    let is_here =
        held.installed.is_some() || is_left_over || take(&held, settings) != held && arguments.everywhere;
    if !is_here && narrower.is_empty() {
        return Err(nothing_here(session, &layer, plugin, &held).await);
    }
    change(session, &layer, plugin, |held| *held = take(held, settings)).await?;
    for (layer, _) in &narrower {
        change(session, layer, plugin, |held| *held = take(held, settings)).await?;
    }
    let others = match elsewhere(session, &layer, plugin).await {
        Ok(others) => Some(others),
        Err(failure) => {
            print::talk(&format!(
                "nobody can say whether another level has {plugin} installed or enabled there: {}",
                failure.line
            ));
            None
        }
    };
    let taken = match (held.installed.is_some(), is_here) {
        (true, _) => uninstalled(&layer, plugin, others.as_ref()),
        (false, true) => vec![unset(&layer, plugin)],
        (false, false) => Vec::new(),
    };
    let of_narrower = narrower.iter().map(|(layer, before)| match before.installed {
        Some(_) => taken_back(layer, plugin),
        None => unset(layer, plugin),
    });
    print::lines(taken.into_iter().chain(of_narrower))?;
    leftovers(session, &layer, plugin, others.unwrap_or_default()).await?;
    if !arguments.package {
        return Ok(());
    }
    let before = narrower.iter().map(|(_, before)| before);
    let packages = std::iter::once(&held)
        .chain(before)
        .filter_map(|held| held.installed.as_ref());
    let packages: BTreeSet<&str> = packages.map(|installed| installed.sha256.as_str()).collect();
    for sha256 in packages {
        delete(session, sha256).await?;
    }
    Ok(())
}

/// What a level says of it afterwards.
fn take(held: &PluginLayer, settings: Settings) -> PluginLayer {
    let config = held.config.clone();
    PluginLayer {
        installed: None,
        approved: None,
        // That it was switched on was for this package, and would have it looked for on the bus. That it was switched
        // off holds for one that lies there otherwise, too.
        enabled: held.enabled.filter(|enabled| !enabled),
        config: config.filter(|_| settings == Settings::Kept),
    }
}

/// The narrower levels that say something of it that is to be taken away, and what.
async fn narrower(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
    settings: Settings,
) -> Result<Vec<(Layer, PluginLayer)>, Failure> {
    let unknown = |why: &str| {
        let text =
            format!("nothing was changed, because nobody can say what other levels say of {plugin}: {why}");
        Failure::new(Exit::Failed, text)
    };
    let others = elsewhere(session, layer, plugin).await;
    let others = others.map_err(|failure| match failure.exit {
        Exit::Refused => failure,
        _ => unknown(&failure.line),
    })?;
    if !session.roll().await?.is_whole {
        return Err(unknown("there are more hosts than the executors named"));
    }
    let others = others.said.into_iter();
    Ok(others
        .filter(|(other, held)| *other != Layer::Fleet && take(held, settings) != *held)
        .collect())
}

/// That there is nothing to take away here, and where there is.
async fn nothing_here(session: &Session, layer: &Layer, plugin: &PluginName, held: &PluginLayer) -> Failure {
    let mut told = format!("{plugin} is not installed {}", layer.shown());
    // Where nobody can say, that is no reason to say nothing.
    let others = elsewhere(session, layer, plugin).await.unwrap_or_default().said;
    let installed: Vec<String> = others
        .iter()
        .filter(|(_, held)| held.installed.is_some())
        .map(|(layer, _)| layer.option())
        .take(TOLD)
        .collect();
    if !installed.is_empty() {
        told.push_str(&format!("; it is with {}", installed.join(", ")));
    }
    told.push_str(&match held == &PluginLayer::default() {
        false => format!(
            "; what is set for it here, `snooze plugin uninstall {plugin} {} --config` takes away",
            layer.option()
        ),
        true => format!(
            "; where one lies in a host's own folders, `snooze plugin disable {plugin} {}` switches it off",
            layer.option()
        ),
    });
    Failure::new(Exit::Refused, told)
}

/// So many levels are named.
const TOLD: usize = 10;

/// Deletes a package from the store, where nobody has it installed.
async fn delete(session: &Session, sha256: &str) -> Result<(), Failure> {
    let naming = naming(session, sha256).await?;
    if let Some(layer) = naming.first() {
        print::talk(&format!(
            "its package stays: it is still installed {}",
            layer.shown()
        ));
        return Ok(());
    }
    let deleted = session.bus.artifacts().delete(sha256).await;
    deleted.map_err(|error| of_store(&error))?;
    print::lines(["Its package is deleted."])
}

/// What is taken back, and what still holds there.
fn uninstalled(layer: &Layer, plugin: &PluginName, others: Option<&Elsewhere>) -> Vec<String> {
    let Some(Elsewhere { said, .. }) = others else {
        return vec![taken_back(layer, plugin)];
    };
    let installed = still_installed(layer, said);
    let first = match installed.is_empty() {
        true => format!("{plugin} is uninstalled {}.", layer.shown()),
        false => taken_back(layer, plugin),
    };
    let approved = still_approved(layer, said);
    [first].into_iter().chain(installed).chain(approved).collect()
}

/// Says what is left of it, and what comes of that.
async fn leftovers(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
    others: Elsewhere,
) -> Result<(), Failure> {
    let mut own = look(session, layer).await?.0;
    let here = requires(&own, plugin).then(|| layer.clone());
    let requiring: Vec<Layer> = here.into_iter().chain(others.requiring).collect();
    let leftovers = Leftovers {
        plugin,
        layer,
        own: &own.plugins.remove(plugin.as_str()).unwrap_or_default(),
        others: &others.said,
        requiring: &requiring,
    };
    // Only executors know who is in which group; on one host it does not matter.
    let roll = match layer {
        Layer::Host(_) => None,
        Layer::Group(_) | Layer::Fleet => session.roll().await.ok(),
    };
    let group_of = |host: &HostId| {
        let known = roll?.hosts.iter().find(|known| known.host == *host)?;
        known.group.parse().ok()
    };
    print::lines(leftovers.told(group_of))
}

fn taken_back(layer: &Layer, plugin: &PluginName) -> String {
    format!("The installation of {plugin} {} is taken back.", layer.shown())
}

fn unset(layer: &Layer, plugin: &PluginName) -> String {
    format!("What was set for {plugin} {} is taken away.", layer.shown())
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
