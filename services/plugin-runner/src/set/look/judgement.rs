//! Whether a plugin that was found may run as it is, by what an operator says of it.
//!
//! It compares files with what was approved, and changes nothing.

use super::{Cause, Missed};
use crate::{
    discovery::Found,
    fence::Writers,
    packages::Shelf,
    policy::{PolicyInForce, PolicyOrigin},
    set::{Digests, Grant, Identity, Member, Whereabouts},
};
use serde_json::{Map, Value};
use snooze_schemas::PluginName;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// Where to look, and what an operator says of what is found.
#[derive(Debug)]
pub(crate) struct Orders {
    /// The folders, in order.
    pub folders: Vec<PathBuf>,
    /// What the host's own file says of each plugin.
    pub configs: BTreeMap<String, Map<String, Value>>,
    /// What that switches off.
    pub disabled: BTreeSet<PluginName>,
    /// The policy in force.
    pub policy: Arc<PolicyInForce>,
    /// Those that were unloaded.
    pub unloaded: BTreeSet<PluginName>,
    /// Those that somebody wants started anew.
    pub anew: BTreeSet<PluginName>,
    /// So long have the files of a plugin to rest that change again and again.
    pub rest: Duration,
    /// Digests of files.
    pub digests: Arc<Digests>,
    /// Where packages lie.
    pub shelf: Arc<Shelf>,
    /// Which plugin could ever write where.
    pub writers: Writers,
    /// Where it is said what is asked of the disk.
    pub at: Whereabouts,
}

impl Orders {
    pub(super) fn grant_of(&self, found: &Found) -> Result<Grant, String> {
        let layer = self.policy.plugins.get(&found.name);
        let approved = layer.and_then(|layer| layer.approved.as_ref());
        Grant::of(found, &self.configs, approved)
    }

    /// Whether nobody has switched it off, as far as that is known.
    pub(super) fn is_wanted(&self, name: &PluginName) -> bool {
        if self.policy.origin != PolicyOrigin::Bus {
            return true;
        }
        let layer = self.policy.plugins.get(name);
        let said = layer.and_then(|layer| layer.enabled);
        said.unwrap_or_else(|| !self.disabled.contains(name))
    }

    /// Whether it may run as it is, and as what.
    pub(super) fn judge(&self, found: Found) -> Result<Member, Missed> {
        let rights = |grant: &Grant| Some(Box::new(grant.rights(&found, |path| self.digests.of(path))));
        if self.unloaded.contains(&found.name) {
            return Err(Missed {
                why: unloaded(&found.name),
                cause: Cause::Unloaded,
                rights: rights(&self.grant_of(&found).unwrap_or_default()),
            });
        }
        let held = |why: String, cause: Cause, grant: &Grant| Missed {
            why: format!("it is not run: {why}"),
            cause,
            rights: rights(grant),
        };
        let grant = self
            .grant_of(&found)
            .map_err(|why| held(why, Cause::Held, &Grant::default()))?;
        grant
            .admit(&found)
            .map_err(|why| held(why, Cause::Held, &grant))?;
        // Before its files are compared: what changes from here on is another identity at the next look.
        let identity =
            Identity::of(&found, &grant).map_err(|unfit| held(unfit.to_string(), unfit.cause(), &grant))?;
        grant
            .compare(&found, |path| self.digests.of(path))
            .map_err(|unfit| held(unfit.to_string(), unfit.cause(), &grant))?;
        Ok(Member {
            found,
            grant,
            identity,
        })
    }

    /// One that is not run for the changes of its files.
    pub(super) fn held(&self, member: &Member, why: String) -> Missed {
        let rights = member.grant.rights(&member.found, |path| self.digests.of(path));
        Missed {
            why,
            cause: Cause::Changing,
            rights: Some(Box::new(rights)),
        }
    }
}

pub(super) fn unloaded(name: &PluginName) -> String {
    format!("it was unloaded; `snooze plugin load {name}` starts it again")
}
