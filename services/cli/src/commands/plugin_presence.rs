//! What a person should know of the plugin that is being switched: where nobody vouches for it, and where nobody has
//! it. Neither is a reason not to: one may be approved later, and another is still to come.

use super::{
    plugin_hosts::{Said, all_of, ask_about, names},
    plugin_layer::Layer,
    plugin_validation::hosts,
};
use crate::{print, session::Session};
use snooze_schemas::{HostId, PluginName};

/// Says what should be known before it is switched on.
pub(super) async fn warn_before_enabling(session: &Session, layer: &Layer, plugin: &PluginName) {
    let said = asked(session, layer, plugin).await;
    let unvouched: Vec<&HostId> = said
        .iter()
        .filter_map(|(host, said)| match said {
            Said::Has(status) => {
                let rights = status.rights.as_ref()?;
                rights.granted_by.is_none().then_some(host)
            }
            Said::Nothing | Said::Away => None,
        })
        .collect();
    if !unvouched.is_empty() {
        print::talk(&format!(
            "nobody vouches for {plugin} on {}: it runs there and may do nothing but compute; look at it with `snooze \
             plugin info {plugin}` and approve it with `snooze plugin approve {plugin}`",
            names(unvouched)
        ));
    }
    let meaning = "it is asked for on the bus, and its vote is unknown for as long as nobody answers, which keeps a \
                   host awake";
    warn_of_absent(session, &said, plugin, meaning).await;
}

/// Says what should be known before it is switched off.
pub(super) async fn warn_before_disabling(session: &Session, layer: &Layer, plugin: &PluginName) {
    let said = asked(session, layer, plugin).await;
    warn_of_absent(session, &said, plugin, "it is switched off for when it comes").await;
}

async fn asked(session: &Session, layer: &Layer, plugin: &PluginName) -> Vec<(HostId, Said)> {
    // Whoever cannot be asked about is warned of by the host's own list.
    match hosts(session, layer.whose()).await {
        Ok(hosts) => ask_about(session, hosts, plugin).await,
        Err(_) => Vec::new(),
    }
}

/// Says that none of those that answered has it, and what one of them has.
async fn warn_of_absent(session: &Session, said: &[(HostId, Said)], plugin: &PluginName, meaning: &str) {
    if said.iter().any(|(_, said)| matches!(said, Said::Has(_))) {
        return;
    }
    let without: Vec<&HostId> = said
        .iter()
        .filter_map(|(host, said)| matches!(said, Said::Nothing).then_some(host))
        .collect();
    let Some(first) = without.first() else {
        return;
    };
    let there = match all_of(session, first).await.as_slice() {
        [] => format!("{first} has none at all"),
        plugins => format!("{first} has {}", plugins.join(", ")),
    };
    print::talk(&format!(
        "there is no plugin {plugin} on {}, so {meaning}; {there}",
        names(without)
    ));
}
