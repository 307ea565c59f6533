//! Plugins that should be there and are not run, as far as it matters to whoever would give them an event.
//!
//! It asks nobody, and looks at no file.

use super::Plugins;
use crate::{manifest::PluginManifest, policy::PolicyInForce};
use snooze_schemas::{PluginName, plugin::permissions::Permissions};
use std::sync::Arc;

/// One that should be there and is not run.
#[derive(Debug)]
pub(crate) struct Absent {
    /// Its name.
    pub name: PluginName,
    /// Why it is not.
    pub why: String,
    /// What is stated of it, where that can be read.
    pub manifest: Option<Arc<PluginManifest>>,
    /// What it was granted, as far as that is known without it.
    pub granted: Permissions,
}

impl Plugins {
    /// All of them that are switched on.
    pub(crate) fn absent(&self, policy: &PolicyInForce) -> Vec<Absent> {
        let standing = self.standing();
        let roll = &standing.roll;
        let absent = |(name, (_, why)): (PluginName, (&str, String))| {
            let rights = roll.missed.get(&name).and_then(|missed| missed.rights.as_deref());
            let layer = policy.plugins.get(&name);
            let approved = layer.and_then(|layer| layer.approved.as_ref());
            let granted = match (rights, approved) {
                (Some(rights), _) => rights.granted.clone(),
                (None, Some(approved)) => approved.permissions.clone(),
                (None, None) => Permissions::default(),
            };
            Absent {
                manifest: roll.manifests.get(&name).cloned(),
                name,
                why,
                granted,
            }
        };
        self.missing(policy, &standing).into_iter().map(absent).collect()
    }
}
