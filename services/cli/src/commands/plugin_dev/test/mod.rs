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

use super::Folder;
use crate::{
    arguments::PluginTest,
    commands::{json_file, scratch::Scratch},
    home::Home,
    print,
};
use findings::Findings;
use sandbox::Sandbox;
use serde_json::{Map, Value};
use snooze_conformance::{Form, Limits, Selection, Target, run};
use snooze_plugin_runner::PluginManifest;
use snooze_schemas::plugin::manifest::{PluginKind, ProcessModel};
use snooze_service_runtime::{Exit, Failure};
use std::{fs, path::Path, sync::Arc};
use tokio::time::Instant;

/// Tests a plugin, prints what was found, and fails where anything is wrong.
pub(super) async fn test(arguments: &PluginTest, home: &Home) -> Result<(), Failure> {
    let folder = Folder::open(&arguments.folder)?;
    let config =
        json_file::read_if_named::<Map<String, Value>>(arguments.config.as_deref(), "a JSON object").await?;
    let mut findings = Findings::default();
    look_into(
        &folder,
        &config.unwrap_or_default(),
        (arguments, home),
        &mut findings,
    )
    .await?;
    if let Some(file) = &arguments.junit {
        write_junit(file, &findings)?;
    }
    print::lines(findings.lines())?;
    match findings.failed() {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Failed, "one thing is wrong with this plugin")),
        count => Err(Failure::new(
            Exit::Failed,
            format!("{count} things are wrong with this plugin"),
        )),
    }
}

async fn look_into(
    folder: &Folder,
    config: &Map<String, Value>,
    (arguments, home): (&PluginTest, &Home),
    findings: &mut Findings,
) -> Result<(), Failure> {
    let begun = Instant::now();
    if folder.has_build() {
        let built = folder
            .build()
            .await
            .map_err(|why| ("a build that succeeds".to_owned(), why));
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
    let manifest = Arc::new(manifest);
    if manifest.stated().process_model == ProcessModel::Nats {
        return Box::pin(on_bus::look_into(manifest, config, arguments, home, findings)).await;
    }
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
    let begun = Instant::now();
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
    let report = run(&target, &Selection::contract([findings.form]), &limits).await;
    findings.extend(report.map_err(|error| Failure::from_error(Exit::Failed, &error))?);
    Ok(())
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
