//! Handlers as the host's file names them by type of event: who is asked, when the chain ends, and what is switched off.

use crate::{
    events::{SUCCESS, all_run, event, handler, noted, outcome, send},
    stage::{SOON, Stage},
};
use serde_json::{Value, json};
use snooze_bus::RunnerVerb;
use snooze_plugin_runner::Config;
use snooze_schemas::{
    event::{EventOutcome, HandlerOutcome},
    host::{ListPlugins, PluginList},
};
use snooze_service_runtime::config::{FixedSource, load};
use snooze_test_harness::wait_until;
use std::{fs, path::Path, time::Duration};

/// A handler that did nothing, and one that failed after it had begun.
const NOTHING: &str = r#"{"handled": False, "succeeded": True}"#;
const FAILURE: &str = r#"{"handled": True, "succeeded": False, "message": "no"}"#;

/// What the file says by type, beside what it says by plugin.
fn by_type(stage: &Stage, handlers: &Value, plugins: &Value) -> Config {
    let path = Path::new("/snooze.json");
    let file = json!({"event_handlers": handlers, "plugins": {"plugin_configs": plugins}});
    let source = FixedSource::default().file(path, file.to_string());
    let local = load(&source, Some(path)).expect("the file is right").local;
    let mut config = stage.config();
    config.plugin_configs.clone_from(&local.plugins.configs);
    config.with_event_handlers(&local.event_handlers)
}

fn names(outcome: &EventOutcome) -> Vec<&str> {
    outcome
        .handlers
        .iter()
        .map(|handler| handler.plugin.as_str())
        .collect()
}

fn of<'a>(outcome: &'a EventOutcome, plugin: &str) -> &'a HandlerOutcome {
    let mut handlers = outcome.handlers.iter();
    handlers
        .find(|handler| handler.plugin.as_str() == plugin)
        .unwrap_or_else(|| panic!("{plugin} is not in {outcome:?}"))
}

/// Sends the test's event to a runner with these plugins, and returns what came of it.
async fn handled_by(stage: &Stage, config: Config) -> EventOutcome {
    let runner = stage.runner_with(config).await;
    stage.until_it_answers().await;
    all_run(stage).await;
    send(stage, event("e1"), None).await.expect("accepted");
    let outcome = outcome(stage).await;
    runner.stop().await;
    outcome
}

#[tokio::test]
async fn e3_who_is_named_by_type_or_by_plugin_is_asked_by_these_priorities_and_nobody_else() {
    let stage = Stage::set().await;
    for name in ["last", "first", "between"] {
        stage.plugin(&format!("{name}.py"), &handler(&stage, name, SUCCESS));
    }
    // It says itself that it handles it, and may have it.
    let says_so = handler(&stage, "eager", SUCCESS).replace(
        r#"    elif method == "Configure":"#,
        r#"    elif method == "GetSupportedEvents":
        result = {"events": ["custom"]}
    elif method == "Configure":"#,
    );
    stage.plugin("eager.py", &says_so);
    let handlers = json!({"custom": {"plugins": [
        {"name": "last", "priority": 1},
        {"name": "first", "priority": 100, "timeout_seconds": 20},
    ]}});
    let plugins = json!({
        "between": {"events": {"custom.backup": {}}},
        "eager": {"permissions": {"events": ["custom"]}},
    });
    let outcome = handled_by(&stage, by_type(&stage, &handlers, &plugins)).await;
    assert_eq!(names(&outcome), ["first", "between", "last"]);
    assert_eq!(outcome.not_asked, None);
    let without = by_type(&stage, &json!({}), &plugins);
    let runner = stage.runner_with(without).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e2"), None).await.expect("accepted");
    wait_until(SOON, "it was asked where nobody is named", async || {
        noted(&stage).contains(&"eager ends".to_owned())
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn what_a_type_configures_its_handler_with_is_below_what_the_plugin_is_configured_with() {
    let stage = Stage::set().await;
    let told = stage.file("told");
    let notes = handler(&stage, "saver", SUCCESS).replace(
        r#"        result = {"success": True}"#,
        &format!(
            r#"        open({told:?}, "w").write(json.dumps(request["params"]["config"], sort_keys=True))
        result = {{"success": True}}"#
        ),
    );
    stage.plugin("saver.py", &notes);
    let config = json!({"script": "/by/type", "keep": 1});
    let handlers = json!({"custom.backup": {"plugins": [{"name": "saver", "config": config}]}});
    let outcome = handled_by(
        &stage,
        by_type(&stage, &handlers, &json!({"saver": {"script": "/by/plugin"}})),
    )
    .await;
    assert_eq!(names(&outcome), ["saver"], "it is granted by being named");
    let told = fs::read_to_string(told).expect("it was configured");
    assert_eq!(told, r#"{"keep": 1, "script": "/by/plugin"}"#);
}

#[tokio::test]
async fn a_handler_whose_terms_cannot_be_is_not_run_until_they_are_mended() {
    let stage = Stage::set().await;
    stage.plugin("saver.py", &handler(&stage, "saver", SUCCESS));
    let handlers = json!({"custom.backup": {"plugins": [{"name": "saver", "timeout_seconds": -1}]}});
    let runner = stage.runner_with(by_type(&stage, &handlers, &json!({}))).await;
    stage.until_it_answers().await;
    let subject = stage.verb(RunnerVerb::Plugins);
    wait_until(SOON, "it is said what is wrong", async || {
        let list: Option<PluginList> = stage
            .administrator
            .request(&subject, &ListPlugins::default(), Duration::from_secs(5))
            .await
            .ok();
        let refused = list.and_then(|list| list.plugins[0].config_refused.clone());
        refused.is_some_and(|refused| {
            refused.contains("event_handlers") && refused.contains("saver.timeout_seconds: expected")
        })
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn a_type_that_is_switched_off_is_handled_by_nobody_and_the_outcome_says_so() {
    let stage = Stage::set().await;
    stage.plugin("saver.py", &handler(&stage, "saver", SUCCESS));
    let handlers = json!({"custom": {"enabled": false}});
    let plugins = json!({"saver": {"events": {"custom.backup": {"priority": 100}}}});
    let runner = stage.runner_with(by_type(&stage, &handlers, &plugins)).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e1"), None).await.expect("accepted");
    let outcome = outcome(&stage).await;
    assert_eq!(names(&outcome), [""; 0]);
    let why = outcome.not_asked.expect("it is said why");
    assert!(why.contains("switch custom.backup off"), "{why}");
    let subject = stage.verb(RunnerVerb::Plugins);
    let list: PluginList = stage
        .administrator
        .request(&subject, &ListPlugins::default(), Duration::from_secs(5))
        .await
        .expect("a list");
    let rights = list.plugins[0].rights.as_ref().expect("it runs here");
    let off: Vec<&str> = rights
        .switched_off
        .iter()
        .map(snooze_schemas::EventType::as_str)
        .collect();
    assert_eq!(off, ["custom"]);
    assert_eq!(noted(&stage), [""; 0]);
    runner.stop().await;
}

#[tokio::test]
async fn dispatch_first_ends_after_the_tier_in_which_one_handled_it_and_succeeded() {
    let stage = Stage::set().await;
    for (name, does) in [
        ("fails", FAILURE),
        ("nothing", NOTHING),
        ("crashes", "os._exit(1)"),
        ("saves", SUCCESS),
        ("saves-too", SUCCESS),
        ("later", SUCCESS),
    ] {
        stage.plugin(&format!("{name}.py"), &handler(&stage, name, does));
    }
    let named = |name: &str, priority: i64| json!({"name": name, "priority": priority});
    let handlers = |dispatch: &str| {
        json!({"custom.backup": {"dispatch": dispatch, "plugins": [
            named("fails", 100), named("nothing", 90), named("crashes", 90),
            named("saves", 50), named("saves-too", 50), named("later", 1),
        ]}})
    };
    let first = handled_by(&stage, by_type(&stage, &handlers("first"), &json!({}))).await;
    let mut asked = names(&first);
    asked.sort_unstable();
    assert_eq!(
        asked,
        ["crashes", "fails", "nothing", "saves", "saves-too"],
        "neither failure nor having nothing to do ends it, and the same tier is asked whole"
    );
    let not_asked = first.not_asked.as_ref().expect("it is said who was not asked");
    assert!(
        not_asked.ends_with(": later") && not_asked.contains("saves"),
        "{not_asked}"
    );
    assert!(!of(&first, "fails").result.succeeded && of(&first, "fails").result.handled);
    assert!(!noted(&stage).contains(&"later begins".to_owned()));
    let other = Stage::set().await;
    for name in ["fails", "nothing", "crashes", "saves", "saves-too", "later"] {
        other.plugin(&format!("{name}.py"), &handler(&other, name, SUCCESS));
    }
    let all = handled_by(&other, by_type(&other, &handlers("all"), &json!({}))).await;
    assert_eq!((names(&all).len(), &all.not_asked), (6, &None));
}

#[tokio::test]
async fn e6_a_chain_that_one_handler_ended_begins_nothing_after_a_restart() {
    let stage = Stage::set().await;
    stage.plugin("saves.py", &handler(&stage, "saves", SUCCESS));
    let lingers = format!("linger(3600) or {SUCCESS}");
    stage.plugin("lingers.py", &handler(&stage, "lingers", &lingers));
    stage.plugin("later.py", &handler(&stage, "later", SUCCESS));
    let handlers = json!({"custom.backup": {"dispatch": "first", "plugins": [
        {"name": "saves", "priority": 100},
        {"name": "lingers", "priority": 100, "idempotent": true},
        {"name": "later", "priority": 1},
    ]}});
    let config = by_type(&stage, &handlers, &json!({}));
    let runner = stage.runner_with(config.clone()).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e1"), None).await.expect("accepted");
    let journal = stage.state().join("events.jsonl");
    wait_until(SOON, "one has ended, and the other has begun", async || {
        let written = fs::read_to_string(&journal).unwrap_or_default();
        written.contains(r#"{"ended""#) && noted(&stage).contains(&"lingers begins".to_owned())
    })
    .await;
    runner.stop().await;
    let runner = stage.runner_with(config).await;
    let outcome = outcome(&stage).await;
    assert!(of(&outcome, "saves").result.succeeded);
    assert!(
        of(&outcome, "lingers").result.message.contains("interrupted"),
        "{outcome:?}"
    );
    assert_eq!(outcome.handlers.len(), 2, "{outcome:?}");
    let begun = noted(&stage);
    let begun = begun.iter().filter(|line| line.ends_with("begins"));
    assert_eq!(begun.count(), 2, "nobody was asked again, and no other at all");
    runner.stop().await;
}

#[tokio::test]
async fn e3_who_is_kept_from_an_event_by_its_data_is_not_asked_and_has_not_failed() {
    let stage = Stage::set().await;
    let filters = [
        ("any", json!({})),
        ("this", json!({"volume": ["a", "b"]})),
        ("other", json!({"volume": "c"})),
        ("absent", json!({"size": [{"anything-but": 0}]})),
        ("in-time", json!({"timeRemaining": [{"numeric": [">=", 30]}]})),
        ("in-haste", json!({"timeRemaining": [{"numeric": ["<", 30]}]})),
    ];
    let mut plugins = json!({});
    for (name, when) in &filters[..5] {
        stage.plugin(&format!("{name}.py"), &handler(&stage, name, SUCCESS));
        plugins[name] = json!({"events": {"custom.backup": {"when": when}}});
    }
    // The other form takes the same.
    let (name, when) = &filters[5];
    stage.plugin(&format!("{name}.py"), &handler(&stage, name, SUCCESS));
    let handlers = json!({"custom.backup": {"plugins": [{"name": name, "when": when}]}});
    let runner = stage.runner_with(by_type(&stage, &handlers, &plugins)).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    let due = snooze_schemas::event::Event {
        deadline: Some("2100-01-01T00:00:00Z".parse().expect("a time")),
        ..event("e1")
    };
    send(&stage, due, Some(60_000)).await.expect("accepted");
    let told = outcome(&stage).await;
    let mut asked = names(&told);
    asked.sort_unstable();
    assert_eq!(asked, ["any", "in-time", "this"]);
    assert!(told.handlers.iter().all(|handler| handler.result.succeeded));
    assert_eq!(told.not_asked, None, "a filter is no reason to say anything");
    runner.stop().await;
}
