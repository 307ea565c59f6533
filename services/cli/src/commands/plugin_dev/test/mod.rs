//! `snooze plugin test`: everything that can be found out about a plugin without a host that it is for.
//!
//! Its manifest; the contract, asked of a process that is fenced as a runner fences it, or of one that runs by itself, on
//! a bus of its own; readings that were recorded and
//! made up; every event that it handles; what it can be configured with, and what it cannot.

mod configuration;
mod events;
mod findings;
mod on_bus;
mod readings;
mod sandbox;
mod trial;

use super::{Folder, unless_given_up};
use crate::{
    arguments::PluginTest,
    commands::{json_file, scratch::Scratch},
    home::Home,
    print,
};
use findings::Findings;
use sandbox::Sandbox;
use serde_json::{Map, Value};
use snooze_conformance::{Form, Limits, Selection, Target, run_telling};
use snooze_plugin_runner::PluginManifest;
use snooze_schemas::plugin::manifest::{PluginKind, ProcessModel};
use snooze_service_runtime::{CancellationToken, Exit, Failure};
use std::{fs, path::Path, sync::Arc};
use tokio::time::sleep;

/// What of a test is cut off where it is interrupted.
const INTERRUPTED: &str = "interrupted";

/// Tests a plugin, prints what was found, and fails where anything is wrong, or where not everything was found out: then
/// what was is printed all the same.
pub(super) async fn test(
    arguments: &PluginTest,
    home: &Home,
    shutdown: &CancellationToken,
) -> Result<(), Failure> {
    let folder = Folder::open(&arguments.folder)?;
    let read = json_file::read_if_named::<Map<String, Value>>(arguments.config.as_deref(), "a JSON object");
    // Whoever writes it may keep it waiting; nothing is known yet that could be told.
    let config = unless_given_up(read, shutdown).await?;
    let progress = print::Progress::begin();
    let mut findings = Findings::telling(move |id| progress.at(id));
    let config = config.unwrap_or_default();
    look_into(&folder, &config, (arguments, home), shutdown, &mut findings).await?;
    findings.end();
    if let Some(file) = &arguments.junit {
        write_junit(file, &findings)?;
    }
    print::lines(findings.lines())?;
    let wrong = match findings.failed() {
        0 => None,
        1 => Some("one thing is wrong with this plugin".to_owned()),
        count => Some(format!("{count} things are wrong with this plugin")),
    };
    let cut = findings
        .is_cut_for()
        .map(|why| format!("not everything was found out: {why}"));
    let told: Vec<String> = wrong.into_iter().chain(cut).collect();
    match told.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failed, told.join(", and "))),
    }
}

async fn look_into(
    folder: &Folder,
    config: &Map<String, Value>,
    (arguments, home): (&PluginTest, &Home),
    shutdown: &CancellationToken,
    findings: &mut Findings,
) -> Result<(), Failure> {
    if folder.has_build() {
        let begun = findings.begin("build", "it-is-built");
        // What is cancelled here kills what the build has started.
        let Some(built) = shutdown.run_until_cancelled(folder.build()).await else {
            findings.cut(INTERRUPTED);
            return Ok(());
        };
        let built = built.map_err(|why| ("a build that succeeds".to_owned(), why));
        let is_built = built.is_ok();
        findings.add(
            "build",
            "it-is-built",
            "Its build makes what is started.",
            begun,
            built,
        );
        if !is_built {
            return Ok(());
        }
    }
    let Some(manifest) = manifest(folder, findings) else {
        return Ok(());
    };
    let stated = manifest.stated();
    let native = stated.kind == PluginKind::Native;
    if native {
        findings.note(
            "it is native: it was loaded into this program, as a runner loads it, and nothing fenced it",
        );
    }
    if let Some(schema) = manifest.schema()
        && let Err(mistakes) = schema.settle(config)
    {
        let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let text = format!(
            "say with --config FILE what it is to be tried with: {}",
            mistakes.join("; ")
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    // No child of the other one: what ends by it has to be told from what came to its end.
    let stop = CancellationToken::new();
    let trying = try_out(Arc::new(manifest), config, (arguments, home), &stop, findings);
    let mut trying = Box::pin(trying);
    let why = tokio::select! {
        tried = &mut trying => return tried,
        () = shutdown.cancelled() => INTERRUPTED.to_owned(),
        () = sleep(arguments.limit) => {
            let seconds = arguments.limit.as_secs();
            format!("the time of {seconds} s was over, and --limit gives it another")
        }
    };
    stop.cancel();
    // It ends in order then, and leaves nothing.
    let ended = trying.await;
    findings.cut(&why);
    ended
}

/// Everything for which it has to run, until the token is cancelled.
async fn try_out(
    manifest: Arc<PluginManifest>,
    config: &Map<String, Value>,
    (arguments, home): (&PluginTest, &Home),
    stop: &CancellationToken,
    findings: &mut Findings,
) -> Result<(), Failure> {
    match manifest.stated().process_model {
        ProcessModel::Nats => on_bus::look_into(manifest, config, (arguments, home), stop, findings).await,
        ProcessModel::Process | ProcessModel::JsonRpc => {
            let tried = fenced(manifest, config, arguments, findings);
            // What is cancelled here kills what it has started.
            stop.run_until_cancelled(tried).await.unwrap_or(Ok(()))
        }
    }
}

/// Everything that is asked of a process in its fences, or of a library.
async fn fenced(
    manifest: Arc<PluginManifest>,
    config: &Map<String, Value>,
    arguments: &PluginTest,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let native = manifest.stated().kind == PluginKind::Native;
    let scratch = Scratch::make()?;
    let sandbox = Sandbox::new(manifest, config.clone(), &scratch);
    if let Some(tried) = sandbox.start(findings).await {
        readings::ask(&tried, findings).await;
        if arguments.without_events {
            findings.note("it was sent no events, as you wished");
        } else {
            events::send(&tried, findings).await;
        }
        configuration::try_out(&tried, config, findings).await;
        tried.end(findings).await;
        if native {
            findings.note(
                "the cases of the contract were not asked: the lines of a native plugin are the runner's own work",
            );
        } else {
            // After it, for its end is the end of all that is in its control group.
            contract(&sandbox, findings).await?;
        }
    }
    Ok(())
}

/// Reads the manifest and says all that is wrong with it.
fn manifest(folder: &Folder, findings: &mut Findings) -> Option<PluginManifest> {
    let begun = findings.begin("manifest", "it-holds");
    let read = folder.manifest();
    let told = |mistakes: &Vec<String>| ("a manifest without a mistake".to_owned(), mistakes.join("\n"));
    let law = "Its manifest can be read, and what it states can hold.";
    findings.add(
        "manifest",
        "it-holds",
        law,
        begun,
        read.as_ref().map(drop).map_err(told),
    );
    let manifest = read.ok()?;
    for warning in manifest.warnings() {
        findings.note(&format!("plugin.json:{warning}"));
    }
    let called = folder.path().file_name();
    let is_called_so = called.is_some_and(|called| called == manifest.name().as_str());
    let named = is_called_so.then_some(()).ok_or_else(|| {
        let expected = format!("a folder that is called {}", manifest.name());
        (expected, folder.path().display().to_string())
    });
    let begun = findings.begin("manifest", "its-folder-has-its-name");
    let law = "The folder is called as the plugin is; a host passes another one over.";
    findings.add("manifest", "its-folder-has-its-name", law, begun, named);
    Some(manifest)
}

/// Asks the cases of the contract, each of a process of its own.
async fn contract(sandbox: &Sandbox, findings: &mut Findings) -> Result<(), Failure> {
    let limits = Limits {
        // They share a home and a control group, and one that is ended ends what is in it.
        at_once: 1,
        ..Limits::default()
    };
    let target = Target::Started(sandbox.starter());
    let selection = Selection::contract([findings.form]);
    let asked = run_telling(&target, &selection, &limits, |moment| findings.take(moment)).await;
    asked
        .map(drop)
        .map_err(|error| Failure::from_error(Exit::Failed, &error))
}

/// In which form a plugin of this manifest is asked.
fn form_of(manifest: &PluginManifest) -> Form {
    match manifest.stated().process_model {
        ProcessModel::JsonRpc => Form::JsonRpc,
        ProcessModel::Process => Form::Lines,
        // As the runner's own questions are.
        ProcessModel::Nats => Form::NatsMessagepack,
    }
}

fn write_junit(file: &Path, findings: &Findings) -> Result<(), Failure> {
    let written = fs::write(file, findings.to_junit());
    written.map_err(|error| Failure::new(Exit::Failed, format!("write {}: {error}", file.display())))
}
