//! Children in Python, supervised: what they do is told by a line or two.

mod answers;
mod asked;
mod configured;
mod hostile;
mod quarantined;

use super::*;
use crate::line::Method;
use serde_json::json;
use snooze_schemas::event::Severity;
use snooze_test_harness::{wait_for, wait_until};
use std::{fs, future::ready, os::unix::fs::PermissionsExt};

pub(super) const SOON: Duration = Duration::from_secs(10);
pub(super) const BRIEF: Duration = Duration::from_millis(300);

/// A plugin in Python whose reaction to `CheckIdle` is the given code; it answers everything else.
pub(super) fn python(reaction: &str) -> String {
    format!(
        r#"#!/usr/bin/env python3
import json, os, signal, subprocess, sys, threading
def linger(seconds): threading.Event().wait(seconds)
def say(result, id):
    print(json.dumps({{"result": result, "id": id}}), flush=True)
calls = 0
for line in sys.stdin:
    request = json.loads(line)
    id = request["id"]
    if request["method"] == "Info":
        say({{"name": "tested", "pid": os.getpid()}}, id)
    elif request["method"] != "CheckIdle":
        say({{"error": "Unknown method: " + request["method"]}}, id)
    else:
        calls += 1
{}
"#,
        reaction
            .lines()
            .map(|line| format!("        {line}\n"))
            .collect::<String>()
    )
}

/// An event that is no more than its name and its severity.
pub(super) fn errand(event: &str, severity: Severity) -> Errand {
    let event = event.parse().expect("an id");
    Errand { event, severity }
}

pub(super) const HONEST: &str = r#"say({"is_idle": True, "call": calls}, id)"#;

/// A supervised plugin; killed when the test ends.
pub(super) struct Stand {
    pub(super) plugin: Arc<StdioPlugin>,
    pub(super) task: tokio::task::JoinHandle<()>,
    pub(super) folder: tempfile::TempDir,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stand {
    pub(super) async fn of(script: &str) -> Stand {
        let stand = Stand::starting(script);
        stand.running().await;
        stand
    }

    pub(super) fn starting(script: &str) -> Stand {
        Stand::with_patience(script, SOON)
    }

    /// One that may take so long to introduce itself, and to take its configuration.
    fn with_patience(script: &str, handshake_limit: Duration) -> Stand {
        Stand::described(script, None, handshake_limit)
    }

    /// One that has this manifest, over the simplest.
    pub(super) fn described(script: &str, over: Option<Value>, handshake_limit: Duration) -> Stand {
        let restarts = Restarts {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
            crashes: u32::MAX,
            ..Restarts::default()
        };
        Stand::restarted(script, over, handshake_limit, restarts)
    }

    /// One that is started again after so long.
    fn restarted(script: &str, over: Option<Value>, handshake_limit: Duration, restarts: Restarts) -> Stand {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin");
        fs::write(&path, script).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let manifest = over.map(|over| {
            let mut document = json!({"name": "tested", "version": "1.0.0", "entry_point": "plugin"});
            for (key, value) in over.as_object().expect("a map") {
                document[key] = value.clone();
            }
            fs::write(folder.path().join("plugin.json"), document.to_string()).expect("writes");
            Arc::new(PluginManifest::read(folder.path()).expect("it is right"))
        });
        let configs = Arc::new(ConfigBook::default().with_manifests(manifest.clone()));
        let settings = Settings {
            program: Program {
                path,
                search_path: crate::SEARCH_PATH.to_owned(),
                home: folder.path().to_owned(),
                fence: None,
            },
            name: "tested".parse().expect("a name"),
            manifest,
            handshake_limit,
            restarts,
        };
        let plugin = StdioPlugin::new(settings, configs);
        let task = tokio::spawn(plugin.clone().supervise());
        Stand { plugin, task, folder }
    }

    pub(super) async fn running(&self) {
        let mut stage = self.plugin.stage();
        let running = stage.wait_for(|stage| *stage == Stage::Running);
        drop(
            tokio::time::timeout(SOON, running)
                .await
                .expect("it runs in time")
                .expect("it runs"),
        );
    }

    /// The configuration is this from now on.
    pub(super) fn configured(&self, config: &Value) {
        let own = config.as_object().expect("a map").clone();
        self.plugin.configs.lay([("tested".to_owned(), own)].into());
    }

    pub(super) async fn check(&self, within: Duration) -> Result<Value, CallError> {
        self.plugin
            .call(Method::CheckIdle, &json!({"metrics": {}}), within)
            .await
    }

    /// Asks until there is a process that answers again.
    pub(super) async fn recovered(&self) -> Value {
        wait_for(SOON, "the plugin answers again", async || {
            self.check(BRIEF).await.ok()
        })
        .await
    }

    /// The first call fails as expected; the process is killed, and a new one is started.
    async fn costs_the_process(&self, within: Duration, expected: fn(&CallError) -> bool) {
        let before = self.plugin.process_id().expect("it has a process");
        let error = self.check(within).await.expect_err("no answer");
        assert!(expected(&error), "{error:?}");
        wait_until(SOON, "the old process is gone", async || !is_alive(before)).await;
        wait_until(SOON, "a new process runs", async || {
            self.plugin.process_id().is_some_and(|id| id != before)
        })
        .await;
        assert!(self.plugin.restarts() >= 1);
    }
}

/// Whether there is such a process that is not merely waiting to be reaped by somebody else.
pub(super) fn is_alive(id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}
