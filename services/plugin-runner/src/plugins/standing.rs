//! Who there is, and under which policy: one fact, and kept as one value.
//!
//! **Invariant:** it is reached only through the one lock around all of it, and whoever works on it is handed it whole;
//! so nobody ever sees the plugins of one look with the policy of another.

use super::Roll;
use crate::{plugin::Plugin, policy::PolicyInForce};
use snooze_schemas::PluginName;
use std::{collections::BTreeMap, sync::Arc};

/// All of it.
#[derive(Debug)]
pub(super) struct Standing {
    /// Which plugins there are, as of the last look.
    pub roll: Roll,
    /// Those that are asked on the bus.
    pub on_bus: BTreeMap<PluginName, Arc<Plugin>>,
    /// Why it is not known which there are now, where the look after that one does not end.
    pub unanswered: Option<String>,
    /// Why nothing is decided about the instance, where the cloud takes it away.
    pub leaves: Option<String>,
    /// The policy that all of them are under.
    pub applied: Arc<PolicyInForce>,
}

impl Standing {
    /// Nobody is there yet.
    pub(super) fn under(policy: &Arc<PolicyInForce>) -> Standing {
        Standing {
            roll: Roll::default(),
            on_bus: BTreeMap::new(),
            unanswered: None,
            leaves: None,
            applied: policy.clone(),
        }
    }

    /// Every plugin that is wanted, the processes first.
    pub(super) fn all(&self) -> Vec<Arc<Plugin>> {
        let processes = self.roll.hosted.values().map(|hosted| hosted.plugin.clone());
        processes.chain(self.on_bus.values().cloned()).collect()
    }
}
