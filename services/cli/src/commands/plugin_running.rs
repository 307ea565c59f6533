//! `snooze plugin load`, `unload` and `reload`: asked of the hosts' runners. None of it outlasts a runner, and none is
//! kept for a host that is away.

use super::{
    plugin_reach::{Answers, Reach, ask_many, ask_one},
    plugins::table,
};
use crate::{
    arguments::{Level, Output, PluginLoad, PluginReload},
    print,
    session::Session,
    view::text,
};
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    Message, PluginName,
    host::{PluginList, PluginStatus},
    plugin::management::{LoadPlugin, ReloadPlugins, UnloadPlugin},
};
use snooze_service_runtime::Failure;
use std::collections::BTreeMap;

/// Looks for a plugin again and starts it.
pub(super) async fn load(session: &Session, arguments: PluginLoad) -> Result<(), Failure> {
    of_one(session, arguments, RunnerVerb::Load, |plugin| LoadPlugin {
        plugin,
    })
    .await
}

/// Ends a plugin until it is loaded.
pub(super) async fn unload(session: &Session, arguments: PluginLoad) -> Result<(), Failure> {
    of_one(session, arguments, RunnerVerb::Unload, |plugin| UnloadPlugin {
        plugin,
    })
    .await
}

async fn of_one<M: Message>(
    session: &Session,
    arguments: PluginLoad,
    verb: RunnerVerb,
    question: impl FnOnce(PluginName) -> M,
) -> Result<(), Failure> {
    let order = Order {
        verb,
        question: question(arguments.plugin.clone()),
        plugin: Some(arguments.plugin),
    };
    order.give(session, arguments.level, arguments.output).await
}

/// Looks through the folders again.
pub(super) async fn reload(session: &Session, arguments: PluginReload) -> Result<(), Failure> {
    let plugin = arguments.plugin;
    let order = Order {
        verb: RunnerVerb::Reload,
        question: ReloadPlugins {
            plugin: plugin.clone(),
        },
        plugin,
    };
    order.give(session, arguments.level, arguments.output).await
}

/// What a runner is told, and of which plugin.
struct Order<M> {
    verb: RunnerVerb,
    question: M,
    plugin: Option<PluginName>,
}

impl<M: Message> Order<M> {
    async fn give(self, session: &Session, level: Level, output: Output) -> Result<(), Failure> {
        let (verb, plugin) = (self.verb, self.plugin.as_ref());
        let hosts = match Reach::of(session, level).await? {
            Reach::One(host) => {
                let found: PluginList = ask_one(session, host, verb, &self.question).await?;
                return match output.json {
                    true => print::json(&found),
                    false => print::lines(table(&found)),
                };
            }
            Reach::Many(hosts) => hosts,
        };
        let answers = ask_many(session, hosts, verb, &self.question, plugin).await;
        match output.json {
            true => print::json(&answers.as_json())?,
            false => print::lines(states_by_host(&answers, plugin))?,
        }
        answers.outcome(verb.as_str(), "; it is not kept for them")
    }
}

/// One line for each host.
fn states_by_host(answers: &Answers<PluginList>, plugin: Option<&PluginName>) -> Vec<String> {
    let rows = answers.hosts.iter().map(|(host, said)| {
        let state = match (said.answer(), plugin) {
            (Ok(list), Some(_)) => list.plugins.first().map_or_else(String::new, state),
            (Ok(list), None) => states(list),
            (Err(why), _) => why.to_owned(),
        };
        [host.to_string(), text::printable(&state)]
    });
    print::table(["HOST", "STATE"], &rows.collect::<Vec<_>>())
}

/// How one plugin is, and why where it does not run.
fn state(plugin: &PluginStatus) -> String {
    let why = plugin
        .config_refused
        .as_ref()
        .or(plugin.stats.last_error.as_ref());
    match why {
        Some(why) if plugin.state != "running" => format!("{}: {why}", plugin.state),
        Some(_) | None => plugin.state.clone(),
    }
}

/// How many are how.
fn states(list: &PluginList) -> String {
    let mut states = BTreeMap::<&str, usize>::new();
    for plugin in &list.plugins {
        *states.entry(&plugin.state).or_default() += 1;
    }
    let states: Vec<String> = states
        .into_iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    match states.is_empty() {
        true => "it has no plugins".to_owned(),
        false => states.join(", "),
    }
}
