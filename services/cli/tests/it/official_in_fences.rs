//! Official plugins in the runner's own fences, with the permissions that their manifests ask for, the configuration of
//! their READMEs, and the real server beside them: what they ask for is enough to see it, and what they see turns when
//! it gets busy. One in each language.
//!
//! A server of the test has a port and a folder of its own, which stand in the configuration and in the permissions
//! where the README and the manifest have the usual ones; nothing else is changed.

use crate::official_plugins::{built, example_with, official};
use serde_json::{Map, Value};
use snooze_conformance::build;
use snooze_plugin_runner::{
    PluginManifest, Restarts, SEARCH_PATH,
    asking::{ConfigBook, Plugin, PluginOpinion, Program, Runtime, Settings, Stage, StdioPlugin},
    fence::{Fence, FenceConfig},
};
use snooze_schemas::metrics::Metrics;
use snooze_test_harness::{Nginx, Redis, wait_for};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::AbortHandle,
    time::timeout,
};

/// Nothing that is right takes so long; the rest is for a machine that compiles meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// As long as a runner waits for a vote.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What keeps a plugin from a server or a log that it was not granted.
const FENCE: &str = "TCP ports";

/// An official plugin as it is built.
struct Official {
    manifest: Arc<PluginManifest>,
    config: Map<String, Value>,
    /// Where it lies.
    _folder: tempfile::TempDir,
}

/// One that runs.
struct Fenced {
    process: Arc<StdioPlugin>,
    plugin: Arc<Plugin>,
    supervision: AbortHandle,
    _home: tempfile::TempDir,
}

impl Drop for Fenced {
    fn drop(&mut self) {
        self.supervision.abort();
    }
}

/// The same with other places and ports.
fn instead(value: &Value, places: &[(&str, &str)]) -> Value {
    let text = value.to_string();
    let text = places.iter().fold(text, |text, (usual, own)| {
        assert!(text.contains(usual), "{text} does not name {usual}");
        text.replace(usual, own)
    });
    serde_json::from_str(&text).expect("names were put in the place of names")
}

impl Official {
    /// Builds it, and configures it as the README's example with these words does.
    async fn of(name: &str, words: &str) -> Official {
        let folder = built(&BTreeSet::from([name.to_owned()])).await;
        let manifest = PluginManifest::read(&folder.path().join(name)).expect("a manifest without a mistake");
        let (config, _) = example_with(name, words);
        Official {
            manifest: Arc::new(manifest),
            config,
            _folder: folder,
        }
    }

    /// What its manifest asks for, but for some.
    fn permissions_but(&self, without: &[&str]) -> Value {
        let asked = serde_json::to_value(&self.manifest.stated().permissions).expect("it is written");
        let mut asked = asked.as_object().expect("a map").clone();
        for key in without {
            assert!(
                asked
                    .remove(*key)
                    .is_some_and(|value| value != Value::Array(Vec::new())),
                "it asks for {key}"
            );
        }
        Value::Object(asked)
    }

    /// Starts it as a runner does that grants this.
    fn start(&self, places: &[(&str, &str)], permissions: &Value) -> Fenced {
        let name = self.manifest.name();
        let home = tempfile::tempdir().expect("a folder");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o711)).expect("it is ours");
        let config = FenceConfig {
            program: env!("CARGO_BIN_EXE_snooze").into(),
            ..FenceConfig::default()
        };
        let permissions = serde_json::from_value(permissions.clone()).expect("permissions");
        let mut fence = Fence::new(name.clone(), permissions, config, home.path());
        fence.folder = Some(self.manifest.folder().to_owned());
        let told = instead(&Value::Object(self.config.clone()), places);
        let told = told.as_object().expect("it was a map").clone();
        let configs = ConfigBook::new(BTreeMap::from([(name.to_string(), told)]));
        let configs = Arc::new(configs.with_manifests([self.manifest.clone()]));
        // As after the bus was heard: nothing is laid over the file.
        configs.lay(BTreeMap::new());
        let settings = Settings {
            program: Program {
                path: self.manifest.entry_point().to_owned(),
                search_path: SEARCH_PATH.to_owned(),
                home: home.path().join("home"),
                fence: Some(fence),
            },
            name: name.clone(),
            manifest: Some(self.manifest.clone()),
            handshake_limit: PATIENCE,
            restarts: Restarts::default(),
        };
        let process = StdioPlugin::new(settings, configs);
        let supervision = tokio::spawn(process.clone().supervise()).abort_handle();
        Fenced {
            plugin: Plugin::new(Runtime::Process(process.clone())),
            process,
            supervision,
            _home: home,
        }
    }

    /// The law: without one of the permissions that the manifest asks for it has no opinion, and with them it has one.
    async fn sees_with_what_it_asks_for(&self, needed: &str, places: &[(&str, &str)]) -> Fenced {
        // One after the other: both are one user, with one number of processes.
        let denied = self.start(places, &self.permissions_but(&[needed]));
        denied.runs().await;
        let lacks = denied.process.fenced().not_enforced;
        let lacks = lacks.iter().any(|said| said.contains(FENCE));
        for _ in 0..2 {
            let said = denied.asked().await;
            // A kernel without the fence lets it see, and the runner has said so.
            assert!(lacks || said.is_err(), "without {needed} it says {said:?}");
        }
        denied.ends().await;

        let fenced = self.start(places, &instead(&self.permissions_but(&[]), places));
        fenced.votes(true).await;
        let said = fenced.process.fenced();
        assert!(said.not_granted.is_empty(), "{said:?}");
        fenced
    }
}

impl Fenced {
    /// Its vote now: an opinion, or why it has none.
    async fn asked(&self) -> Result<PluginOpinion, String> {
        let host = "web-1".parse().expect("a host id");
        let said = self
            .plugin
            .check_idle(&Metrics::default(), &host, ANSWER_LIMIT)
            .await;
        said.map_err(|why| why.to_string())
    }

    async fn runs(&self) {
        self.comes_to(Stage::Running).await;
    }

    async fn ends(&self) {
        self.process.stop();
        self.comes_to(Stage::Stopped).await;
    }

    async fn comes_to(&self, wanted: Stage) {
        let mut stage = self.process.stage();
        let there = timeout(PATIENCE, stage.wait_for(|stage| *stage == wanted)).await;
        let there = there.unwrap_or_else(|_| panic!("not {wanted:?}: {:?}", self.process.complaints(12)));
        drop(there.expect("it is supervised"));
    }

    /// Waits until it has this opinion: what a server has just been asked is seen a moment later.
    async fn votes(&self, idle: bool) {
        self.runs().await;
        let what = format!(
            "it says that its server is {}",
            if idle { "idle" } else { "busy" }
        );
        wait_for(PATIENCE, &what, async || {
            let said = self.asked().await;
            said.is_ok_and(|opinion| opinion.is_idle == idle).then_some(())
        })
        .await;
        assert_eq!(self.process.restarts(), 0, "{:?}", self.process.complaints(12));
    }
}

/// Says something to a server, and hands back the connection once it has answered so.
async fn said_to(server: SocketAddr, words: &str, answer: &str) -> TcpStream {
    let mut connection = TcpStream::connect(server).await.expect("it listens");
    connection.write_all(words.as_bytes()).await.expect("it reads");
    let mut heard = vec![0; answer.len()];
    connection.read_exact(&mut heard).await.expect("it answers");
    assert_eq!(String::from_utf8_lossy(&heard), answer);
    connection
}

#[tokio::test]
async fn what_the_python_redis_monitor_asks_for_is_enough_to_see_its_clients() {
    let (official, server) = (
        Official::of("redis-monitor", "redis_url").await,
        Redis::start().await,
    );
    let port = server.port().to_string();
    let fenced = official
        .sees_with_what_it_asks_for("tcp", &[("6379", &port)])
        .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(said_to(server.address(), "PING\r\n", "+PONG\r\n").await);
    }
    fenced.votes(false).await;
}

#[tokio::test]
async fn what_the_go_queue_monitor_asks_for_is_enough_to_see_its_queue() {
    let (official, server) = (
        Official::of("queue-monitor", "\"redis\"").await,
        Redis::start().await,
    );
    let port = server.port().to_string();
    let fenced = official
        .sees_with_what_it_asks_for("tcp", &[("6379", &port)])
        .await;
    drop(said_to(server.address(), "RPUSH celery job\r\n", ":1\r\n").await);
    fenced.votes(false).await;
    drop(said_to(server.address(), "DEL celery\r\n", ":1\r\n").await);
    fenced.votes(true).await;
}

#[tokio::test]
async fn what_the_typescript_http_monitor_asks_for_is_enough_to_see_its_requests() {
    let install = [official()
        .join("http-monitor/test/install.sh")
        .display()
        .to_string()];
    build(&install, &official(), PATIENCE)
        .await
        .expect("nginx is there, or is taken out of its package");
    let (official, server) = (
        Official::of("http-monitor", "access_log").await,
        Nginx::start().await,
    );
    let log = server.access_log();
    let place = log.parent().expect("it lies in a folder").display().to_string();
    let fenced = official
        .sees_with_what_it_asks_for("read", &[("/var/log/nginx", &place)])
        .await;
    for _ in 0..30 {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        drop(said_to(server.address(), request, "HTTP/1.1 200 OK").await);
    }
    fenced.votes(false).await;
}
