//! `snooze plugin run`: a plugin on a bus of its own, asked once a second about live readings, and started anew at each
//! change of its folder.
//!
//! It is granted what its manifest asks for, in its fences; one that runs by itself is started beside the runner, without
//! any. Nothing that it does outlives the command.

mod changes;
mod own;
mod watch;

use super::Folder;
use crate::{
    arguments::PluginRun,
    commands::{json_file, scratch::Scratch},
    home::Home,
    print,
    up::alone::{Alone, Around},
};
use changes::Changes;
use own::{Own, Start};
use serde_json::{Map, Value, json};
use snooze_plugin_runner::PluginManifest;
use snooze_schemas::plugin::manifest::ProcessModel;
use snooze_service_runtime::{CancellationToken, Failure, config::PluginsConfig};
use std::{fs, io, os::unix::fs::symlink, path::PathBuf, pin::pin};
use watch::Watch;

/// Runs a plugin until the token is cancelled.
pub(super) async fn run(
    arguments: &PluginRun,
    home: &Home,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let folder = Folder::open(&arguments.folder)?;
    let config = json_file::read_if_named::<Map<String, Value>>(arguments.config.as_deref(), "a JSON object");
    let Some(config) = shutdown.run_until_cancelled(config).await.transpose()? else {
        return Ok(());
    };
    let scratch = Scratch::make()?;
    let state = scratch.path().join("state");
    let laid = Box::pin(Alone::lay(&state, arguments.nats_server.clone(), home));
    let Some(alone) = shutdown.run_until_cancelled(laid).await else {
        return Ok(());
    };
    let mut alone = alone?;
    let author = Author {
        folder,
        config: config.unwrap_or_default(),
        plugins: scratch.path().join("plugins"),
        start: match arguments.by_hand {
            true => Start::ByHand,
            false => Start::Here,
        },
        home,
    };
    let watch = Watch::new(alone.administrator().clone(), alone.host().clone());
    print::talk(&format!(
        "{} runs on a bus of its own; each change starts it anew, Ctrl-C ends it",
        author.folder.path().display()
    ));
    let (around, broker) = alone.parts();
    let stop = shutdown.child_token();
    let lived = {
        let collected = around.collect(stop.clone());
        let cycles = author.cycles(&around, &watch, &stop);
        let both = async {
            let (mut collected, mut cycles) = (pin!(collected), pin!(cycles));
            // Whoever ends first ends the other in order: both are pinned outside, and cancelling loses nothing.
            let first = tokio::select! {
                ended = &mut collected => Ok(ended),
                ended = &mut cycles => Err(ended),
            };
            stop.cancel();
            match first {
                Ok(ended) => ended.and(cycles.await),
                Err(ended) => ended.and(collected.await),
            }
        };
        tokio::select! {
            lived = both => lived,
            failure = broker => Err(failure),
        }
    };
    let ended = alone.end().await;
    lived.and(ended)
}

/// What the author changes, and where the runner finds it.
struct Author<'a> {
    folder: Folder,
    config: Map<String, Value>,
    /// The runner's folder of plugins: nothing is in it but this one, under its own name.
    plugins: PathBuf,
    /// Who starts one that runs by itself.
    start: Start,
    home: &'a Home,
}

impl Author<'_> {
    /// Builds it, runs it until its folder changes, and begins again.
    async fn cycles(
        &self,
        around: &Around<'_>,
        watch: &Watch,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        while !stop.is_cancelled() {
            let built = stop.run_until_cancelled(self.plugin()).await;
            let Some(built) = built else { break };
            // What the build itself has made is no change.
            let mut changes = Changes::since_now(self.folder.path());
            match built {
                Err(why) => {
                    watch.say(&why)?;
                    stop.run_until_cancelled(changes.next()).await;
                }
                Ok((manifest, plugins)) => {
                    let this_one = stop.child_token();
                    let mut own = self.own(&manifest, around, watch)?;
                    let until_changed = async {
                        tokio::select! {
                            // Cancelling any loses nothing: one looks, one asks, one listens.
                            () = changes.next() => Ok(()),
                            said = watch.follow(manifest.name()) => said,
                            said = own.follow(watch) => said,
                            () = this_one.cancelled() => Ok(()),
                        }
                    };
                    let until_changed = async {
                        let followed = until_changed.await;
                        this_one.cancel();
                        followed
                    };
                    let runs = async {
                        let ran = around.run(&plugins, this_one.clone()).await;
                        this_one.cancel();
                        ran
                    };
                    let (followed, ran) = tokio::join!(until_changed, runs);
                    own.end(watch).await?;
                    ran.and(followed)?;
                    if !stop.is_cancelled() {
                        watch.say("its folder has changed: it is started anew")?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What runs beside the runner: nothing, where the runner starts it.
    fn own(&self, manifest: &PluginManifest, around: &Around<'_>, watch: &Watch) -> Result<Own, Failure> {
        if manifest.stated().process_model != ProcessModel::Nats {
            return Ok(Own::default());
        }
        let admission = around.admit(manifest.name())?;
        Own::begin(self.start, manifest, &admission, self.home, watch)
    }

    /// The plugin as its folder is now, and what a host's own file would say of it.
    async fn plugin(&self) -> Result<(PluginManifest, PluginsConfig), String> {
        self.folder.build().await?;
        let manifest = self.folder.manifest().map_err(|mistakes| mistakes.join("\n"))?;
        let stated = manifest.stated();
        if self.start == Start::ByHand && stated.process_model != ProcessModel::Nats {
            let text =
                "--by-hand is for a plugin whose process_model is nats: the runner itself starts this one";
            return Err(text.to_owned());
        }
        let name = manifest.name().as_str();
        self.link(name)
            .map_err(|error| format!("make a link to its folder: {error}"))?;
        let mut config = self.config.clone();
        config.insert("permissions".to_owned(), json!(stated.permissions));
        let plugins = PluginsConfig {
            enabled: true,
            directories: vec![self.plugins.clone()],
            require_isolation: false,
            configs: [(name.to_owned(), config)].into(),
        };
        Ok((manifest, plugins))
    }

    /// Puts it where the runner looks, under the name that it has now.
    fn link(&self, name: &str) -> io::Result<()> {
        match fs::remove_dir_all(&self.plugins) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir(&self.plugins)?;
        symlink(self.folder.path(), self.plugins.join(name))
    }
}
