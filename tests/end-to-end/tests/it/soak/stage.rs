//! The path that an event takes as processes: a broker with the product's configuration, a gateway at the centre, and on
//! one host a runner with two handlers, and a gateway where the host notices something itself. Any of them is killed and
//! started again.

use super::{
    LIMIT,
    moment::Plan,
    records::{HANDLERS, Records, handler},
};
use crate::{
    place::{Place, Run},
    processes,
    separate::{HOST, host, named},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use snooze_bus::{Bucket, Bus, Role, RunnerVerb, Subject, User, keys};
use snooze_schemas::{
    Timestamp,
    host::{ListPlugins, PluginList},
    plugin::management::ReloadPlugins,
    roster::SourceRecord,
};
use snooze_test_harness::{NatsServer, wait_for, wait_until};
use std::{fs, sync::Arc, time::Duration};

/// Who sends events.
pub(crate) const SOURCE: &str = "soak";

/// What an answer over the bus may take.
const ANSWER: Duration = Duration::from_secs(5);

/// An operator looks after a handler that crashes again and again, before its tenth crash in a row.
const CRASHES: u32 = 5;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Centre,
    Host,
    Runner,
    Handler,
    Broker,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Centre => "gateway-centre",
            Self::Host => "gateway-host",
            Self::Runner => "runner",
            Self::Handler => "handler",
            Self::Broker => "broker",
        }
    }
}

/// All of it.
pub(crate) struct Stage {
    centre: Option<Run>,
    gateway: Option<Run>,
    runner: Option<Run>,
    /// Which handler was killed last, and how often each.
    handler: usize,
    crashes: [u32; HANDLERS.len()],
    /// When something was killed for which a handler may be asked again, in nanoseconds since 1970.
    pub(crate) kills: Vec<i128>,
    /// When the broker was killed last, in nanoseconds since 1970.
    pub(crate) broker_killed_at: i128,
    pub(crate) records: Arc<Records>,
    pub(crate) admin: Bus,
    pub(crate) server: NatsServer,
    pub(crate) place: Place,
}

impl Stage {
    /// Centre and runner at work. What else the host's configuration says is given.
    pub(crate) async fn start(more: &Value) -> Stage {
        let mut stage = Stage::set(more).await;
        stage.begin(Part::Centre);
        stage.begin(Part::Runner);
        stage.until_handlers_run().await;
        stage
    }

    /// Only the broker, and nothing on it but the streams and the source's record.
    pub(crate) async fn set(more: &Value) -> Stage {
        let server = NatsServer::with_roles().await;
        let set_up = server.bus(&named(Role::SetUp, "set-up")).await;
        set_up.set_up().await.expect("the set-up may make everything");
        let admin = server.bus(&named(Role::Administrator, "ada")).await;
        let config = admin.bucket(Bucket::Config);
        let record = json!({"hosts": "all", "max_severity": 3});
        let record: SourceRecord = serde_json::from_value(record).expect("a record");
        let key = keys::source_key(&SOURCE.parse().expect("a source"));
        config
            .put(&key, &record)
            .await
            .expect("an administrator names a source");
        // The runner waits for it a moment before it begins.
        let layer = json!({"policy": {"mode": "observe"}});
        config
            .put(keys::FLEET, &layer)
            .await
            .expect("an administrator writes the policy");
        let place = Place::new();
        let folder = place.path("records");
        fs::create_dir(&folder).expect("a folder of our own");
        for name in HANDLERS {
            place.write_plugin(&format!("{name}.py"), &handler(name, &folder));
        }
        let stage = Stage {
            centre: None,
            gateway: None,
            runner: None,
            handler: 0,
            crashes: [0; HANDLERS.len()],
            kills: Vec::new(),
            broker_killed_at: 0,
            records: Arc::new(Records::in_folder(&folder)),
            admin,
            server,
            place,
        };
        stage.configure(more);
        stage
    }

    fn configure(&self, more: &Value) {
        let folder = self.place.text("records");
        let of = |idempotent: bool| {
            // Else what is not urgent has half a minute, of which a crashed handler is away for most.
            let terms = json!({"idempotent": idempotent, "timeout_seconds": 120});
            let events = ["custom", "cloud.spot.interrupt", "cloud.instance.maintenance"];
            let events: serde_json::Map<_, _> = events
                .into_iter()
                .map(|event_type| (event_type.to_owned(), terms.clone()))
                .collect();
            json!({"permissions": {"write": [folder]}, "events": events})
        };
        let [first, second] = HANDLERS;
        let mut config = json!({"plugins": {
            "enabled": true, "directories": [self.place.text("plugins")],
            "plugin_configs": {first: of(true), second: of(false)},
        }});
        let (Value::Object(config_map), Value::Object(more)) = (&mut config, more) else {
            panic!("a configuration is an object");
        };
        config_map.extend(more.clone());
        self.place.write("snooze.json", &config.to_string());
    }

    /// A connection of who sends events.
    pub(crate) async fn source(&self) -> Bus {
        let source = SOURCE.parse().expect("a source");
        self.server.bus(&User::source(&source)).await
    }

    /// Starts a process that is not there.
    pub(crate) fn begin(&mut self, part: Part) {
        let on_host = User::host(&host());
        let state = self.place.text("state");
        let run = match part {
            Part::Centre => {
                let user = named(Role::Gateway, "gateway");
                self.run("snooze-event-gateway", &["centre"], &user, &[])
            }
            Part::Host => {
                let arguments = ["--host", HOST, "--state", &state];
                self.run("snooze-event-gateway", &["host"], &on_host, &arguments)
            }
            Part::Runner => {
                let arguments = ["--host", HOST, "--state", &state];
                self.run("snooze-plugin-runner", &[], &on_host, &arguments)
            }
            Part::Handler | Part::Broker => panic!("{part:?} is nobody's to start"),
        };
        *self.process(part) = Some(run);
    }

    fn run(&self, service: &str, part: &[&str], user: &User, more: &[&str]) -> Run {
        self.place.start_on((&self.server, user), service, part, more)
    }

    fn process(&mut self, part: Part) -> &mut Option<Run> {
        match part {
            Part::Centre => &mut self.centre,
            Part::Host => &mut self.gateway,
            Part::Runner => &mut self.runner,
            Part::Handler | Part::Broker => panic!("{part:?} is no process of ours"),
        }
    }

    /// SIGKILL to one of them, and nobody else ended meanwhile.
    pub(crate) async fn kill(&mut self, part: Part, plan: &mut Plan) {
        self.nobody_ended();
        match part {
            Part::Broker => {
                self.server.kill();
                self.broker_killed_at = Timestamp::now().as_nanosecond();
            }
            Part::Handler => {
                self.handler = plan.below(HANDLERS.len());
                let id = self.until_handler_is_there().await;
                processes::signal(id, Signal::KILL);
                self.crashes[self.handler] += 1;
            }
            Part::Centre | Part::Host | Part::Runner => {
                let mut run = self.process(part).take().expect("it runs");
                run.kill();
            }
        }
        if matches!(part, Part::Runner | Part::Handler) {
            self.kills.push(Timestamp::now().as_nanosecond());
        }
    }

    /// Starts it again, where nobody else does.
    pub(crate) async fn mend(&mut self, part: Part) {
        match part {
            Part::Broker => self.server.restart().await,
            Part::Handler if self.crashes[self.handler].is_multiple_of(CRASHES) => {
                let plugin = HANDLERS[self.handler].parse().expect("a name");
                let order = ReloadPlugins { plugin: Some(plugin) };
                let subject = runner(RunnerVerb::Reload);
                let done = self
                    .admin
                    .request::<_, PluginList>(&subject, &order, ANSWER)
                    .await;
                done.expect("an administrator may");
            }
            Part::Handler => {}
            Part::Centre | Part::Host | Part::Runner => self.begin(part),
        }
    }

    fn nobody_ended(&mut self) {
        let runs = [&mut self.centre, &mut self.gateway, &mut self.runner];
        for run in runs.into_iter().flatten() {
            assert!(run.is_running(), "a service ended by itself");
        }
    }

    async fn until_handler_is_there(&self) -> u32 {
        let file = format!("{}.py", HANDLERS[self.handler]);
        let runner = self.runner.as_ref().expect("it runs").id();
        wait_for(LIMIT, "the handler is there", async || {
            processes::called(&processes::below(runner), &file).pop()
        })
        .await
    }

    /// Waits until all handlers run.
    pub(crate) async fn until_handlers_run(&self) {
        let subject = runner(RunnerVerb::Plugins);
        wait_until(LIMIT, "all handlers run", async || {
            let list = self
                .admin
                .request::<_, PluginList>(&subject, &ListPlugins::default(), ANSWER)
                .await;
            list.is_ok_and(|list| {
                let running = list.plugins.iter().filter(|plugin| plugin.state == "running");
                running.count() == HANDLERS.len()
            })
        })
        .await;
    }
}

fn runner(verb: RunnerVerb) -> Subject {
    Subject::Runner { host: host(), verb }
}
