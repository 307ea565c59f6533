//! `snooze plugin approve --revoke`: takes back what one layer approves, and says by what else a plugin still may do
//! something on the same hosts.

use super::{
    plugin_approval::approved,
    plugin_elsewhere::{elsewhere, still_approved},
    plugin_hosts::{Said, ask_about, names},
    plugin_layer::{Layer, change_if, look},
    plugin_validation::hosts,
};
use crate::{print, session::Session, view::text};
use snooze_schemas::{HostId, PluginName, plugin::approval::Grantor, policy::PluginLayer};
use snooze_service_runtime::{Exit, Failure};

/// So many places are told where something could be taken back instead.
const TOLD: usize = 5;

/// Takes an approval back.
pub(super) async fn revoke(session: &Session, layer: &Layer, plugin: &PluginName) -> Result<(), Failure> {
    if approved(look(session, layer).await?.0.plugins.get(plugin.as_str())).is_none() {
        // Where nobody can say, what is known is still told.
        let others = elsewhere(session, layer, plugin).await.unwrap_or_default().said;
        return Err(Failure::new(Exit::Refused, nothing_here(plugin, layer, &others)));
    }
    change_if(session, layer, plugin, |held| {
        held.approved = None;
        Ok(())
    })
    .await?;
    let others = elsewhere(session, layer, plugin).await.map(|found| found.said);
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

/// That there is nothing to take back here, and where there is.
fn nothing_here(plugin: &PluginName, layer: &Layer, others: &[(Layer, PluginLayer)]) -> String {
    let held = others.iter().filter_map(|(layer, held)| {
        let approval = held.approved.as_ref()?;
        Some(format!(
            "it is approved {} by {}, which `snooze plugin approve {plugin} --revoke {}` takes back",
            layer.shown(),
            approval.by,
            layer.option()
        ))
    });
    let nothing = format!("nothing is approved for {plugin} {}", layer.shown());
    let told: Vec<String> = std::iter::once(nothing).chain(held.take(TOLD)).collect();
    text::printable(&told.join("; "))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn where_nothing_is_to_be_taken_back_it_is_said_where_there_is() {
        let held: PluginLayer = serde_json::from_value(json!({"approved": {
            "by": "ada", "at": "2026-01-02T03:04:05Z", "entry_sha256": "a",
        }}))
        .expect("a layer");
        let plugin = "redis".parse().expect("a name");
        let host = Layer::Host("web".parse().expect("a host id"));
        let group = Layer::Group("db".parse().expect("a group"));
        let told = nothing_here(
            &plugin,
            &host,
            &[(group, PluginLayer::default()), (Layer::Fleet, held)],
        );
        assert_eq!(
            told,
            "nothing is approved for redis on the host web; it is approved on every host by ada, which `snooze plugin \
             approve redis --revoke --fleet` takes back"
        );
        let none = nothing_here(&plugin, &host, &[]);
        assert_eq!(none, "nothing is approved for redis on the host web");
    }
}
