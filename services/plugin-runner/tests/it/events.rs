//! Events as a dispatcher hands them over: accepted, handled in order, once, and reported.

use crate::stage::{SOON, Stage};
use serde_json::{Value, json};
use snooze_bus::{RequestError, RunnerVerb, Stream, SubjectFilter};
use snooze_schemas::{
    ErrorCode,
    audit::{AuditKind, AuditRecord},
    event::{Accepted, Event, EventOutcome, HandleEvent, Scope, Severity},
    host::{ListPlugins, PluginList},
};
use snooze_test_harness::{wait_for, wait_until};
use std::{fs, time::Duration};

const WITHIN: Duration = Duration::from_secs(5);

pub(crate) fn event(id: &str) -> Event {
    serde_json::from_value(json!({
        "id": id, "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
        "noticed_at": "2026-01-01T00:00:00Z", "data": {"volume": "a"},
    }))
    .expect("an event")
}

pub(crate) async fn send(
    stage: &Stage,
    event: Event,
    left_ms: Option<u64>,
) -> Result<Accepted, RequestError> {
    let request = HandleEvent { event, left_ms };
    stage
        .gateway
        .request(&stage.verb(RunnerVerb::HandleEvent), &request, WITHIN)
        .await
}

/// A handler that notes begin and end of what it does in the test's file `order`.
pub(crate) fn handler(stage: &Stage, name: &str, does: &str) -> String {
    let file = stage.file("order");
    format!(
        r#"#!/usr/bin/env python3
import json, os, sys, threading
def linger(seconds): threading.Event().wait(seconds)
def note(text):
    with open({file:?}, "a") as order: order.write(text + "\n")
for line in sys.stdin:
    request = json.loads(line)
    method = request["method"]
    result = {{"error": "Unknown method: " + method}}
    if method == "Info":
        result = {{"name": "{name}"}}
    elif method == "Configure":
        result = {{"success": True}}
    elif method == "HandleEvent":
        event = request["params"]["event"]
        note("{name} begins")
        result = {does}
        note("{name} ends")
    print(json.dumps({{"result": result, "id": request["id"]}}), flush=True)
"#
    )
}

pub(crate) const SUCCESS: &str =
    r#"{"handled": True, "succeeded": True, "message": event["data"]["volume"]}"#;

pub(crate) fn noted(stage: &Stage) -> Vec<String> {
    let text = fs::read_to_string(stage.file("order")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A configuration in which these plugins handle the test's event by these priorities.
pub(crate) fn config(stage: &Stage, handlers: &[(&str, Value)]) -> snooze_plugin_runner::Config {
    let mut config = stage.config();
    for (name, settings) in handlers {
        let own = json!({"events": {"custom.backup": settings}});
        config
            .plugin_configs
            .insert((*name).to_owned(), own.as_object().expect("a map").clone());
    }
    config
}

pub(crate) async fn all_run(stage: &Stage) {
    let subject = stage.verb(RunnerVerb::Plugins);
    wait_for(SOON, "all plugins run", async || {
        let list: PluginList = stage
            .administrator
            .request(&subject, &ListPlugins::default(), WITHIN)
            .await
            .ok()?;
        list.plugins
            .iter()
            .all(|plugin| plugin.state == "running")
            .then_some(())
    })
    .await;
}

pub(crate) async fn outcomes(stage: &Stage) -> Vec<EventOutcome> {
    let filter = SubjectFilter::AuditOf(Scope::Host(stage.host.clone()));
    let trail = stage
        .executor
        .history::<AuditRecord>(Stream::Audit, &filter, 100)
        .await
        .unwrap_or_default();
    let outcome = |details| serde_json::from_value(Value::Object(details)).expect("an outcome");
    trail
        .into_iter()
        .filter(|stored| stored.message.kind == AuditKind::Event)
        .map(|stored| outcome(stored.message.details))
        .collect()
}

pub(crate) async fn outcome(stage: &Stage) -> EventOutcome {
    wait_for(SOON, "an outcome is in the audit trail", async || {
        outcomes(stage).await.pop()
    })
    .await
}

#[tokio::test]
async fn e4_an_event_is_accepted_at_once_and_its_outcome_reported_by_itself() {
    let stage = Stage::set().await;
    stage.plugin(
        "slow.py",
        &handler(&stage, "slow", &format!("linger(1) or {SUCCESS}")),
    );
    let runner = stage
        .runner_with(config(&stage, &[("slow", json!({"priority": 1}))]))
        .await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    let accepted = send(&stage, event("e1"), None).await.expect("accepted");
    assert_eq!(
        accepted,
        Accepted {
            accepted: true,
            duplicate: false
        }
    );
    assert!(
        !noted(&stage).contains(&"slow ends".to_owned()),
        "nobody waited for the handler"
    );
    let journal = fs::read_to_string(stage.state().join("events.jsonl")).expect("a journal");
    assert!(journal.contains("\"e1\""), "what was accepted is on the disk");
    let outcome = outcome(&stage).await;
    assert_eq!(outcome.id.as_str(), "e1");
    assert_eq!(outcome.handlers[0].result.message, "a");
    assert!(outcome.handlers[0].took_ms >= 900);
    runner.stop().await;
}

#[tokio::test]
async fn handlers_run_by_falling_priority_and_equal_ones_at_once() {
    let stage = Stage::set().await;
    for name in ["first", "left", "right", "last"] {
        let pause = format!("linger(0.3) or {SUCCESS}");
        stage.plugin(&format!("{name}.py"), &handler(&stage, name, &pause));
    }
    let priorities = [("first", 100), ("left", 50), ("right", 50), ("last", 1)];
    let handlers = priorities.map(|(name, priority)| (name, json!({"priority": priority, "enabled": true})));
    let runner = stage.runner_with(config(&stage, &handlers)).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e1"), None).await.expect("accepted");
    wait_until(SOON, "the last one is done", async || {
        noted(&stage).last().is_some_and(|last| last == "last ends")
    })
    .await;
    let order = noted(&stage);
    assert_eq!(order[..2], ["first begins", "first ends"]);
    assert!(
        order[2].ends_with("begins") && order[3].ends_with("begins"),
        "{order:?}"
    );
    assert_eq!(order[6..], ["last begins", "last ends"]);
    runner.stop().await;
}

#[tokio::test]
async fn an_earlier_tier_cannot_starve_a_later_one_nor_pass_the_deadline() {
    let stage = Stage::set().await;
    stage.plugin("greedy.py", &handler(&stage, "greedy", "linger(3600)"));
    stage.plugin("modest.py", &handler(&stage, "modest", SUCCESS));
    let handlers = [
        ("greedy", json!({"priority": 100})),
        ("modest", json!({"priority": 1})),
    ];
    let runner = stage.runner_with(config(&stage, &handlers)).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e1"), Some(2_000)).await.expect("accepted");
    let outcome = outcome(&stage).await;
    let took: Vec<u64> = outcome.handlers.iter().map(|handler| handler.took_ms).collect();
    assert!(
        took[0] >= 900 && took[0] < 1_800,
        "half of the time is the later one's: {took:?}"
    );
    assert!(!outcome.handlers[0].result.succeeded);
    assert!(outcome.handlers[1].result.succeeded);
    let left: Vec<Option<u64>> = outcome.handlers.iter().map(|handler| handler.left_ms).collect();
    assert!(
        left[0] <= Some(2_000) && left[0] > left[1] && left[1] > Some(0),
        "it is told what was left when each was asked: {left:?}"
    );
    let own: Vec<Option<u64>> = outcome.handlers.iter().map(|handler| handler.within_ms).collect();
    assert!(
        own[0] <= Some(1_000) && own[0] > Some(0) && own[1] <= left[1] && own[1] > Some(0),
        "and how much of that it had itself: {own:?} of {left:?}"
    );
    let when = [
        outcome.accepted_at,
        outcome.handlers[0].started_at,
        outcome.handlers[1].started_at,
    ];
    assert!(
        when[0].is_some() && when.is_sorted(),
        "it is told when it was accepted and each was asked: {when:?}"
    );
    runner.stop().await;
}

#[tokio::test]
async fn e3_who_is_taken_from_its_work_for_a_critical_event_is_told_of_as_interrupted_by_that_one() {
    let stage = Stage::set().await;
    let does = format!(r#"linger(3600 if event["id"] == "lower" else 0) or {SUCCESS}"#);
    stage.plugin("saves.py", &handler(&stage, "saves", &does));
    let runner = stage.runner_with(config(&stage, &[("saves", json!({}))])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("lower"), None).await.expect("accepted");
    wait_until(SOON, "it is at work", async || noted(&stage) == ["saves begins"]).await;
    let critical = Event {
        severity: Severity::Critical,
        ..event("higher")
    };
    send(&stage, critical, Some(6_000)).await.expect("accepted");
    let both = wait_for(SOON, "both are reported", async || {
        let all = outcomes(&stage).await;
        (all.len() == 2).then_some(all)
    })
    .await;
    for outcome in both {
        let handler = &outcome.handlers[0];
        let is_lower = outcome.id.as_str() == "lower";
        assert_eq!(
            (handler.interrupted, handler.result.succeeded),
            (is_lower, !is_lower),
            "{outcome:?}"
        );
        assert!(handler.started_at.is_some(), "{outcome:?}");
        assert_eq!(
            handler
                .result
                .message
                .contains("the critical event higher waited for it"),
            is_lower,
            "{outcome:?}"
        );
    }
    runner.stop().await;
}

#[tokio::test]
async fn e6_an_event_is_handled_once_per_id_also_across_a_restart() {
    let stage = Stage::set().await;
    stage.plugin("quick.py", &handler(&stage, "quick", SUCCESS));
    let runner = stage.runner_with(config(&stage, &[("quick", json!({}))])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e1"), None).await.expect("accepted");
    outcome(&stage).await;
    let again = send(&stage, event("e1"), None).await.expect("accepted again");
    assert!(again.duplicate);
    runner.stop().await;
    let runner = stage.runner_with(config(&stage, &[("quick", json!({}))])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    assert!(
        send(&stage, event("e1"), None)
            .await
            .expect("accepted again")
            .duplicate
    );
    send(&stage, event("e2"), None).await.expect("accepted");
    wait_until(SOON, "the other event is reported", async || {
        outcomes(&stage).await.len() == 2
    })
    .await;
    assert_eq!(noted(&stage).len(), 4, "each was handled once");
    runner.stop().await;
}

#[tokio::test]
async fn e6_a_handler_that_was_interrupted_is_asked_again_only_where_it_is_idempotent() {
    for (idempotent, begins) in [(false, 1), (true, 2)] {
        let stage = Stage::set().await;
        let flag = stage.file("second");
        let does = format!("linger(0 if os.path.exists({flag:?}) else 3600) or {SUCCESS}");
        stage.plugin("slow.py", &handler(&stage, "slow", &does));
        stage.plugin("later.py", &handler(&stage, "later", SUCCESS));
        let slow = json!({"priority": 100, "idempotent": idempotent});
        let handlers = [("slow", slow), ("later", json!({"priority": 1}))];
        let runner = stage.runner_with(config(&stage, &handlers)).await;
        stage.until_it_answers().await;
        all_run(&stage).await;
        send(&stage, event("e1"), None).await.expect("accepted");
        wait_until(SOON, "the first has begun", async || {
            noted(&stage) == ["slow begins"]
        })
        .await;
        runner.stop().await;
        fs::write(&flag, "").expect("writes");
        let runner = stage.runner_with(config(&stage, &handlers)).await;
        let outcome = outcome(&stage).await;
        assert_eq!(
            noted(&stage).iter().filter(|line| *line == "slow begins").count(),
            begins,
            "{idempotent}"
        );
        let slow = outcome
            .handlers
            .iter()
            .find(|handler| handler.plugin.as_str() == "slow")
            .expect("it is told of");
        assert_eq!(slow.result.succeeded, idempotent);
        assert_eq!(
            slow.result.message.contains("interrupted"),
            !idempotent,
            "{}",
            slow.result.message
        );
        assert!(
            noted(&stage).contains(&"later ends".to_owned()),
            "what had not begun is done"
        );
        runner.stop().await;
    }
}

#[tokio::test]
async fn e4_an_outcome_waits_for_the_broker() {
    let mut stage = Stage::set().await;
    stage.plugin(
        "slow.py",
        &handler(&stage, "slow", &format!("linger(1) or {SUCCESS}")),
    );
    let runner = stage.runner_with(config(&stage, &[("slow", json!({}))])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e1"), None).await.expect("accepted");
    stage.server.kill();
    wait_until(SOON, "the handler is done", async || noted(&stage).len() == 2).await;
    stage.server.restart().await;
    assert_eq!(outcome(&stage).await.id.as_str(), "e1");
    runner.stop().await;
}

#[tokio::test]
async fn an_event_of_another_host_or_past_its_deadline_is_refused() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    let elsewhere = Event {
        host: Scope::Host("h2".parse().expect("a host id")),
        ..event("e1")
    };
    let past = Event {
        deadline: Some("2026-01-01T00:00:00Z".parse().expect("a time")),
        ..event("e2")
    };
    for (event, left, code) in [
        (elsewhere, None, ErrorCode::Forbidden),
        (event("e3"), Some(0), ErrorCode::TooLate),
        (past, None, ErrorCode::TooLate),
    ] {
        let refused = send(&stage, event, left).await.expect_err("refused");
        assert_eq!(refused.refusal().expect("by the runner").code, code);
    }
    runner.stop().await;
}

#[tokio::test]
async fn e6_what_was_accepted_in_time_is_known_when_it_comes_again_too_late() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    send(&stage, event("e1"), Some(60_000)).await.expect("accepted");
    let again = send(&stage, event("e1"), Some(0)).await.expect("known");
    assert!(again.duplicate);
    runner.stop().await;
}

#[tokio::test]
async fn e4_a_handler_that_says_too_much_keeps_no_outcome_waiting() {
    let stage = Stage::set().await;
    let much = r#"{"handled": True, "succeeded": True, "message": "m" * 300_000, "details": {"out": "o" * 500_000, "code": 0}}"#;
    for name in ["one", "two", "three"] {
        stage.plugin(&format!("{name}.py"), &handler(&stage, name, much));
    }
    let handlers = ["one", "two", "three"].map(|name| (name, json!({})));
    let runner = stage.runner_with(config(&stage, &handlers)).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    for id in ["e1", "e2"] {
        send(&stage, event(id), None).await.expect("accepted");
    }
    wait_until(SOON, "both are reported", async || {
        outcomes(&stage).await.len() == 2
    })
    .await;
    let outcome = outcomes(&stage).await.remove(0);
    assert_eq!(outcome.handlers.len(), 3);
    assert_eq!(outcome.handlers[0].result.details["code"], 0);
    runner.stop().await;
}

#[tokio::test]
async fn t2_a_plugin_that_is_at_work_on_an_event_keeps_its_run() {
    let mut stage = Stage::set().await;
    // An answer counts for two intervals and more; the plugin is asked at every sample all the same.
    stage
        .policy(json!({"check_interval_seconds": 60, "heartbeat_seconds": 0.2}))
        .await;
    let (begun, go) = (stage.file("begun"), stage.file("go"));
    let does = format!(
        r#"    elif method == "HandleEvent":
        open({begun:?}, "w").close()
        while not os.path.exists({go:?}): linger(0.01)
        result = {{"handled": True, "succeeded": True}}
    else:
"#
    );
    let script = crate::stage::python_plugin("worker", r#"{"is_idle": True}"#);
    stage.plugin("worker.py", &script.replace("    else:\n", &does));
    let runner = stage.runner_with(config(&stage, &[("worker", json!({}))])).await;
    let idle_ms = |verdict: &snooze_schemas::verdict::Verdict| {
        crate::stage::of(verdict, "worker").map_or(0, |vote| vote.idle_ms)
    };
    let before = stage
        .verdict("it has been idle", |verdict| idle_ms(verdict) >= 500)
        .await;
    send(&stage, event("e1"), None).await.expect("accepted");
    wait_until(SOON, "it is at work", async || begun.exists()).await;
    let subject = stage.verb(RunnerVerb::Plugins);
    wait_until(SOON, "it could not be asked meanwhile", async || {
        let list: Option<PluginList> = stage
            .administrator
            .request(&subject, &ListPlugins::default(), WITHIN)
            .await
            .ok();
        list.is_some_and(|list| list.plugins[0].stats.time_outs >= 2)
    })
    .await;
    let at_work = fs::read_to_string(stage.runs()).expect("runs are kept");
    let at_work: Value = serde_json::from_str(&at_work).expect("JSON");
    assert!(
        at_work["tally"]["runs"]["voters"]["worker"]["idle_ms"]
            .as_u64()
            .is_some_and(|idle| idle >= idle_ms(&before)),
        "{at_work}"
    );
    fs::write(&go, "").expect("writes");
    stage
        .verdict("its run went on", |verdict| {
            idle_ms(verdict) > idle_ms(&before) + 1_000
        })
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn an_event_that_no_plugin_handles_is_reported_too() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    send(&stage, event("e1"), None).await.expect("accepted");
    assert!(outcome(&stage).await.handlers.is_empty());
    runner.stop().await;
}

#[tokio::test]
async fn i3_a_verb_with_an_effect_is_refused_without_its_header() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    let mut bare = event("e1");
    bare.data.clear();
    // A message of another kind, as a stranger could make a service send it.
    let subject = stage.verb(RunnerVerb::HandleEvent);
    let refused: Result<Value, _> = stage.gateway.request(&subject, &bare, WITHIN).await;
    assert_eq!(
        refused
            .expect_err("refused")
            .refusal()
            .expect("by the runner")
            .code,
        ErrorCode::BadRequest
    );
    // The same words would be an order under another kind.
    for verb in [RunnerVerb::Load, RunnerVerb::Unload, RunnerVerb::Reload] {
        let refused: Result<Value, _> = stage
            .administrator
            .request(&stage.verb(verb), &ListPlugins::default(), WITHIN)
            .await;
        let error = refused.expect_err("refused");
        let refusal = error.refusal().expect("by the runner");
        assert_eq!(refusal.code, ErrorCode::BadRequest, "{verb}");
    }
    runner.stop().await;
}
