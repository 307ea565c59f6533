//! A broker with everything set up, hosts that say what a test wants them to say, and the program beside them.

use crate::{Done, snooze};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Bus, EXECUTOR_QUEUE, Role, RunnerVerb, Subject, SubjectFilter, User, keys};
use snooze_schemas::{
    ErrorCode, Refusal,
    host::{ListPlugins, PluginList, Validate, Validated},
    metrics::Metrics,
    ops::{HostReport, Query, QueryResult},
    plugin::{
        inspection::{CheckPlugins, ReadLog, ReadStats},
        management::{LoadPlugin, ReloadPlugins, UnloadPlugin},
    },
    policy::ConfigLayer,
};
use snooze_test_harness::NatsServer;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// What a host has, as its runner would list it; a test changes it as it goes.
pub(crate) type Plugins = Arc<Mutex<Value>>;

pub(crate) struct Place {
    pub(crate) server: NatsServer,
    pub(crate) administrator: Bus,
}

pub(crate) fn user(role: Role, name: &str) -> User {
    match role {
        Role::Source => User::source(&name.parse().expect("a source")),
        role => User::named(role, name).expect("a name"),
    }
}

impl Place {
    pub(crate) async fn new() -> Place {
        let server = NatsServer::with_roles().await;
        let set_up = server.bus(&user(Role::SetUp, "set-up")).await;
        set_up.set_up().await.expect("sets up");
        Place {
            administrator: server.bus(&user(Role::Administrator, "ada")).await,
            server,
        }
    }

    /// What somebody types before a command to be this person.
    pub(crate) fn connection(&self, role: Role) -> Vec<String> {
        let text = |path: PathBuf| path.into_os_string().into_string().expect("plain names");
        let credentials = text(self.server.credentials(&user(role, "ada")));
        ["--server", &self.server.url(), "--credentials", &credentials]
            .map(str::to_owned)
            .into()
    }

    /// Runs `snooze plugin …` as this person.
    pub(crate) async fn plugin(&self, role: Role, arguments: &[&str]) -> Done {
        self.snooze(role, &[&["plugin"], arguments].concat()).await
    }

    /// Runs any command as this person.
    pub(crate) async fn snooze(&self, role: Role, arguments: &[&str]) -> Done {
        let connection = self.connection(role);
        let mut all: Vec<&str> = connection.iter().map(String::as_str).collect();
        all.extend(arguments);
        snooze(&all).await
    }

    pub(crate) async fn layer(&self, key: &str) -> ConfigLayer {
        let bucket = self.administrator.bucket(Bucket::Config);
        let found = bucket.get(key).await.expect("reads");
        found.map(|entry| entry.value).unwrap_or_default()
    }

    /// The layer of one host.
    pub(crate) async fn layer_of(&self, host: &str) -> ConfigLayer {
        let host = host.parse().expect("a host id");
        self.layer(&keys::host_key(&host)).await
    }

    /// An executor that knows these hosts, in the group `default` or, as `db/batch`, in another one.
    pub(crate) async fn executor(&self, hosts: &[&str]) {
        self.executor_telling(hosts, usize::MAX).await;
    }

    /// One that tells so many of them in one answer.
    pub(crate) async fn executor_telling(&self, hosts: &[&str], at_once: usize) {
        let bus = self.server.bus(&user(Role::Executor, "e1")).await;
        let filter = SubjectFilter::AllOps;
        let mut heard = bus
            .subscribe(&filter, Some(EXECUTOR_QUEUE))
            .await
            .expect("subscribes");
        let mut reports: Vec<HostReport> = hosts.iter().map(|host| report(host)).collect();
        reports.sort_by(|one, other| one.host.cmp(&other.host));
        tokio::spawn(async move {
            while let Some(delivery) = heard.next().await {
                let asked: Query = delivery.read().expect("only queries are sent here");
                let is_asked = |report: &&HostReport| {
                    asked.host.as_ref().is_none_or(|host| *host == report.host)
                        && asked.after.as_ref().is_none_or(|after| *after < report.host)
                };
                let mut hosts: Vec<HostReport> = reports.iter().filter(is_asked).cloned().collect();
                let truncated = hosts.len() > at_once;
                hosts.truncate(at_once);
                let last = hosts.last().map(|report| report.host.clone());
                let result = QueryResult {
                    frozen: None,
                    next: last.filter(|_| truncated),
                    hosts,
                    truncated,
                };
                delivery.answer(Ok(result)).await.expect("answers");
            }
        });
    }

    /// A host whose runner lists these plugins, and refuses every configuration in the words that it was asked in.
    pub(crate) async fn host(&self, name: &str, plugins: Value) -> Plugins {
        let host = name.parse().expect("a host id");
        let bus = self.server.bus(&User::host(&host)).await;
        let plugins: Plugins = Arc::new(Mutex::new(plugins));
        let mut heard = bus
            .subscribe(&SubjectFilter::RunnerOf(host), None)
            .await
            .expect("subscribes");
        let known = plugins.clone();
        tokio::spawn(async move {
            while let Some(delivery) = heard.next().await {
                let verb = match delivery.subject() {
                    Subject::Runner { verb, .. } => *verb,
                    other => panic!("{other} is none of a runner's"),
                };
                if verb == RunnerVerb::Validate {
                    let asked: Validate = delivery.read().expect("it is of this kind");
                    let text = serde_json::to_string(&asked).expect("it was JSON");
                    let refused = Err::<Validated, _>(Refusal::new(ErrorCode::BadRequest, text));
                    delivery.answer(refused).await.expect("answers");
                    continue;
                }
                let asked = match verb {
                    RunnerVerb::Plugins => delivery.read::<ListPlugins>().map(|asked| asked.plugin),
                    RunnerVerb::Load => delivery.read::<LoadPlugin>().map(|asked| Some(asked.plugin)),
                    RunnerVerb::Unload => delivery.read::<UnloadPlugin>().map(|asked| Some(asked.plugin)),
                    RunnerVerb::Reload => delivery.read::<ReloadPlugins>().map(|asked| asked.plugin),
                    RunnerVerb::Check => delivery.read::<CheckPlugins>().map(|asked| asked.plugin),
                    RunnerVerb::Stats => delivery.read::<ReadStats>().map(|asked| asked.plugin),
                    RunnerVerb::Logs => delivery.read::<ReadLog>().map(|asked| Some(asked.plugin)),
                    other => panic!("nothing here asks for {other}"),
                };
                let asked = asked.expect("it is of this kind");
                let known = known.lock().expect("nothing panics").clone();
                let mut list: PluginList = serde_json::from_value(json!({"plugins": known})).expect("a list");
                if let Some(plugin) = &asked {
                    list.plugins.retain(|status| status.info.name == plugin.as_str());
                }
                if verb == RunnerVerb::Unload {
                    list.plugins
                        .iter_mut()
                        .for_each(|status| status.state = "unloaded".to_owned());
                }
                if !list.plugins.is_empty()
                    && let Some(told) = told(verb, &list)
                {
                    delivery.answer(Ok(told)).await.expect("answers");
                    continue;
                }
                let answer = match (&asked, list.plugins.is_empty()) {
                    (Some(plugin), true) => {
                        Err(Refusal::new(ErrorCode::NotFound, format!("no plugin {plugin}")))
                    }
                    _ => Ok(list),
                };
                delivery.answer(answer).await.expect("answers");
            }
        });
        plugins
    }
}

fn report(host: &str) -> HostReport {
    let (host, group) = host.split_once('/').unwrap_or((host, "default"));
    serde_json::from_value(json!({
        "host": host, "group": group, "instance": format!("sim-{host}"), "provider": "simulated",
        "decision": {"decision": "stay", "summary": "", "idle_ms": 0, "naptime_ms": 1, "obstacles": []},
        "phase": "free",
    }))
    .expect("a report")
}

/// What is told of them beside that they are there: all would say that nobody is there, were asked as often as they
/// are listed with, and have complained once.
fn told(verb: RunnerVerb, list: &PluginList) -> Option<Value> {
    let names = list.plugins.iter().map(|status| &status.info.name);
    match verb {
        RunnerVerb::Check => {
            let results: Vec<Value> = names
                .map(|name| json!({"plugin": name, "state": "idle", "reason": "nobody", "took_us": 940}))
                .collect();
            Some(json!({"metrics": Metrics::default(), "results": results}))
        }
        RunnerVerb::Stats => {
            let plugins = list.plugins.iter();
            let plugins: Vec<Value> = plugins
                .map(|status| json!({"plugin": status.info.name, "stats": status.stats}))
                .collect();
            Some(json!({"plugins": plugins}))
        }
        RunnerVerb::Logs => {
            let line = json!({"at": "2026-01-02T03:04:05Z", "text": "no door"});
            Some(json!({"lines": [line], "dropped": 0}))
        }
        _ => None,
    }
}

/// A plugin as a runner lists it, with these rights.
pub(crate) fn status(name: &str, rights: &Value) -> Value {
    json!({
        "info": {"name": name, "version": "1.2.3", "official": true}, "runtime": "process", "origin": "/plugins",
        "state": "running", "rights": rights,
        "stats": {"calls": 7, "errors": 0, "time_outs": 0, "restarts": 0},
    })
}

/// Of a plugin that asks for two things and has one of them.
pub(crate) fn rights() -> Value {
    json!({
        "asked": {"tcp": [{"port": 6379}], "read": ["/etc/redis"]}, "granted": {"tcp": [{"port": 6379}]},
        "manifest_sha256": "a".repeat(64), "entry_sha256": "b".repeat(64),
        "not_enforced": ["memory: there is no control group"],
    })
}
