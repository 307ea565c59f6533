//! What hosts say of one plugin, asked of all that a command is about, at once.
//!
//! A host that is away says nothing, and that is told: silence is no word about its plugins.

use super::plugin_validation::AT_ONCE;
use crate::{session::Session, view::text};
use futures_util::{StreamExt, stream};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, HostId, PluginName,
    host::{ListPlugins, PluginList, PluginStatus},
};
use std::time::Duration;

/// A runner that is on answers within milliseconds; it may ask a plugin on the bus first who that is.
const WITHIN: Duration = Duration::from_secs(5);

/// What a host said.
#[derive(Debug)]
pub(super) enum Said {
    /// It has it.
    Has(Box<PluginStatus>),
    /// It has no such plugin.
    Nothing,
    /// Nobody answered.
    Away,
}

/// Asks hosts about a plugin; their answers are in the order of their names.
pub(super) async fn ask_about(
    session: &Session,
    hosts: Vec<HostId>,
    plugin: &PluginName,
) -> Vec<(HostId, Said)> {
    let question = &ListPlugins {
        plugin: Some(plugin.clone()),
    };
    let answers = hosts
        .into_iter()
        .map(|host| async move { (host.clone(), ask(session, host, question).await) });
    let mut answers: Vec<_> = stream::iter(answers).buffer_unordered(AT_ONCE).collect().await;
    answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    answers
}

async fn ask(session: &Session, host: HostId, question: &ListPlugins) -> Said {
    let subject = Subject::Runner {
        host,
        verb: RunnerVerb::Plugins,
    };
    let answer = session
        .bus
        .request::<_, PluginList>(&subject, question, WITHIN)
        .await;
    match answer {
        Ok(list) => list
            .plugins
            .into_iter()
            .next()
            .map_or(Said::Nothing, |plugin| Said::Has(Box::new(plugin))),
        Err(error) => match error.refusal() {
            Some(refusal) if refusal.code == ErrorCode::NotFound => Said::Nothing,
            Some(_) | None => Said::Away,
        },
    }
}

/// The plugins that a host has, by their names as they may be shown; none where it does not answer.
pub(super) async fn all_of(session: &Session, host: &HostId) -> Vec<String> {
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::Plugins,
    };
    let question = ListPlugins::default();
    let answer = session.bus.request::<_, PluginList>(&subject, &question, WITHIN);
    let plugins = answer.await.map(|list| list.plugins).unwrap_or_default();
    plugins
        .iter()
        .map(|plugin| text::printable(&plugin.info.name))
        .collect()
}

/// The first of them, on one line.
pub(super) fn names<'a>(hosts: impl IntoIterator<Item = &'a HostId>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<&str> = hosts.into_iter().map(HostId::as_str).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}
