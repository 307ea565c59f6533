//! `snooze plugin list` and `snooze plugin info`: asked of the hosts' runners.

use super::{
    plugin_counts,
    plugin_description::described,
    plugin_reach::{Reach, ask_many, ask_one, beside_hosts, by_host},
};
use crate::{
    arguments::{PluginInfo, PluginList},
    print,
    session::Session,
    view::{plugin_files, text},
};
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    PluginName,
    host::{self, ListPlugins, PluginStatus},
    plugin::approval::{Grantor, Rights},
};
use snooze_service_runtime::{Exit, Failure};

/// What is asked for either.
const VERB: RunnerVerb = RunnerVerb::Plugins;

const COLUMNS: [&str; 9] = {
    let [calls, errors, time_outs] = plugin_counts::TITLES;
    [
        "NAME", "VERSION", "RUNTIME", "STATE", "VOTE", calls, errors, time_outs, "RIGHTS",
    ]
};

/// Lists plugins.
pub(super) async fn list(session: &Session, arguments: PluginList) -> Result<(), Failure> {
    let question = ListPlugins { plugin: None };
    let hosts = match Reach::of(session, arguments.level).await? {
        Reach::One(host) => {
            let found = ask_one(session, host, VERB, &question).await?;
            return match arguments.output.json {
                true => print::json::<host::PluginList>(&found),
                false => print::lines(table(&found)),
            };
        }
        Reach::Many(hosts) => hosts,
    };
    let answers = ask_many(session, hosts, VERB, &question, None).await;
    match arguments.output.json {
        true => print::json(&answers.as_json())?,
        false => print::lines(by_host(&answers, COLUMNS, rows))?,
    }
    answers.outcome("list", "")
}

/// One line for each.
pub(super) fn table(found: &host::PluginList) -> Vec<String> {
    print::table(COLUMNS, &rows(found))
}

fn rows(found: &host::PluginList) -> Vec<[String; 9]> {
    found.plugins.iter().map(row).collect()
}

fn row(plugin: &PluginStatus) -> [String; 9] {
    let [calls, errors, time_outs] = plugin_counts::of(&plugin.stats);
    let vote = plugin.vote.as_ref().map_or("-", |vote| text::state(vote.state));
    [
        text::printable(&plugin.info.name),
        text::printable(&plugin.info.version),
        runtime(plugin).to_owned(),
        text::printable(&plugin.state),
        vote.to_owned(),
        calls,
        errors,
        time_outs,
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
    let plugin = arguments.plugin;
    let question = ListPlugins {
        plugin: Some(plugin.clone()),
    };
    let hosts = match Reach::of(session, arguments.level).await? {
        Reach::One(host) => {
            let found: host::PluginList = ask_one(session, host, VERB, &question).await?;
            let Some(status) = found.plugins.first() else {
                return Err(Failure::new(Exit::Refused, nowhere(&plugin)));
            };
            return match arguments.output.json {
                true => print::json(status),
                false => print::lines(described(status)),
            };
        }
        Reach::Many(hosts) => hosts,
    };
    let answers = ask_many(session, hosts, VERB, &question, Some(&plugin)).await;
    let lines = |found: &host::PluginList| {
        let status = found.plugins.first();
        status.map_or_else(|| vec![nowhere(&plugin)], described)
    };
    match arguments.output.json {
        true => print::json(&answers.as_json())?,
        false => print::lines(beside_hosts(&answers, lines))?,
    }
    answers.outcome("info", "")
}

fn nowhere(plugin: &PluginName) -> String {
    format!("there is no plugin {plugin} on this host")
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
