//! `snooze plugin list` and `snooze plugin info`: asked of the host's runner.

use super::{
    host::{ask_of, one_host},
    plugin_description::described,
};
use crate::{
    arguments::{PluginInfo, PluginList},
    print,
    session::Session,
    view::{plugin_files, text},
};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    HostId, PluginName,
    host::{self, ListPlugins, PluginStatus},
    plugin::approval::{Grantor, Rights},
};
use snooze_service_runtime::{Exit, Failure};

/// Lists the plugins of a host.
pub(super) async fn list(session: &Session, arguments: PluginList) -> Result<(), Failure> {
    let found = ask(session, arguments.at.host, None).await?;
    if arguments.at.output.json {
        return print::json(&found);
    }
    print::lines(table(&found))
}

/// One line for each.
pub(super) fn table(found: &host::PluginList) -> Vec<String> {
    let rows: Vec<[String; 7]> = found.plugins.iter().map(row).collect();
    print::table(
        [
            "NAME",
            "VERSION",
            "RUNTIME",
            "STATE",
            "VOTE",
            "CALLS/ERRORS",
            "RIGHTS",
        ],
        &rows,
    )
}

fn row(plugin: &PluginStatus) -> [String; 7] {
    let vote = plugin.vote.as_ref().map_or("-", |vote| text::state(vote.state));
    [
        text::printable(&plugin.info.name),
        text::printable(&plugin.info.version),
        runtime(plugin).to_owned(),
        text::printable(&plugin.state),
        vote.to_owned(),
        format!(
            "{}/{}",
            plugin.stats.calls,
            plugin.stats.errors + plugin.stats.time_outs
        ),
        plugin.rights.as_ref().map_or_else(|| "-".to_owned(), vouched),
    ]
}

/// What it runs as, or would: one that is native is told before it runs.
pub(super) fn runtime(plugin: &PluginStatus) -> &str {
    match &plugin.rights {
        Some(rights) if rights.native => "native",
        _ => &plugin.runtime,
    }
}

/// Whether anybody said what it may do, whether that is all that it asks for, and whether it was spelt rightly.
fn vouched(rights: &Rights) -> String {
    let by = match &rights.granted_by {
        None => "unvouched",
        Some(Grantor::HostFile) => "of the host's file",
        Some(Grantor::Approval { .. }) => plugin_files::approved(rights),
    };
    let mut marks = vec![by];
    marks.extend((!rights.asked.beyond(&rights.granted).is_empty()).then_some("wants more"));
    marks.extend((!rights.misspelt.is_empty()).then_some("misspelt"));
    marks.join(", ")
}

/// Shows one plugin.
pub(super) async fn info(session: &Session, arguments: PluginInfo) -> Result<(), Failure> {
    let found = ask(session, arguments.at.host, Some(arguments.plugin.clone())).await?;
    let Some(plugin) = found.plugins.first() else {
        let text = format!("there is no plugin {} on this host", arguments.plugin);
        return Err(Failure::new(Exit::Refused, text));
    };
    if arguments.at.output.json {
        return print::json(plugin);
    }
    print::lines(described(plugin))
}

async fn ask(
    session: &Session,
    host: Option<HostId>,
    plugin: Option<PluginName>,
) -> Result<host::PluginList, Failure> {
    let host = one_host(session, host).await?;
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::Plugins,
    };
    ask_of(session, &host, &subject, &ListPlugins { plugin }).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rights(rights: Value) -> Rights {
        serde_json::from_value(rights).expect("rights")
    }

    #[test]
    fn what_is_native_is_told_in_the_list_before_it_runs() {
        let held: PluginStatus = serde_json::from_value(json!({
            "info": {"name": "redis"}, "runtime": "-", "origin": "/plugins/redis", "state": "held",
            "stats": {"calls": 0, "errors": 0, "time_outs": 0, "restarts": 0}, "rights": {"native": true},
        }))
        .expect("a status");
        assert_eq!(row(&held)[2], "native");
    }

    #[test]
    fn the_list_marks_who_is_unvouched_and_who_wants_more_than_it_has() {
        let by = json!({"kind": "approval", "by": "ada", "at": "2026-01-02T03:04:05Z"});
        for (said, mark) in [
            (json!({}), "unvouched"),
            (json!({"asked": {"udp": true}}), "unvouched, wants more"),
            (json!({"granted_by": {"kind": "host_file"}}), "of the host's file"),
            (
                json!({"granted_by": {"kind": "host_file"}, "asked": {"udp": true}, "misspelt": ["upd"]}),
                "of the host's file, wants more, misspelt",
            ),
            (json!({"granted_by": by}), "approved"),
            (
                json!({"granted_by": by, "approved": {"entry_sha256": "a"}, "entry_sha256": "b"}),
                "other files than approved",
            ),
            (
                json!({"granted_by": by, "asked": {"udp": true}}),
                "approved, wants more",
            ),
        ] {
            assert_eq!(vouched(&rights(said)), mark);
        }
    }
}
