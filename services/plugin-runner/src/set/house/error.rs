//! Why the house of the plugins cannot go on: which of its parts failed, and of which plugin.
//!
//! A plugin that fails is none of these reasons.

use snooze_bus::BusError;
use snooze_schemas::PluginName;
use tokio::task::JoinError;

/// Why the house cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The bus is closed for good.
    #[error("serve the plugin {plugin} on the bus")]
    Serve {
        /// The plugin.
        plugin: PluginName,
        /// What the bus says.
        source: BusError,
    },
    /// A plugin's supervisor ended, and nobody had asked it to.
    #[error("the plugin {0} is not supervised any more")]
    Unsupervised(PluginName),
    /// A task panicked.
    #[error("a task of a plugin failed")]
    Panicked(#[source] JoinError),
    /// The folders could not be looked through to the end.
    #[error("look through the folders of plugins")]
    Look(#[source] JoinError),
}
