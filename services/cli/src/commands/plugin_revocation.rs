//! `snooze plugin approve --revoke`: takes back what one layer approves, and says by what else a plugin still may do
//! something on the same hosts.

use super::{
    plugin_approval::approved,
    plugin_elsewhere::{elsewhere, still_approved},
    plugin_hosts::{Said, ask_about, names},
    plugin_layer::{Layer, change_if, look},
    plugin_validation::hosts,
};
use crate::{print, session::Session};
use snooze_schemas::{HostId, PluginName, plugin::approval::Grantor};
use snooze_service_runtime::{Exit, Failure};

/// Takes an approval back.
pub(super) async fn revoke(session: &Session, layer: &Layer, plugin: &PluginName) -> Result<(), Failure> {
    if approved(look(session, layer).await?.0.plugins.get(plugin.as_str())).is_none() {
        let text = format!("nothing is approved for {plugin} {}", layer.shown());
        return Err(Failure::new(Exit::Refused, text));
    }
    change_if(session, layer, plugin, |held| {
        held.approved = None;
        Ok(())
    })
    .await?;
    let others = elsewhere(session, layer, plugin).await;
    let mut still = match &others {
        Ok(others) => still_approved(layer, others),
        Err(failure) => {
            print::talk(&format!(
                "nobody can say whether another level approves {plugin} there: {}",
                failure.line
            ));
            Vec::new()
        }
    };
    let by_file = granted_by_file(session, layer, plugin).await;
    if !by_file.is_empty() {
        still.push(format!(
            "The own file of {} says what it may do there (plugin_configs.{plugin}.permissions), and goes before any approval.",
            names(&by_file)
        ));
    }
    let first = match still.is_empty() && others.is_ok() {
        true => format!("{plugin} is no longer approved {}.", layer.shown()),
        false => format!("What was approved for {plugin} {} is taken back.", layer.shown()),
    };
    print::lines([first].into_iter().chain(still))
}

/// The hosts whose own file grants it something. One that is away says nothing.
async fn granted_by_file(session: &Session, layer: &Layer, plugin: &PluginName) -> Vec<HostId> {
    let Ok(hosts) = hosts(session, layer.whose()).await else {
        return Vec::new();
    };
    let said = ask_about(session, hosts, plugin).await.into_iter();
    said.filter_map(|(host, said)| match said {
        Said::Has(status) => {
            let by = status.rights.and_then(|rights| rights.granted_by);
            (by == Some(Grantor::HostFile)).then_some(host)
        }
        Said::Nothing | Said::Away => None,
    })
    .collect()
}
