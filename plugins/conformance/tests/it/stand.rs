//! What the tests of the suite have in common: programs, limits, and plugins on a bus.

use snooze_bus::{Bus, Role, User};
use snooze_conformance::{Limits, NatsPlugin, Program, Running, Target};
use snooze_schemas::{HostId, PluginName};
use snooze_test_harness::{NatsServer, python, search_path, wait_until};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

/// Nothing that is right takes so long; the rest is for a machine that compiles meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Limits for what keeps the contract: it is never late, the machine may be.
pub(crate) fn patient() -> Limits {
    Limits {
        start: PATIENCE,
        answer: PATIENCE,
        end: PATIENCE,
        at_once: 4,
    }
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the workspace's root")
        .to_owned()
}

/// A program with a home of its own.
pub(crate) fn program(folder: &Path, command: &[&str], home: &Path) -> Program {
    Program {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        folder: folder.to_owned(),
        search_path: search_path(),
        home: home.to_owned(),
        environment: BTreeMap::new(),
    }
}

/// The test's own example plugin, which breaks a law where it is told to.
pub(crate) fn example(home: &Path, sin: &str) -> Program {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugin");
    let python = python();
    // Without a trace in the source tree, which others read meanwhile.
    let words = [python.to_str().expect("a path of text"), "-B", "example.py"];
    let mut program = program(&folder, &words, home);
    program.environment.insert("SIN".to_owned(), sin.to_owned());
    program
}

/// The host that plugins on the bus serve here.
pub(crate) fn host() -> HostId {
    "web-1".parse().expect("a host id")
}

/// A plugin's process on the bus, which ends with this.
pub(crate) struct OnTheBus {
    pub(crate) running: Running,
    pub(crate) plugin: NatsPlugin,
}

impl OnTheBus {
    /// Starts a program as a plugin of this name, and waits until it answers.
    pub(crate) async fn start(
        server: &NatsServer,
        mut program: Program,
        name: &str,
        fleet: bool,
    ) -> OnTheBus {
        let plugin: PluginName = name.parse().expect("a plugin's name");
        let user = if fleet {
            User::fleet_plugin(&plugin)
        } else {
            User::plugin(&host(), &plugin)
        };
        let environment = &mut program.environment;
        environment.insert("SNOOZE_NATS_URL".to_owned(), server.url());
        if server.has_roles() {
            let credentials = server.credentials(&user).display().to_string();
            environment.insert("SNOOZE_NATS_CREDENTIALS".to_owned(), credentials);
        }
        if !fleet {
            environment.insert("SNOOZE_HOST".to_owned(), host().to_string());
        }
        let running = Running::start(&program).expect("it can be started");
        let asker = User::host(&host()).granting(&plugin);
        let operator = User::named(Role::Operator, "monitoring").expect("a name");
        let plugin = NatsPlugin {
            bus: server.bus(&asker).await,
            monitoring: server.bus(&operator).await,
            plugin,
            host: (!fleet).then(host),
        };
        let there = wait_until(PATIENCE * 2, "the plugin is on the bus", async || {
            is_there(&plugin.bus, &plugin).await
        });
        let there = timeout(PATIENCE, there).await;
        there.unwrap_or_else(|_| {
            let server = std::fs::read_to_string(server.log()).unwrap_or_default();
            panic!("{} does not come: {}\n{server}", plugin.plugin, running.log())
        });
        OnTheBus { running, plugin }
    }

    /// As what is asked.
    pub(crate) fn target(&self) -> Target {
        Target::Nats(Box::new(self.plugin.clone()))
    }
}

async fn is_there(bus: &Bus, plugin: &NatsPlugin) -> bool {
    let subject = plugin.subject(snooze_bus::PluginMethod::Info).to_string();
    let asked = bus
        .raw_request(&subject, &[], b"{}", Duration::from_secs(5))
        .await;
    asked.is_ok_and(|answer| answer.status.is_none())
}
