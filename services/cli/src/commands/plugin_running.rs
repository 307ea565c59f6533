//! `snooze plugin load`, `unload` and `reload`: asked of one host's runner. None of it outlasts the runner.

use super::{
    host::{ask_of, one_host},
    plugins::table,
};
use crate::{
    arguments::{Output, PluginLoad, PluginReload},
    print,
    session::Session,
};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    HostId, Message,
    host::PluginList,
    plugin::management::{LoadPlugin, ReloadPlugins, UnloadPlugin},
};
use snooze_service_runtime::Failure;

/// Looks for a plugin again and starts it.
pub(super) async fn load(session: &Session, arguments: PluginLoad) -> Result<(), Failure> {
    let question = LoadPlugin {
        plugin: arguments.plugin,
    };
    ask(
        session,
        arguments.host,
        RunnerVerb::Load,
        &question,
        arguments.output,
    )
    .await
}

/// Ends a plugin until it is loaded.
pub(super) async fn unload(session: &Session, arguments: PluginLoad) -> Result<(), Failure> {
    let question = UnloadPlugin {
        plugin: arguments.plugin,
    };
    ask(
        session,
        arguments.host,
        RunnerVerb::Unload,
        &question,
        arguments.output,
    )
    .await
}

/// Looks through the folders again.
pub(super) async fn reload(session: &Session, arguments: PluginReload) -> Result<(), Failure> {
    let question = ReloadPlugins {
        plugin: arguments.plugin,
    };
    ask(
        session,
        arguments.host,
        RunnerVerb::Reload,
        &question,
        arguments.output,
    )
    .await
}

async fn ask<M: Message>(
    session: &Session,
    host: Option<HostId>,
    verb: RunnerVerb,
    question: &M,
    output: Output,
) -> Result<(), Failure> {
    let host = one_host(session, host).await?;
    let subject = Subject::Runner {
        host: host.clone(),
        verb,
    };
    let found: PluginList = ask_of(session, &host, &subject, question).await?;
    match output.json {
        true => print::json(&found),
        false => print::lines(table(&found)),
    }
}
