//! Hostile children: each costs its own answer, and leaves nothing behind.

mod answers;

use super::*;
use crate::{line::Method, pipes::PipeError};
use serde_json::json;
use snooze_schemas::event::Severity;
use snooze_test_harness::{wait_for, wait_until};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

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
            restarts: Restarts {
                first: Duration::from_millis(10),
                longest: Duration::from_millis(50),
                ..Restarts::default()
            },
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

fn id_in(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[tokio::test]
async fn an_honest_plugin_is_asked_again_and_again() {
    let stand = Stand::of(&python(HONEST)).await;
    assert_eq!(stand.plugin.name().as_str(), "tested");
    for call in 1..=100 {
        assert_eq!(stand.check(SOON).await.expect("an answer")["call"], call);
    }
    assert_eq!((stand.plugin.restarts(), stand.plugin.strays()), (0, 0));
}

#[tokio::test]
async fn a_hanging_plugin_costs_its_own_time_out_and_is_started_again() {
    let stand = Stand::of(&python("linger(3600)")).await;
    stand
        .costs_the_process(BRIEF, |error| matches!(error, CallError::TimedOut(_)))
        .await;
}

#[tokio::test]
async fn a_crash_is_no_answer() {
    let stand = Stand::of(&python("os._exit(3)")).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::StdoutClosed))
        })
        .await;
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let stand = Stand::of(&python(r#"print("Traceback: idle = True", flush=True)"#)).await;
    stand
        .costs_the_process(SOON, |error| matches!(error, CallError::Garbage(_)))
        .await;
}

#[tokio::test]
async fn a_flood_of_answers_to_nothing_is_cut_off() {
    let flood = "while True: say({'is_idle': True}, 0)";
    let stand = Stand::of(&python(flood)).await;
    stand
        .costs_the_process(SOON, |error| matches!(error, CallError::Flood))
        .await;
}

#[tokio::test]
async fn half_a_line_is_no_answer() {
    let half = r#"sys.stdout.write('{"result": {"is_idle": true}, "id": %d' % id); sys.stdout.flush(); linger(3600)"#;
    let stand = Stand::of(&python(half)).await;
    stand
        .costs_the_process(BRIEF, |error| matches!(error, CallError::TimedOut(_)))
        .await;
}

#[tokio::test]
async fn half_a_line_and_an_end_is_no_answer() {
    let half = r#"sys.stdout.write('{"result": {"is_idle": true}, "id": %d}' % id); sys.stdout.flush(); os._exit(0)"#;
    let stand = Stand::of(&python(half)).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::StdoutClosed))
        })
        .await;
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_is_not_taken_in() {
    let endless = r#"
chunk = "x" * (1 << 20)
for n in range(100): sys.stdout.write(chunk)
sys.stdout.write("\n")"#;
    let stand = Stand::of(&python(endless)).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::LineTooLong))
        })
        .await;
}

#[tokio::test]
async fn the_second_of_two_answers_does_not_count_for_the_next_question() {
    let twice = r#"
say({"is_idle": True, "call": calls}, id)
say({"is_idle": True, "call": -calls}, id)"#;
    let stand = Stand::of(&python(twice)).await;
    for call in 1..=5 {
        assert_eq!(stand.check(SOON).await.expect("an answer")["call"], call);
    }
    assert_eq!(
        stand.plugin.strays(),
        4,
        "the last second answer has not been read yet"
    );
}

#[tokio::test]
async fn an_answer_to_another_question_is_no_answer() {
    let stand = Stand::of(&python(r#"say({"is_idle": True}, id + 1)"#)).await;
    stand
        .costs_the_process(BRIEF, |error| matches!(error, CallError::TimedOut(_)))
        .await;
    assert!(stand.plugin.strays() >= 1);
}

#[tokio::test]
async fn its_own_word_that_it_failed_costs_only_this_answer() {
    let stand = Stand::of(&python(r#"say({"error": "server is down"}, id)"#)).await;
    let process = stand.plugin.process_id();
    for _ in 0..3 {
        let error = stand.check(SOON).await.expect_err("an error");
        assert!(
            matches!(&error, CallError::Said(said) if said.text == "server is down"),
            "{error:?}"
        );
    }
    assert_eq!(stand.plugin.process_id(), process, "it runs on");
}

#[tokio::test]
async fn a_plugin_that_reads_nothing_blocks_nobody() {
    let deaf = "#!/usr/bin/env python3\nimport json, signal, sys\nfor _ in ('Info', 'Initialize'):\n    r = json.loads(sys.stdin.readline())\n    print(json.dumps({'result': {}, 'id': r['id']}), flush=True)\nsignal.pause()\n";
    let stand = Stand::of(deaf).await;
    let much = json!({"metrics": "x".repeat(1 << 20)});
    let error = stand
        .plugin
        .call(Method::CheckIdle, &much, BRIEF)
        .await
        .expect_err("no answer");
    assert!(matches!(error, CallError::TimedOut(_)), "{error:?}");
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_ended_all_the_same() {
    let stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nlinger(3600)";
    let mut stand = Stand::of(&python(stubborn)).await;
    let process = stand.plugin.process_id().expect("it has a process");
    drop(stand.check(BRIEF).await);
    stand.plugin.stop();
    tokio::time::timeout(SOON, &mut stand.task)
        .await
        .expect("the supervisor ends")
        .expect("well");
    assert!(!is_alive(process));
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipe_dies_with_its_family() {
    let family = r#"
child = subprocess.Popen(["sleep", "3600"])
open("grandchild", "w").write(str(child.pid))
os._exit(0)"#;
    let stand = Stand::of(&python(family)).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::StdoutClosed))
        })
        .await;
    let grandchild = id_in(&stand.folder.path().join("grandchild")).expect("it was started");
    wait_until(SOON, "the grandchild is gone", async || !is_alive(grandchild)).await;
}

#[tokio::test]
async fn a_plugin_is_told_nothing_of_our_environment() {
    let stand = Stand::of(&python(
        r#"say({"is_idle": True, "env": sorted(os.environ)}, id)"#,
    ))
    .await;
    let answer = stand.check(SOON).await.expect("an answer");
    let mut names: Vec<&str> = answer["env"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    // Python's own start sets this one where the locale is C.
    names.retain(|name| *name != "LC_CTYPE");
    assert_eq!(names, ["HOME", "LANG", "PATH"]);
}

#[tokio::test]
async fn questions_wait_for_one_another_and_no_longer_than_they_may() {
    let stand = Stand::of(&python("linger(0.3)\nsay({'is_idle': True, 'call': calls}, id)")).await;
    let (first, second) = tokio::join!(stand.check(SOON), stand.check(Duration::from_millis(50)));
    assert_eq!(first.expect("an answer")["call"], 1);
    assert!(matches!(second.expect_err("no time"), CallError::Occupied(_)));
    assert_eq!(
        stand.check(SOON).await.expect("the process was left alone")["call"],
        2
    );
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn a_question_that_is_given_up_in_the_middle_spoils_no_later_one() {
    let stand = Stand::of(&python(
        "linger(0.2 if calls == 1 else 0)\nsay({'is_idle': True, 'call': calls}, id)",
    ))
    .await;
    let given_up = tokio::time::timeout(Duration::from_millis(20), stand.check(SOON)).await;
    assert!(given_up.is_err());
    wait_until(SOON, "it is started again", async || stand.plugin.restarts() == 1).await;
    stand.running().await;
    stand.recovered().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_tried_again_and_never_answers() {
    let stand = Stand::starting("#!/nonexistent/interpreter\n");
    wait_until(SOON, "it was tried again", async || stand.plugin.restarts() >= 2).await;
    assert!(matches!(
        stand.check(BRIEF).await.expect_err("no answer"),
        CallError::NotRunning(_)
    ));
}

#[tokio::test]
async fn a_plugin_that_refuses_its_configuration_does_not_answer() {
    let choosy = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        "elif request[\"method\"] == \"Configure\":\n        say({\"success\": False}, id)\n    elif request[\"method\"] != \"CheckIdle\":",
    );
    let stand = Stand::of(&choosy).await;
    stand.recovered().await;
    stand.configured(&json!({"a": 1}));
    wait_until(SOON, "it is started again", async || stand.plugin.restarts() >= 1).await;
    let error = stand.check(BRIEF).await.expect_err("no answer");
    assert!(
        matches!(&error, CallError::NotRunning(why) if why.contains("configuration")),
        "{error:?}"
    );
}

/// A plugin that says what it was configured with. The first time it waits, while it is told, for the file
/// `go`, having made the file `told`.
fn configurable() -> String {
    python(r#"say({"is_idle": True, "config": config}, id)"#)
        .replace("calls = 0\n", "calls = 0\nconfig = {}\n")
        .replace(
            r#"elif request["method"] != "CheckIdle":"#,
            r#"elif request["method"] == "Configure":
        config.update(request["params"]["config"])
        open("told", "w").close()
        while not os.path.exists("go"): linger(0.01)
        say({"success": True}, id)
    elif request["method"] != "CheckIdle":"#,
        )
}

#[tokio::test]
async fn t3_a_configuration_that_changes_during_the_handshake_is_not_lost() {
    let stand = Stand::starting(&configurable());
    stand.configured(&json!({"limit": 1}));
    let (told, go) = (stand.folder.path().join("told"), stand.folder.path().join("go"));
    wait_until(SOON, "it is being configured", async || told.exists()).await;
    stand.configured(&json!({"limit": 2}));
    fs::write(go, "").expect("writes");
    assert_eq!(
        stand.recovered().await["config"]["limit"],
        2,
        "nothing is asked under the old one"
    );
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn t3_a_process_is_started_anew_when_a_key_of_its_configuration_vanishes() {
    let stand = Stand::starting(&configurable());
    stand.configured(&json!({"limit": 1, "url": "a"}));
    fs::write(stand.folder.path().join("go"), "").expect("writes");
    assert_eq!(stand.recovered().await["config"]["url"], "a");
    stand.configured(&json!({"limit": 1}));
    assert_eq!(stand.recovered().await["config"], json!({"limit": 1}));
    assert_eq!(stand.plugin.restarts(), 1);
}

#[tokio::test]
async fn one_that_hangs_while_it_is_configured_is_ended_all_the_same() {
    let mut stand = Stand::with_patience(&configurable(), Duration::from_secs(3600));
    stand.running().await;
    stand.configured(&json!({"limit": 1}));
    let told = stand.folder.path().join("told");
    wait_until(SOON, "it is being configured", async || told.exists()).await;
    let process = stand.plugin.process_id().expect("it has a process");
    stand.plugin.stop();
    let ended = tokio::time::timeout(SOON, &mut stand.task).await;
    ended.expect("it ends in time").expect("it does not panic");
    assert!(!is_alive(process));
}

#[tokio::test]
async fn t3_nothing_is_asked_of_a_process_that_is_replaced_for_its_configuration() {
    let script = configurable().replace(
        r#"        say({"is_idle": True, "config": config}, id)"#,
        r#"        open("asked", "a").write(json.dumps(config))
        say({"is_idle": True, "config": config}, id)"#,
    );
    let stand = Stand::starting(&script);
    stand.configured(&json!({"limit": 1, "url": "a"}));
    fs::write(stand.folder.path().join("go"), "").expect("writes");
    stand.running().await;
    // The supervisor is next in the queue, and events of any severity are behind it.
    let turn = stand.plugin.turns.turn(Urgency::Question).await;
    stand.configured(&json!({"limit": 1}));
    let event = stand
        .plugin
        .call_by(Method::CheckIdle, Severity::Critical, SOON, |_| json!({}));
    let hands_on = async {
        // It waits for its turn by now, as does the event.
        wait_until(SOON, "both wait", async || {
            format!("{:?}", stand.plugin.turns).contains("waiting: 2")
        })
        .await;
        drop(turn);
    };
    let (answer, ()) = tokio::join!(event, hands_on);
    assert!(matches!(answer, Err(CallError::NotRunning(_))), "{answer:?}");
    assert_eq!(stand.recovered().await["config"], json!({"limit": 1}));
    let all_asked = fs::read_to_string(stand.folder.path().join("asked")).expect("it was asked");
    assert!(!all_asked.contains("url"), "{all_asked}");
}

#[tokio::test]
async fn e3_a_critical_event_goes_before_what_waits() {
    let script = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        r#"elif request["method"] == "HandleEvent":
        while not os.path.exists("go"): linger(0.01)
        open("order", "a").write(request["params"] + " ")
        say({}, id)
    elif request["method"] != "CheckIdle":"#,
    );
    let stand = Stand::of(&script).await;
    let event = |name: &'static str, severity| {
        stand
            .plugin
            .call_by(Method::HandleEvent, severity, SOON, move |_| name)
    };
    let first = event("first", Severity::Info);
    let others = async {
        let info = event("info", Severity::Info);
        let warning = event("warning", Severity::Warning);
        let critical = event("critical", Severity::Critical);
        let go = async {
            wait_until(SOON, "all wait", async || {
                format!("{:?}", stand.plugin.turns).contains("waiting: 3")
            })
            .await;
            fs::write(stand.folder.path().join("go"), "").expect("writes");
        };
        tokio::join!(info, warning, critical, go)
    };
    let (first, (info, warning, critical, ())) = tokio::join!(first, others);
    for answer in [first, info, warning, critical] {
        answer.expect("it is handled");
    }
    let order = fs::read_to_string(stand.folder.path().join("order")).expect("it is written");
    assert_eq!(order, "first critical warning info ");
}

#[tokio::test]
async fn a_question_has_its_own_time_from_when_it_is_its_turn() {
    let stand = Stand::of(&python(
        "linger(3 if calls == 1 else 0)\nsay({'is_idle': True, 'call': calls}, id)",
    ))
    .await;
    let limits = Limits {
        queue: SOON,
        own: Duration::from_secs(2),
    };
    let params = json!({"metrics": {}});
    let second = stand.plugin.call(Method::CheckIdle, &params, limits);
    let (first, second) = tokio::join!(stand.check(SOON), second);
    first.expect("an answer");
    assert_eq!(
        second.expect("its own time was not spent in the queue")["call"],
        2
    );
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn a_flood_of_complaints_blocks_nobody() {
    let noisy = format!("sys.stderr.write('it is hot\\n' * 200_000)\n{HONEST}");
    let stand = Stand::of(&python(&noisy)).await;
    for call in 1..=3 {
        assert_eq!(stand.check(SOON).await.expect("an answer")["call"], call);
    }
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn one_that_keeps_silent_about_events_is_asked_all_the_same() {
    let silent = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        "elif request[\"method\"] == \"GetSupportedEvents\":\n        pass\n    elif request[\"method\"] != \"CheckIdle\":",
    );
    let stand = Stand::of(&silent).await;
    assert_eq!(stand.plugin.events().as_deref(), Some(&[][..]));
    assert_eq!(stand.check(SOON).await.expect("an answer")["call"], 1);
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn a_disabled_plugin_has_no_process() {
    let stand = Stand::of(&python(HONEST)).await;
    let process = stand.plugin.process_id().expect("it has a process");
    stand.plugin.want(Wanted::Disabled);
    wait_until(SOON, "it is ended", async || !is_alive(process)).await;
    assert!(stand.check(BRIEF).await.is_err());
    stand.plugin.want(Wanted::Running);
    stand.running().await;
    stand.recovered().await;
}

#[tokio::test]
async fn a_supervisor_that_is_dropped_leaves_no_process() {
    let stand = Stand::of(&python(HONEST)).await;
    let process = stand.plugin.process_id().expect("it has a process");
    drop(stand);
    wait_until(SOON, "the process is gone", async || !is_alive(process)).await;
}
