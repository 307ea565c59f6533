//! Who is there, or is wanted here: whoever is neither is gone.
//!
//! **Invariant:** what could not be read is not absent. Where anything of the folders could not be, or where the bus was
//! never heard, nobody is gone.

use super::{Cause, Looked, Orders};
use crate::{discovery::PassedOver, policy::PolicyOrigin};
use snooze_schemas::PluginName;
use std::collections::BTreeSet;

/// Whether all that there is was seen, and all that is wanted is known.
pub(super) fn is_all(orders: &Orders, passed_over: &[PassedOver]) -> bool {
    let is_unseen = |why: &PassedOver| match why {
        PassedOver::TooMany => true,
        PassedOver::Read { path, .. } if orders.folders.contains(path) => true,
        why => why.cause() == Cause::Unread,
    };
    orders.policy.origin == PolicyOrigin::Bus
        && !orders.folders.is_empty()
        && !passed_over.iter().any(is_unseen)
}

/// All that were found, run or not; all that are missed; and whoever an operator names without saying that it is off.
pub(super) fn named(orders: &Orders, looked: &Looked) -> BTreeSet<PluginName> {
    let layers = orders.policy.plugins.iter();
    let wanted = layers.filter(|(_, layer)| layer.installed.is_some() || layer.enabled == Some(true));
    let configured = orders.configs.keys();
    let configured = configured.filter_map(|name| crate::discovery::sanitised(name));
    let seen = looked.members.keys().chain(&looked.on_bus);
    seen.chain(looked.missed.keys())
        .chain(looked.manifests.keys())
        .chain(wanted.map(|(name, _)| name))
        .cloned()
        .chain(configured)
        .collect()
}
