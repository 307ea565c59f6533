//! What a person should know of the plugin that is being switched or configured: where nobody vouches for it, and where nobody has
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
    if let Some(line) = quarantined(&said, plugin) {
        print::talk(&line);
    }
    let meaning = "it is asked for on the bus, and its vote is unknown for as long as nobody answers, which keeps a \
                   host awake";
    warn_of_absent(session, &said, plugin, meaning).await;
}

/// Where it is in quarantine. To say again what is said already changes nothing there.
fn quarantined(said: &[(HostId, Said)], plugin: &PluginName) -> Option<String> {
    let is_so = |said: &Said| matches!(said, Said::Has(status) if status.state == "quarantined");
    let there: Vec<&HostId> = said
        .iter()
        .filter(|(_, said)| is_so(said))
        .map(|(host, _)| host)
        .collect();
    (!there.is_empty()).then(|| {
        format!(
            "{plugin} is in quarantine on {}, as it has crashed again and again; where it was enabled before, \
             `snooze plugin load {plugin}` has it tried at once",
            names(there)
        )
    })
}

/// Says what should be known before it is switched off.
pub(super) async fn warn_before_disabling(session: &Session, layer: &Layer, plugin: &PluginName) {
    let said = asked(session, layer, plugin).await;
    warn_of_absent(session, &said, plugin, "it is switched off for when it comes").await;
}

/// Says what should be known before it is configured.
pub(super) async fn warn_before_configuring(session: &Session, layer: &Layer, plugin: &PluginName) {
    let said = asked(session, layer, plugin).await;
    warn_of_absent(session, &said, plugin, "this is kept for when it comes").await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn where_it_is_in_quarantine_is_told_with_what_ends_it() {
        let has = |state: &str| {
            let status = serde_json::from_value(json!({
                "info": {"name": "redis"}, "runtime": "process", "origin": "/p", "state": state,
                "stats": {"calls": 0, "errors": 0, "time_outs": 0, "restarts": 0},
            }));
            Said::Has(Box::new(status.expect("a status")))
        };
        let host = |name: &str| name.parse::<HostId>().expect("a host id");
        let redis = "redis".parse().expect("a name");
        let said = [(host("well"), has("running")), (host("ill"), has("quarantined"))];
        let told = quarantined(&said, &redis).expect("it is told");
        assert!(
            told.contains("on ill,") && told.contains("`snooze plugin load redis`"),
            "{told}"
        );
        assert_eq!(quarantined(&said[..1], &redis), None);
    }
}
