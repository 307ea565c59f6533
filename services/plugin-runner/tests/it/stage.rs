//! A bus with roles, a runner, samples, and those who talk to a runner.

use crate::collector::{Collector, going_on};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Bus, Role, Subject, SubjectFilter, Subscription, User, keys};
use snooze_plugin_runner::{Config, Restarts, RunnerError, fence::FenceConfig};
use snooze_schemas::{
    HostId,
    verdict::{Verdict, Vote, VoteState},
};
use snooze_service_runtime::{CancellationToken, identity};
use snooze_test_harness::{NatsServer, wait_for};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};
use tokio::task::JoinHandle;

/// Long enough for a machine that compiles meanwhile.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Everything around a runner.
pub(crate) struct Stage {
    /// The server; killed and started again by tests of blips.
    pub server: NatsServer,
    /// The host.
    pub host: HostId,
    /// Its boot id.
    pub boot_id: String,
    /// An administrator's connection.
    pub administrator: Bus,
    /// An executor's connection.
    pub executor: Bus,
    /// A gateway's connection.
    pub gateway: Bus,
    /// The samples.
    pub collector: Collector,
    verdicts: Subscription,
    folder: tempfile::TempDir,
}

/// A runner in this process.
pub(crate) struct Runner {
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunnerError>>,
}

impl Runner {
    /// Ends it as a signal would.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(SOON, self.task)
            .await
            .expect("it ends in time");
        ended.expect("it does not panic").expect("it ends well");
    }
}

impl Stage {
    /// A bus whose fleet layer is quick, and the samples of an idle machine.
    pub(crate) async fn set() -> Stage {
        Stage::on(NatsServer::with_roles().await).await
    }

    /// The same on a bus that fences nobody.
    pub(crate) async fn without_roles() -> Stage {
        Stage::on(NatsServer::open().await).await
    }

    /// The same on this one.
    pub(crate) async fn on(server: NatsServer) -> Stage {
        let host: HostId = "h1".parse().expect("a host id");
        let named = |role| User::named(role, "test").expect("a name");
        server
            .bus(&named(Role::SetUp))
            .await
            .set_up()
            .await
            .expect("the streams and buckets are made");
        let administrator = server.bus(&named(Role::Administrator)).await;
        let executor = server.bus(&named(Role::Executor)).await;
        let gateway = server.bus(&named(Role::Gateway)).await;
        let verdicts = executor
            .subscribe(&SubjectFilter::AllVerdicts, None)
            .await
            .expect("an executor listens");
        // The machine's own boot id, because its own clocks are read.
        let boot_id = identity::boot_id().expect("the kernel has one");
        let going_on = Bus::connect(going_on(&server, &host)).await;
        let collector = Collector::start(
            going_on.expect("the server lets it in"),
            host.clone(),
            boot_id.clone(),
        )
        .await;
        let stage = Stage {
            server,
            host,
            boot_id,
            administrator,
            executor,
            gateway,
            collector,
            verdicts,
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(stage.plugin_folder()).expect("makes the folder of plugins");
        stage.policy(json!({})).await;
        stage
    }

    /// Writes the fleet's layer: quick, with only the CPU required, and these keys over it.
    pub(crate) async fn policy(&self, over: Value) {
        self.layer(over, json!({})).await;
    }

    /// The fleet's layer with what it says of plugins.
    pub(crate) async fn layer(&self, over: Value, plugins: Value) {
        let advisory = json!({"role": "advisory"});
        let mut policy = json!({
            "check_interval_seconds": 0.1,
            "naptime_minutes": 0.01,
            "heartbeat_seconds": 30,
            "boot_grace_minutes": 0,
            "plugin_timeout_seconds": 1,
            "verify_window_seconds": 0.2,
            "input_idle_threshold_secs": 0,
            "voters": {"memory": advisory, "network": advisory, "disk_io": advisory, "people": advisory},
        });
        for (key, value) in over.as_object().expect("a map") {
            policy[key] = value.clone();
        }
        let layer = json!({"policy": policy, "plugins": plugins});
        let bucket = self.administrator.bucket(Bucket::Config);
        bucket
            .put(keys::FLEET, &layer)
            .await
            .expect("an administrator writes the layer");
    }

    /// Where the runner looks for plugins.
    pub(crate) fn plugin_folder(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Where the runner keeps its journals.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Where the runner keeps its runs over a restart.
    pub(crate) fn runs(&self) -> PathBuf {
        self.folder.path().join("runtime").join("runs-h1.json")
    }

    /// A file of the test's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an executable into the folder of plugins.
    pub(crate) fn plugin(&self, name: &str, script: &str) {
        let path = self.plugin_folder().join(name);
        fs::write(&path, script).expect("writes the plugin");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("makes it executable");
    }

    /// What a runner of this host is told.
    pub(crate) fn config(&self) -> Config {
        let runtime = self.folder.path().join("runtime");
        Config {
            plugin_folders: vec![self.plugin_folder()],
            terminals: self.folder.path().join("dev"),
            restarts: Restarts {
                first: Duration::from_millis(50),
                longest: Duration::from_millis(200),
                // Pauses are so short here that one that a test breaks for a while would be quarantined.
                crashes: u32::MAX,
                ..Restarts::default()
            },
            fence: FenceConfig {
                program: env!("CARGO_BIN_EXE_snooze-plugin-runner").into(),
                ..FenceConfig::default()
            },
            ..Config::new(self.host.clone(), self.boot_id.clone(), self.state(), runtime)
        }
    }

    /// A runner with the default configuration.
    pub(crate) async fn runner(&self) -> Runner {
        self.runner_with(self.config()).await
    }

    /// A runner, whose plugins are granted the test's own folder and every event that tests send, and what the test
    /// grants them besides.
    pub(crate) async fn runner_with(&self, config: Config) -> Runner {
        self.runner_as(self.granted(config)).await
    }

    /// What such a runner is told.
    pub(crate) fn granted(&self, mut config: Config) -> Config {
        for entry in fs::read_dir(self.plugin_folder()).expect("it is there") {
            let path = entry.expect("it can be read").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let own = config.plugin_configs.entry(name).or_default();
            let granted = own.entry("permissions").or_insert_with(|| json!({}));
            granted["write"] = json!([self.folder.path()]);
            granted["events"] = json!(["custom", "snooze.pending", "snooze.cancelled"]);
        }
        config
    }

    /// A runner that is told this and nothing else.
    pub(crate) async fn runner_as(&self, config: Config) -> Runner {
        let user = User::host(&config.host);
        self.runner_of(config, &user).await
    }

    /// The same, with these credentials.
    pub(crate) async fn runner_of(&self, config: Config, user: &User) -> Runner {
        let bus = self.server.bus(user).await;
        Self::runner_on(config, bus)
    }

    /// The same, on this connection.
    pub(crate) fn runner_on(config: Config, bus: Bus) -> Runner {
        let stop = CancellationToken::new();
        let task = tokio::spawn(snooze_plugin_runner::run(config, bus, stop.clone()));
        Runner { stop, task }
    }

    /// The next verdict that is as the test wants it.
    pub(crate) async fn verdict(&mut self, what: &str, wanted: impl Fn(&Verdict) -> bool) -> Verdict {
        let mut last = None;
        let found = tokio::time::timeout(SOON, async {
            loop {
                let delivery = self.verdicts.next().await.expect("the connection stays open");
                let verdict: Verdict = delivery.read().expect("a verdict");
                if wanted(&verdict) {
                    return verdict;
                }
                last = Some(verdict);
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("no verdict in which {what}; the last one was {last:#?}"))
    }

    /// The next verdict in which a voter says this.
    pub(crate) async fn vote(&mut self, voter: &str, state: VoteState) -> Vote {
        let what = format!("{voter} is {state:?}");
        let verdict = self
            .verdict(&what, |verdict| {
                of(verdict, voter).is_some_and(|vote| vote.state == state)
            })
            .await;
        of(&verdict, voter).expect("it was there").clone()
    }

    /// Asks the runner as an executor or gateway would, until somebody answers at all.
    pub(crate) async fn until_it_answers(&self) {
        let subject = self.verb(snooze_bus::RunnerVerb::Plugins);
        let question = snooze_schemas::host::ListPlugins::default();
        wait_for(SOON, "the runner answers", async || {
            self.administrator
                .request::<_, Value>(&subject, &question, Duration::from_secs(2))
                .await
                .ok()
        })
        .await;
    }

    /// The subject of a verb.
    pub(crate) fn verb(&self, verb: snooze_bus::RunnerVerb) -> Subject {
        Subject::Runner {
            host: self.host.clone(),
            verb,
        }
    }
}

/// A voter's vote.
pub(crate) fn of<'a>(verdict: &'a Verdict, voter: &str) -> Option<&'a Vote> {
    verdict.votes.iter().find(|vote| vote.voter.as_str() == voter)
}

/// A plugin in Python that answers `CheckIdle` with the given expression, and knows `Info`.
pub(crate) fn python_plugin(name: &str, answer: &str) -> String {
    format!(
        r#"#!/usr/bin/env python3
import json, os, sys, threading
def linger(seconds): threading.Event().wait(seconds)
config = {{}}
for line in sys.stdin:
    request = json.loads(line)
    method = request["method"]
    if method == "Info":
        result = {{"name": "{name}", "version": "1.2.3"}}
    elif method == "Configure":
        config = request["params"]["config"]
        result = {{"success": True}}
    elif method == "CheckIdle":
        metrics = request["params"]["metrics"]
        result = {answer}
    else:
        result = {{"error": "Unknown method: " + method}}
    print(json.dumps({{"result": result, "id": request["id"]}}), flush=True)
"#
    )
}
