//! The plugin in its fences: by the runner's own code, with what its manifest asks for as if it were granted.
//!
//! What the kernel of this machine does not enforce of them is said. One that is native is loaded as a runner does it,
//! into this program: nothing fences it, and that is said too.

use super::{
    Findings, Scratch, form_of,
    trial::{Trial, introduction},
};
use serde_json::{Map, Value, json};
use snooze_conformance::{Adopted, Starter};
use snooze_plugin_runner::{
    PluginManifest, Restarts, SEARCH_PATH,
    asking::{ConfigBook, Method, Plugin, Program, Runtime, Settings, Stage, StdioPlugin, Unattended},
    fence::{Fence, FenceConfig},
};
use snooze_schemas::{EventType, HostId, plugin::manifest::PluginKind};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::AbortHandle, time::timeout};

/// How long each step of a start may take, as a runner has it.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(15);

/// All steps of a start, and a moment.
const START_LIMIT: Duration = Duration::from_secs(65);

/// As long as a runner waits for any answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// As long as a runner waits for a plugin to take its configuration.
const CONFIGURE_LIMIT: Duration = Duration::from_secs(15);

/// Shutdown and the end of its input have two seconds each; the rest is for the kernel.
const END_LIMIT: Duration = Duration::from_secs(10);

/// So many of its last words are shown.
const LAST_WORDS: usize = 12;

/// What every start of the plugin has in common.
pub(super) struct Sandbox {
    manifest: Arc<PluginManifest>,
    config: Map<String, Value>,
    program: Program,
}

/// A plugin under supervision, as a runner keeps it.
pub(super) struct Tried {
    process: Arc<StdioPlugin>,
    plugin: Arc<Plugin>,
    configs: Arc<ConfigBook>,
    supervision: AbortHandle,
}

impl Drop for Tried {
    fn drop(&mut self) {
        self.supervision.abort();
    }
}

impl Sandbox {
    pub(super) fn new(
        manifest: Arc<PluginManifest>,
        config: Map<String, Value>,
        scratch: &Scratch,
    ) -> Sandbox {
        let name = manifest.name().clone();
        let permissions = manifest.stated().permissions.clone();
        let mut fence = Fence::new(name, permissions, FenceConfig::of_this_process(), scratch.path());
        fence.folder = Some(manifest.folder().to_owned());
        let program = Program {
            path: manifest.entry_point().to_owned(),
            search_path: SEARCH_PATH.to_owned(),
            home: scratch.path().join("home"),
            fence: Some(fence),
        };
        Sandbox {
            manifest,
            config,
            program,
        }
    }

    /// Starts it as a runner does, and says how that went. Nothing where it does not run.
    pub(super) async fn start(&self, findings: &mut Findings) -> Option<Tried> {
        findings.form = form_of(&self.manifest);
        let begun = findings.begin("fences", "it-starts");
        let tried = self.supervised();
        let mut stage = tried.process.stage();
        let settled = timeout(START_LIMIT, stage.wait_for(|stage| *stage != Stage::Starting));
        let runs = settled
            .await
            .is_ok_and(|stage| stage.is_ok_and(|stage| *stage == Stage::Running));
        let kept = match runs {
            true => Ok(()),
            false => Err(("a plugin that runs".to_owned(), tried.why_not().await)),
        };
        let law = match self.manifest.stated().kind {
            PluginKind::External => {
                "It starts in its fences with what its manifest asks for, takes its configuration and makes ready."
            }
            PluginKind::Native => "It is loaded, takes its configuration and makes ready.",
        };
        let named = ("fences", "it-starts", law);
        findings.add_with_log(named, begun, kept, || tried.process.complaints(LAST_WORDS));
        if !runs {
            return None;
        }
        let fenced = tried.process.fenced();
        for fence in fenced.not_enforced {
            findings.note(&format!("not enforced on this machine: {fence}"));
        }
        for grant in fenced.not_granted {
            findings.note(&format!("asked for without effect: {grant}"));
        }
        let info = tried.process.info().borrow().clone().unwrap_or_default();
        introduction(&self.manifest, &info, findings);
        Some(tried)
    }

    fn supervised(&self) -> Tried {
        let name = self.manifest.name();
        let file = BTreeMap::from([(name.to_string(), self.config.clone())]);
        let configs = Arc::new(ConfigBook::new(file).with_manifests([self.manifest.clone()]));
        // As after the bus was heard: nothing is laid over the file.
        configs.lay(BTreeMap::new());
        let settings = Settings {
            program: self.program.clone(),
            name: name.clone(),
            manifest: Some(self.manifest.clone()),
            handshake_limit: HANDSHAKE_LIMIT,
            restarts: Restarts::default(),
        };
        let process = StdioPlugin::new(settings, configs.clone());
        let supervision = tokio::spawn(process.clone().supervise()).abort_handle();
        Tried {
            plugin: Plugin::new(Runtime::Process(process.clone())),
            process,
            configs,
            supervision,
        }
    }

    /// Starts it for the cases of the contract, which nobody supervises.
    pub(super) fn starter(&self) -> Starter {
        let program = self.program.clone();
        Starter::new(move || {
            let program = program.clone();
            Box::pin(async move {
                let started = Unattended::start(&program, HANDSHAKE_LIMIT).await?;
                let id = started.id();
                let (stdin, stdout, stderr, killable) = started.into_parts();
                Ok(Adopted {
                    id,
                    stdin,
                    stdout,
                    stderr,
                    kill: Box::pin(killable.kill()),
                })
            })
        })
    }
}

impl Trial for Tried {
    fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    fn host(&self) -> HostId {
        "test".parse().expect("it is written here")
    }

    fn configs(&self) -> &ConfigBook {
        &self.configs
    }

    fn process_id(&self) -> Option<i32> {
        self.process.process_id()
    }

    fn last_words(&self) -> Vec<String> {
        self.process.complaints(LAST_WORDS)
    }

    async fn answers(&self) -> bool {
        let nothing = Map::new();
        let asked = self.process.call(Method::Info, &nothing, CONFIGURE_LIMIT);
        asked.await.is_ok()
    }

    async fn configure(&self, config: &Map<String, Value>) -> Result<(), String> {
        let params = json!({"config": config});
        let asked = self.process.call(Method::Configure, &params, CONFIGURE_LIMIT);
        match asked.await {
            Ok(answer) if answer.get("success") == Some(&Value::Bool(false)) => Err(answer.to_string()),
            Err(error) if !error.is_unknown_method() => Err(error.to_string()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn is_given(&self, event: &EventType) -> bool {
        let manifest = self.plugin.manifest();
        manifest.is_some_and(|manifest| manifest.stated().permissions.give(event))
    }

    fn withheld_as(&self) -> &'static str {
        "permissions.events does not ask for"
    }

    fn without_vote(&self) -> &'static str {
        "it does not know CheckIdle, so that it has no vote"
    }
}

impl Tried {
    async fn why_not(&self) -> String {
        let asked = self
            .process
            .call(Method::Info, &Map::new(), Duration::from_secs(1))
            .await;
        asked.map_or_else(|error| error.to_string(), |_| "it came too late".to_owned())
    }

    /// Ends it in order, and says whether it was one process from the first question to the last.
    pub(super) async fn end(self, findings: &mut Findings) {
        let begun = findings.begin("fences", "it-was-never-started-anew");
        let asked = self.process.call(Method::Info, &Map::new(), ANSWER_LIMIT).await;
        let kept = match (asked, self.process.restarts()) {
            (Err(why), 0) => Err(("a process that goes on".to_owned(), why.to_string())),
            (_, 0) => Ok(()),
            (_, restarts) => Err((
                "one process".to_owned(),
                format!("it was started anew {restarts} times"),
            )),
        };
        let named = (
            "fences",
            "it-was-never-started-anew",
            "Nothing that it was asked ended it.",
        );
        findings.add_with_log(named, begun, kept, || self.last_words());
        let begun = findings.begin("fences", "it-ends");
        self.process.stop();
        let mut stage = self.process.stage();
        let stopped = timeout(END_LIMIT, stage.wait_for(|stage| *stage == Stage::Stopped)).await;
        let kept = stopped.map(drop).map_err(|_| {
            let expected = format!("its end within {} s", END_LIMIT.as_secs());
            (expected, "it goes on".to_owned())
        });
        findings.add("fences", "it-ends", "It ends when it is told to.", begun, kept);
    }
}
