//! What plugins/PROTOCOL.md shows of a host's file and of a shell: the configuration is judged by its reader, and each
//! command is run as it stands there, against a real broker and a real plugin. Its JSON of the protocol itself is the
//! conformance suite's to hold.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use snooze_bus::User;
use snooze_conformance::{Example, Running};
use snooze_plugin_runner::asking::ConfigBook;
use snooze_schemas::{HostId, PluginName, plugin::permissions::Permissions};
use snooze_service_runtime::config::{FixedSource, Notice, load};
use snooze_test_harness::{NatsServer, Process, nats_cli, nats_server, search_path, wait_for, wait_until};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

/// Nothing that is right takes so long; the rest is for a machine that compiles meanwhile.
const PATIENCE: Duration = Duration::from_secs(90);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The fenced blocks of this language, in their order.
fn blocks(language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("plugins/PROTOCOL.md")).expect("the document reads");
    let fenced = text
        .split(&format!("\n```{language}\n"))
        .skip(1)
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let ended = fenced
        .iter()
        .map(|rest| rest.split("\n```").next().expect("a block has an end").to_owned());
    ended.collect()
}

/// The block with these words, one of three: none is left that no test here runs.
fn shell(words: &str) -> String {
    let all = blocks("sh");
    assert_eq!(all.len(), 3, "{all:#?}");
    let mut found = all.into_iter().filter(|block| block.contains(words));
    let block = found.next().unwrap_or_else(|| panic!("no block says {words:?}"));
    assert!(found.next().is_none(), "two blocks say {words:?}");
    block
}

/// A home, and a folder that commands are typed in.
struct Desk {
    around: tempfile::TempDir,
    environment: BTreeMap<String, OsString>,
}

impl Desk {
    fn new(program: &Path, environment: &[(&str, OsString)]) -> Desk {
        let around = tempfile::tempdir().expect("a folder");
        // A plugin may be a user of its own.
        fs::set_permissions(around.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let programs = program.parent().expect("a program lies in a folder").display();
        let path = format!("{programs}:{}", search_path());
        let mut all = BTreeMap::from([
            ("HOME".to_owned(), around.path().as_os_str().to_owned()),
            ("PATH".to_owned(), path.into()),
        ]);
        all.extend(
            environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Desk {
            around,
            environment: all,
        }
    }

    /// Begins to run a text of a shell in this folder.
    fn begin(&self, text: &str, folder: &Path) -> (Process, PathBuf) {
        let (out, errors) = (self.around.path().join("out"), self.around.path().join("err"));
        for file in [&out, &errors] {
            fs::write(file, "").expect("the folder is ours");
        }
        // The shell becomes the command, which is then what is ended.
        let line = format!("cd '{}' && {text}", folder.display());
        let arguments = ["-c".to_owned(), line];
        let begun = Process::start_apart(Path::new("/bin/sh"), &arguments, &self.environment, &out, &errors);
        (begun.expect("there is a shell"), errors)
    }

    /// Runs it to its end, which must be a good one, and returns what it printed.
    async fn run(&self, text: &str, folder: &Path) -> String {
        let (mut process, errors) = self.begin(text, folder);
        let ended = wait_for(PATIENCE, &format!("{text} ends"), async || process.ended()).await;
        let errors = fs::read_to_string(errors).expect("it is a file");
        assert!(ended.success(), "{text}: {}{errors}", process.said_all());
        process.said_all()
    }
}

/// What the reader of a host's file makes of the plugin's configuration: nothing where it refuses it.
fn accepted(text: &str, plugin: &PluginName) -> Map<String, Value> {
    let source = FixedSource::default().file("/etc/snooze/snooze.json", text);
    let loaded = load(&source, None).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    // None of its keys is unknown or without effect: all that is told is that it lets nothing stop this host.
    let [Notice::ObserveOnly { .. }] = &*loaded.notices else {
        panic!("{:?}", loaded.notices)
    };
    ConfigBook::new(loaded.local.plugins.configs).of(plugin)
}

#[test]
fn the_configuration_of_the_protocol_is_one_that_a_host_takes() {
    let shown = blocks("json")
        .into_iter()
        .filter(|block| block.contains("\"plugin_configs\""));
    let shown: Vec<String> = shown.collect();
    let [text, filters] = &*shown else {
        panic!("two blocks are a host's file: {shown:#?}")
    };
    let plugin = "spot-checkpoint".parse().expect("a name");
    let config = accepted(text, &plugin);
    for (text, config) in [(text, &config), (filters, &accepted(filters, &plugin))] {
        let whole: Value = serde_json::from_str(text).expect("it is JSON");
        let shown = &whole["plugins"]["plugin_configs"]["spot-checkpoint"];
        assert_eq!(Value::Object(config.clone()), *shown);
    }
    // What it grants is what is enforced: no key of it means nothing.
    let granted: Permissions = serde_json::from_value(config["permissions"].clone()).expect("permissions");
    let enforced = serde_json::to_value(granted).expect("it is written");
    for (key, value) in config["permissions"].as_object().expect("a map") {
        assert_eq!(&enforced[key], value, "{key}");
    }
    // The same reader refuses what the protocol says that it refuses.
    for (text, right, wrong) in [
        (text, "\"priority\":100", "\"priority\":\"high\""),
        (text, "\"idempotent\"", "\"idempotant\""),
        (filters, "\"numeric\"", "\"numerous\""),
    ] {
        assert!(text.contains(right), "{right}");
        assert!(
            accepted(&text.replace(right, wrong), &plugin).is_empty(),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn the_shell_asks_a_plugin_on_its_lines_as_it_stands_there() {
    let desk = Desk::new(Path::new("/bin/sh"), &[]);
    let said = desk.run(&shell("keep-awake.sh"), &root()).await;
    let answer: Value = serde_json::from_str(&said).unwrap_or_else(|cause| panic!("{cause}: {said}"));
    assert_eq!(
        (&answer["id"], &answer["result"]["is_idle"]),
        (&json!(1), &json!(true)),
        "{answer}"
    );
}

#[tokio::test]
async fn the_shell_configures_a_plugin_on_the_bus_as_it_stands_there() {
    let (server, tool) = (NatsServer::with_roles().await, nats_cli());
    let host: HostId = "web-1".parse().expect("a host id");
    let plugin: PluginName = "example-python".parse().expect("a name");
    let desk = Desk::new(&tool, &[("NATS_URL", server.url().into())]);
    let folder = desk.around.path();
    fs::copy(server.credentials(&User::host(&host)), folder.join("host.creds")).expect("a file");
    // It is built and installed as the suite's own test of all SDKs finds it.
    let sdk = root().join("plugins/sdk/python/example");
    let example = Example::read(&sdk).expect("it says how it is started");
    let mut program = example.program(&sdk, &search_path(), folder);
    let own = server
        .credentials(&User::plugin(&host, &plugin))
        .display()
        .to_string();
    program.environment.extend([
        ("SNOOZE_NATS_URL".to_owned(), server.url()),
        ("SNOOZE_NATS_CREDENTIALS".to_owned(), own),
        ("SNOOZE_HOST".to_owned(), host.to_string()),
    ]);
    let running = Running::start(&program).expect("it can be started");
    let bus = server.bus(&User::host(&host)).await;
    let subject = |method: &str| format!("snooze.v1.host.web-1.plugin.example-python.{method}");
    let there = wait_until(PATIENCE * 2, "the plugin is on the bus", async || {
        let asked = bus
            .raw_request(&subject("info"), &[], b"{}", Duration::from_secs(5))
            .await;
        asked.is_ok_and(|answer| answer.status.is_none())
    });
    let there = timeout(PATIENCE, there).await;
    there.unwrap_or_else(|_| panic!("it does not come: {}", running.log()));
    let idle_at_15 = async || {
        let body = br#"{"metrics":{"cpu_usage":15.0},"host":"web-1"}"#;
        let answer = bus
            .raw_request(&subject("check_idle"), &[], body, PATIENCE)
            .await
            .expect("it answers");
        serde_json::from_slice::<Value>(&answer.payload).expect("JSON")["is_idle"].clone()
    };
    assert_eq!(idle_at_15().await, false);
    let said = desk.run(&shell("nats req"), folder).await;
    assert!(said.contains(r#"{"success":true}"#), "{said}");
    assert_eq!(idle_at_15().await, true, "its threshold is 20 now");
}

#[tokio::test]
async fn the_shell_tests_runs_and_packs_a_plugin_as_it_stands_there() {
    let desk = Desk::new(
        Path::new(env!("CARGO_BIN_EXE_snooze")),
        &[("SNOOZE_NATS_SERVER", nats_server().into())],
    );
    let folder = desk.around.path();
    desk.run("snooze plugin new my-db --lang shell", folder).await;
    let block = shell("snooze plugin package");
    let lines: Vec<&str> = block.lines().collect();
    assert_eq!(lines.len(), 3, "{block}");
    assert!(
        desk.run(lines[0], folder)
            .await
            .contains("passed fences/it-starts")
    );

    let (mut running, errors) = desk.begin(&format!("exec {}", lines[1]), folder);
    wait_until(PATIENCE, "it shows a vote", async || {
        let said = running.said_all();
        assert!(
            running.ended().is_none(),
            "{said}{}",
            fs::read_to_string(&errors).unwrap_or_default()
        );
        said.contains("vote   my-db is idle")
    })
    .await;
    let id = i32::try_from(running.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process has an id"), Signal::INT).expect("it is ours");
    assert!(
        wait_for(PATIENCE, "it ends", async || running.ended())
            .await
            .success()
    );

    desk.run(lines[2], folder).await;
    let (_, packed) = lines[2].split_once("one file: ").expect("it names the file");
    let packed = packed.split(',').next().expect("a name");
    assert!(folder.join(packed).is_file(), "{packed}");
}
