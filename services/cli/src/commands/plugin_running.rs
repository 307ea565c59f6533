//! `snooze plugin load`, `unload` and `reload`: asked of one host's runner. None of it outlasts the runner.

use super::{
    host::{ask_of, one_host},
    plugins::table,
};
use crate::{
    arguments::{AtHost, PluginLoad, PluginReload},
    print,
    session::Session,
};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    Message,
    host::PluginList,
    plugin::management::{LoadPlugin, ReloadPlugins, UnloadPlugin},
};
use snooze_service_runtime::Failure;

/// Looks for a plugin again and starts it.
pub(super) async fn load(session: &Session, arguments: PluginLoad) -> Result<(), Failure> {
    let question = LoadPlugin {
        plugin: arguments.plugin,
    };
    ask(session, arguments.at, RunnerVerb::Load, &question).await
}

/// Ends a plugin until it is loaded.
pub(super) async fn unload(session: &Session, arguments: PluginLoad) -> Result<(), Failure> {
    let question = UnloadPlugin {
        plugin: arguments.plugin,
    };
    ask(session, arguments.at, RunnerVerb::Unload, &question).await
}

/// Looks through the folders again.
pub(super) async fn reload(session: &Session, arguments: PluginReload) -> Result<(), Failure> {
    let question = ReloadPlugins {
        plugin: arguments.plugin,
    };
    ask(session, arguments.at, RunnerVerb::Reload, &question).await
}

async fn ask<M: Message>(
    session: &Session,
    at: AtHost,
    verb: RunnerVerb,
    question: &M,
) -> Result<(), Failure> {
    let host = one_host(session, at.host).await?;
    let subject = Subject::Runner {
        host: host.clone(),
        verb,
    };
    let found: PluginList = ask_of(session, &host, &subject, question).await?;
    match at.output.json {
        true => print::json(&found),
        false => print::lines(table(&found)),
    }
}
