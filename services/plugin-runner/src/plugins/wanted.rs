//! Which plugins are to run, and which are to be asked on the bus.
//!
//! **Invariant:** nothing runs that depends on what is not there, is switched off or is not run itself, whatever it is
//! that came between; and nothing runs on by what was taken back, whether or not a disk answers.

use super::{Hosted, Plugins, Roll, Standing};
use crate::{config::RUNTIME, nats_plugin::Reach, policy::PolicyInForce, stdio::Wanted};
use serde_json::Value;
use snooze_schemas::{PluginName, policy::PluginLayer};
use std::collections::BTreeSet;

impl Plugins {
    pub(super) fn wanted(&self, policy: &PolicyInForce, standing: &Standing, name: &PluginName) -> Wanted {
        if !self.is_enabled(policy, name) {
            return Wanted::Disabled;
        }
        if let Some(why) = policy.lost() {
            return Wanted::Held(format!(
                "it is not known which policy holds until the bus gives one: {why}"
            ));
        }
        let revoked = standing.roll.hosted.get(name);
        let revoked = revoked.and_then(|hosted| revoked_of(policy, hosted));
        match revoked.or_else(|| self.lacks(policy, standing, name)) {
            None => Wanted::Running,
            Some(why) => Wanted::Held(why),
        }
    }

    /// What it depends on and cannot rely upon, itself or by what that depends on in turn. Each is looked at once: the
    /// manifests of those that were passed over are known too, and may depend on one another.
    fn lacks(&self, policy: &PolicyInForce, standing: &Standing, name: &PluginName) -> Option<String> {
        let needs = |name: &PluginName| {
            let manifest = standing.roll.manifests.get(name);
            let needed = manifest
                .into_iter()
                .flat_map(|manifest| &manifest.stated().dependencies);
            needed.map(|dependency| &dependency.name)
        };
        let mut seen = BTreeSet::new();
        let mut ahead: Vec<&PluginName> = needs(name).collect();
        while let Some(needed) = ahead.pop() {
            if !seen.insert(needed) {
                continue;
            }
            if let Some(why) = self.unreliable(policy, standing, needed) {
                return Some(format!("it depends on {needed}, which {why}"));
            }
            ahead.extend(needs(needed));
        }
        None
    }

    /// Why nobody can rely upon it, if nobody can.
    fn unreliable(&self, policy: &PolicyInForce, standing: &Standing, name: &PluginName) -> Option<String> {
        if !self.is_enabled(policy, name) {
            return Some("is switched off".to_owned());
        }
        if let Some(hosted) = standing.roll.hosted.get(name) {
            let told = |why: String| format!("is not run: {why}");
            let quarantined = || {
                let is_so = hosted.process.is_quarantined();
                is_so.then(|| "it has crashed again and again, and is quarantined".to_owned())
            };
            return hosted.process.unfit().or_else(quarantined).map(told);
        }
        if let Some(missed) = standing.roll.missed.get(name) {
            return Some(format!("is not run: {}", missed.why));
        }
        let is_there = standing.on_bus.contains_key(name);
        (!is_there).then(|| "this host does not have".to_owned())
    }

    /// Those on the bus: named in the host's own file, or enabled or said to run there by a layer, and no process here. One that is missed
    /// as a process does not become one on the bus by being switched on.
    pub(super) fn wanted_on_bus(&self, policy: &PolicyInForce, roll: &Roll) -> BTreeSet<PluginName> {
        let by_layer = policy.plugins.iter().filter(|(name, layer)| {
            layer.enabled == Some(true) || (self.runs_on_bus(name, layer) && self.is_enabled(policy, name))
        });
        let by_layer = by_layer.map(|(name, _)| name);
        let named = self.own.on_bus.iter().chain(&roll.on_bus);
        let named = named.filter(|name| self.is_enabled(policy, name));
        let is_free =
            |name: &&PluginName| !roll.hosted.contains_key(*name) && !roll.missed.contains_key(*name);
        named.chain(by_layer).filter(is_free).cloned().collect()
    }

    /// Whether a layer says that it runs by itself. Where what it says of that is refused, and nothing was accepted
    /// before, somebody is missed all the same.
    fn runs_on_bus(&self, name: &PluginName, layer: &PluginLayer) -> bool {
        let is_said = layer
            .config
            .as_ref()
            .is_some_and(|config| config.contains_key(RUNTIME));
        let is_refused = || self.configs.handed(name).config.is_none();
        match self.configs.of(name).get(RUNTIME).and_then(Value::as_str) {
            Some(runtime) => is_said && [Reach::Host.as_str(), Reach::Fleet.as_str()].contains(&runtime),
            None => is_said && is_refused(),
        }
    }
}

/// Why it may not run on by what an administrator says of it now, whatever lies on the disk. What it may run as instead
/// is said by the next look.
fn revoked_of(policy: &PolicyInForce, hosted: &Hosted) -> Option<String> {
    let (process, layer) = (&hosted.process, policy.plugins.get(&hosted.process.name()));
    let approved = layer.and_then(|layer| layer.approved.as_ref());
    let withdrawn = process.grant().withdrawn(approved);
    let installed = layer.and_then(|layer| layer.installed.as_ref());
    let is_another = || {
        let package = process.package().filter(|package| Some(*package) != installed)?;
        let version = &package.version;
        Some(format!(
            "it was started from its package of version {version}, which is not the one that is installed now"
        ))
    };
    let why = withdrawn.or_else(is_another)?;
    Some(format!(
        "it is ended: {why}; whether it runs again is seen when its files are looked at"
    ))
}
