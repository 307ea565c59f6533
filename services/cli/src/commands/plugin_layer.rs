//! What a layer of the configuration says of a plugin: for one host, a group or the fleet.
//!
//! A change begins with the layer as it is and is written at the revision that was read, so that two people
//! who change two plugins at once lose nothing.

use super::{
    host::{one_host, refuse_unknown},
    plugin_validation::Whose,
};
use crate::{
    arguments::Level,
    print,
    session::{Session, of_bus},
};
use snooze_bus::{Bucket, WriteError, keys};
use snooze_schemas::{
    GroupName, HostId, PluginName,
    policy::{ConfigLayer, PluginLayer},
};
use snooze_service_runtime::{Exit, Failure};
use std::collections::BTreeSet;

/// Each attempt fails only because somebody else wrote the same key in between.
const ATTEMPTS: usize = 8;

/// Which layer is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layer {
    Host(HostId),
    Group(GroupName),
    Fleet,
}

impl Layer {
    pub(super) async fn of(session: &Session, level: Level) -> Result<Layer, Failure> {
        match (level.fleet, level.group) {
            (true, _) => Ok(Layer::Fleet),
            (false, Some(group)) => {
                warn_of_empty(session, &group).await;
                Ok(Layer::Group(group))
            }
            (false, None) => {
                let host = one_host(session, level.host).await?;
                refuse_unknown(session, &host).await?;
                Ok(Layer::Host(host))
            }
        }
    }

    pub(super) fn key(&self) -> String {
        match self {
            Self::Host(host) => keys::host_key(host),
            Self::Group(group) => keys::group_key(group),
            Self::Fleet => keys::FLEET.to_owned(),
        }
    }

    pub(super) fn whose(&self) -> Whose<'_> {
        match self {
            Self::Host(host) => Whose::Host(host),
            Self::Group(group) => Whose::Group(group),
            Self::Fleet => Whose::Fleet,
        }
    }

    /// What names it to a command.
    pub(super) fn option(&self) -> String {
        match self {
            Self::Host(host) => format!("--host {host}"),
            Self::Group(group) => format!("--group {group}"),
            Self::Fleet => "--fleet".to_owned(),
        }
    }

    /// For whom, in a sentence.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Host(host) => format!("on the host {host}"),
            Self::Group(group) => format!("on every host of the group {group}"),
            Self::Fleet => "on every host".to_owned(),
        }
    }
}

/// Says that no host is in a group, and which groups there are. A group may be told of before its first host comes.
async fn warn_of_empty(session: &Session, group: &GroupName) {
    // Only executors know who is in which group; what they do not say is not told.
    let Ok(roll) = session.roll().await else {
        return;
    };
    let groups: BTreeSet<&str> = roll.enrolled().map(|known| known.group.as_str()).collect();
    if groups.contains(group.as_str()) || !roll.is_whole {
        return;
    }
    let groups: Vec<&str> = groups.into_iter().collect();
    let there = match groups.as_slice() {
        [] => "no host is enrolled at all".to_owned(),
        groups => format!("the hosts are in {}", groups.join(", ")),
    };
    print::talk(&format!(
        "no host is in the group {group}, so it holds for nobody until one comes; {there}"
    ));
}

/// Changes what a layer says of a plugin, and returns what it says then.
pub(super) async fn change(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
    edit: impl Fn(&mut PluginLayer),
) -> Result<PluginLayer, Failure> {
    let edit = |held: &mut PluginLayer| {
        edit(held);
        Ok(())
    };
    change_if(session, layer, plugin, edit).await
}

/// As [`change`], where what the layer says by then may be no longer what the change was for.
pub(super) async fn change_if(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
    edit: impl Fn(&mut PluginLayer) -> Result<(), Failure>,
) -> Result<PluginLayer, Failure> {
    let (key, bucket) = (layer.key(), session.bus.bucket(Bucket::Config));
    for _ in 0..ATTEMPTS {
        let (mut held, revision) = look(session, layer).await?;
        let mut wanted = held.plugins.get(plugin.as_str()).cloned().unwrap_or_default();
        edit(&mut wanted)?;
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
pub(super) async fn look(session: &Session, layer: &Layer) -> Result<(ConfigLayer, u64), Failure> {
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
