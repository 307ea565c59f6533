//! What is left of a plugin where its package was taken away, and what comes of that. Pure.
//!
//! A level that has it enabled, or configured to run by itself, has its hosts look for it on the bus: while nobody
//! answers there its vote is unknown, and nothing is decided about them. So each is told, with what clears it.

use super::plugin_layer::Layer;
use crate::view::text;
use snooze_schemas::{GroupName, HostId, PluginName, policy::PluginLayer};

/// So many levels are told of each kind; of more a person learns their number.
const TOLD: usize = 10;

/// The key of a configuration that says that a plugin runs by itself.
const RUNTIME: &str = "runtime";

/// What all levels say of a plugin that hold on the hosts where it was uninstalled.
pub(super) struct Leftovers<'a> {
    pub(super) plugin: &'a PluginName,
    /// The level at which it was.
    pub(super) layer: &'a Layer,
    /// What that says of it now.
    pub(super) own: &'a PluginLayer,
    /// What the others say, the narrower before the wider.
    pub(super) others: &'a [(Layer, PluginLayer)],
    /// Those whose policy has to hear it.
    pub(super) requiring: &'a [Layer],
}

impl Leftovers<'_> {
    /// What a person has to know, line by line; the group is that of a host, where it is known.
    pub(super) fn told(&self, group_of: impl Fn(&HostId) -> Option<GroupName>) -> Vec<String> {
        let awaited = self.awaited(&group_of);
        let is_awaited = |layer: &Layer| awaited.iter().any(|(other, _)| *other == layer);
        let configured: Vec<&Layer> = self
            .here_and_narrower()
            .filter(|(layer, held)| held.config.is_some() && !is_awaited(layer))
            .map(|(layer, _)| layer)
            .collect();
        let mut lines = bounded(&awaited, |(layer, held)| self.awaited_line(layer, held));
        lines.extend(bounded(&configured, |layer| self.configured_line(layer)));
        lines.extend(bounded(self.requiring, |layer| self.required_line(layer)));
        let is_elsewhere = |layer: &Layer| layer != self.layer && !matches!(layer, Layer::Fleet);
        let installed = self.others.iter().filter(|(_, held)| held.installed.is_some());
        let installed = installed.map(|(layer, _)| layer);
        let mut narrower = awaited.iter().map(|(layer, _)| *layer).chain(installed);
        let all = narrower.any(is_elsewhere) || configured.iter().any(|layer| is_elsewhere(layer));
        if all && !matches!(self.layer, Layer::Host(_)) {
            lines.push(format!(
                "`{} --everywhere --config` takes away what narrower levels say of it too.",
                self.command(self.layer)
            ));
        }
        lines.iter().map(|line| text::printable(line)).collect()
    }

    /// The level at which it was uninstalled, and the narrower ones.
    fn here_and_narrower(&self) -> impl Iterator<Item = (&Layer, &PluginLayer)> {
        let others = self.others.iter().filter(|(layer, _)| match self.layer {
            Layer::Host(_) => false,
            Layer::Group(_) | Layer::Fleet => *layer != Layer::Fleet,
        });
        self.all_by(others)
    }

    fn all_by<'b>(
        &'b self,
        others: impl Iterator<Item = &'b (Layer, PluginLayer)>,
    ) -> impl Iterator<Item = (&'b Layer, &'b PluginLayer)> {
        let own = std::iter::once((self.layer, self.own));
        own.chain(others.map(|(layer, held)| (layer, held)))
    }

    /// Those by which hosts look for it that have no package of it any more.
    fn awaited(&self, group_of: &impl Fn(&HostId) -> Option<GroupName>) -> Vec<(&Layer, &PluginLayer)> {
        let all = || self.all_by(self.others.iter());
        if let Layer::Host(_) = self.layer {
            // On one host the narrowest that says anything decides, and a package of any level does.
            let is_installed = all().any(|(_, held)| held.installed.is_some());
            let deciding = all().find(|(_, held)| held.enabled.is_some());
            let deciding = deciding.or_else(|| all().find(|(_, held)| awaits(held)));
            return deciding
                .filter(|(_, held)| !is_installed && awaits(held))
                .into_iter()
                .collect();
        }
        let is_installed =
            |wanted: &Layer| all().any(|(layer, held)| layer == wanted && held.installed.is_some());
        let is_served = |layer: &Layer| {
            let group = match (layer, self.layer) {
                (Layer::Host(_), Layer::Group(group)) => Some(group.clone()),
                (Layer::Host(host), _) => group_of(host),
                (Layer::Group(_) | Layer::Fleet, _) => None,
            };
            is_installed(layer)
                || is_installed(&Layer::Fleet)
                || group.is_some_and(|group| is_installed(&Layer::Group(group)))
        };
        // What a group says goes before what the fleet does.
        let is_overruled =
            |layer: &Layer| layer != self.layer && *layer == Layer::Fleet && self.own.enabled.is_some();
        all()
            .filter(|(layer, held)| awaits(held) && !is_overruled(layer) && !is_served(layer))
            .collect()
    }

    fn awaited_line(&self, layer: &Layer, held: &PluginLayer) -> String {
        let what = match held.enabled {
            Some(true) => "enabled",
            Some(false) | None => "configured to run by itself",
        };
        format!(
            "It is still {what} {}: where none of a host's own lies in its folders, it is looked for on the bus, and \
             while nobody answers its vote is unknown, which keeps the host awake; `{} --config` takes that back.",
            layer.shown(),
            self.command(layer)
        )
    }

    fn configured_line(&self, layer: &Layer) -> String {
        format!(
            "What it is configured with {} is kept, for when it comes again; `{} --config` takes that away.",
            layer.shown(),
            self.command(layer)
        )
    }

    fn required_line(&self, layer: &Layer) -> String {
        format!(
            "The policy {} says that it has to be heard, so that a host without it stays awake; take `voters.{}` out of \
             the policy in the key {} of the bucket snooze_config.",
            layer.shown(),
            self.plugin,
            layer.key()
        )
    }

    fn command(&self, layer: &Layer) -> String {
        format!("snooze plugin uninstall {} {}", self.plugin, layer.option())
    }
}

/// Whether a level has it looked for on the bus.
fn awaits(held: &PluginLayer) -> bool {
    let runs_by_itself = || {
        let config = held.config.as_ref();
        config.is_some_and(|config| config.contains_key(RUNTIME))
    };
    held.enabled.unwrap_or_else(runs_by_itself)
}

/// A line for each of the first, and how many more there are.
fn bounded<T>(all: &[T], line: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = all.iter().take(TOLD).map(line).collect();
    if all.len() > TOLD {
        lines.push(format!("The same holds for {} more levels.", all.len() - TOLD));
    }
    lines
}

#[cfg(test)]
mod tests;
