//! Preparing and cancelling, as an executor does it.

use crate::stage::{SOON, Stage, of, python_plugin};
use serde_json::{Value, json};
use snooze_bus::{RequestError, RunnerVerb, Stream};
use snooze_schemas::{
    ErrorCode,
    audit::AuditRecord,
    event::HandleEvent,
    host::{Action, Cancel, Prepare, PrepareState, Prepared, Verified, Verify},
    verdict::{Verdict, VoteState},
};
use snooze_test_harness::wait_for;
use std::{fs, time::Duration};

pub(crate) const WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn claim(claim: u64) -> Prepare {
    Prepare {
        claim,
        duration_ms: 60_000,
        notice_ms: 50,
        action: Action::Stop,
        reason: "idle for 30 minutes".to_owned(),
    }
}

pub(crate) async fn prepare(stage: &Stage, request: &Prepare) -> Result<Prepared, RequestError> {
    stage
        .executor
        .request(&stage.verb(RunnerVerb::Prepare), request, WITHIN)
        .await
}

/// Polls until the preparation is over.
pub(crate) async fn prepared(stage: &Stage, request: &Prepare) -> Prepared {
    wait_for(SOON, "the preparation is over", async || {
        let prepared = prepare(stage, request).await.ok()?;
        matches!(prepared.state, PrepareState::Done | PrepareState::Failed).then_some(prepared)
    })
    .await
}

pub(crate) async fn verify(stage: &Stage, claim: u64) -> Verified {
    let question = Verify {
        claim,
        nonce: format!("nonce {claim}"),
        prolong_ms: 900_000,
    };
    let verified: Verified = stage
        .executor
        .request(&stage.verb(RunnerVerb::Verify), &question, WITHIN)
        .await
        .expect("an answer");
    assert_eq!((verified.claim, &verified.nonce), (claim, &question.nonce));
    verified
}

pub(crate) async fn cancel(stage: &Stage, claim: u64) -> Result<Value, RequestError> {
    let request = Cancel {
        claim,
        reason: "a lease".to_owned(),
    };
    stage
        .executor
        .request(&stage.verb(RunnerVerb::Cancel), &request, WITHIN)
        .await
}

/// A handler that writes what it gets to a file, one line an event.
fn handler(stage: &Stage, result: &str) -> String {
    let file = stage.file("handled");
    python_plugin("handler", r#"{"is_idle": True}"#).replace(
        "    else:\n",
        &format!(
            "    elif method == \"GetSupportedEvents\":\n        result = {{\"events\": [\"snooze.pending\", \"snooze.cancelled\"]}}\n    elif method == \"HandleEvent\":\n        event = request[\"params\"][\"event\"]\n        open({file:?}, \"a\").write(event[\"type\"] + \"\\n\")\n        result = {result}\n    else:\n"
        ),
    )
}

fn handled(stage: &Stage) -> Vec<String> {
    let text = fs::read_to_string(stage.file("handled")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn handled_until(stage: &Stage, expected: &[&str]) {
    let what = format!("the handler got {expected:?}");
    snooze_test_harness::wait_until(SOON, &what, async || handled(stage) == expected).await;
}

#[tokio::test]
async fn p7_a_lower_claim_is_refused_also_by_the_next_runner() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    prepared(&stage, &claim(7)).await;
    let refused = prepare(&stage, &claim(6)).await.expect_err("refused");
    assert_eq!(
        refused.refusal().expect("by the runner").code,
        ErrorCode::Conflict
    );
    runner.stop().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    let refused = [
        prepare(&stage, &claim(6)).await.map(drop),
        cancel(&stage, 6).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(
            refused
                .expect_err("refused")
                .refusal()
                .expect("by the runner")
                .code,
            ErrorCode::Conflict
        );
    }
    assert_eq!(
        prepared(&stage, &claim(7)).await.state,
        PrepareState::Done,
        "a restart alone undoes nothing"
    );
    assert!(verify(&stage, 7).await.prepared);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_cancelled_preparation_is_undone_and_plugins_are_told_once() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(&stage, r#"{"handled": True, "succeeded": True}"#),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Done);
    assert_eq!(handled(&stage), ["snooze.pending"]);
    cancel(&stage, 7).await.expect("it is cancelled");
    cancel(&stage, 7).await.expect("it still is");
    handled_until(&stage, &["snooze.pending", "snooze.cancelled"]).await;
    assert_eq!(
        prepared(&stage, &claim(7)).await.state,
        PrepareState::Failed,
        "a late poll revives nothing"
    );
    assert_eq!(handled(&stage).len(), 2);
    runner.stop().await;
}

#[tokio::test]
async fn s12_after_a_cancel_nothing_begins_and_plugins_hear_of_it_last() {
    let stage = Stage::set().await;
    let (file, go) = (stage.file("handled"), stage.file("go"));
    for (name, waits) in [("first", "0.01"), ("bystander", "0"), ("second", "0")] {
        let does = format!(
            r#"    elif method == "GetSupportedEvents":
        result = {{"events": ["snooze.pending", "snooze.cancelled"]}}
    elif method == "HandleEvent":
        kind = request["params"]["event"]["type"]
        note("{name} " + kind)
        while kind == "snooze.pending" and {waits} and not os.path.exists({go:?}): linger({waits})
        note("{name} ends")
        result = {{"handled": True, "succeeded": True}}
    else:
"#
        );
        let script = python_plugin(name, r#"{"is_idle": True}"#)
            .replace("    else:\n", &does)
            .replace(
                "config = {}\n",
                &format!("config = {{}}\ndef note(text): open({file:?}, \"a\").write(text + \"\\n\")\n"),
            );
        stage.plugin(&format!("{name}.py"), &script);
    }
    let mut config = stage.config();
    for (name, priority, other) in [
        ("first", 100, "snooze.pending"),
        ("bystander", 200, "custom.mark"),
        ("second", 1, "snooze.pending"),
    ] {
        let event = json!({"priority": priority});
        let own = json!({"events": {"snooze.cancelled": event, other: event}});
        config
            .plugin_configs
            .insert(name.to_owned(), own.as_object().expect("a map").clone());
    }
    let runner = stage.runner_with(config).await;
    stage.until_it_answers().await;
    handled_after_start(&stage).await;
    prepare(&stage, &claim(7)).await.expect("it begins");
    handled_until(&stage, &["first snooze.pending"]).await;
    cancel(&stage, 7).await.expect("it is cancelled");
    // Whoever has nothing to do with the work would hear of its end before this, were it told at once.
    let mark = serde_json::from_value(json!({
        "id": "mark", "type": "custom.mark", "severity": 1, "source": "custom.test", "host": "h1",
        "noticed_at": "2026-01-01T00:00:00Z",
    }));
    let mark = HandleEvent {
        event: mark.expect("an event"),
        left_ms: None,
    };
    let _: Value = stage
        .gateway
        .request(&stage.verb(RunnerVerb::HandleEvent), &mark, WITHIN)
        .await
        .expect("accepted");
    let marked = ["first snooze.pending", "bystander custom.mark", "bystander ends"];
    handled_until(&stage, &marked).await;
    fs::write(&go, "").expect("writes");
    let expected = [
        "first snooze.pending",
        "bystander custom.mark",
        "bystander ends",
        "first ends",
        "bystander snooze.cancelled",
        "bystander ends",
        "first snooze.cancelled",
        "first ends",
        "second snooze.cancelled",
        "second ends",
    ];
    handled_until(&stage, &expected).await;
    runner.stop().await;
}

#[tokio::test]
async fn s13_a_voter_that_works_for_longer_than_answers_may_be_apart_keeps_its_run() {
    let mut stage = Stage::set().await;
    // Two answers may be 2 * 0.1 s + 0.5 s + 1 s apart.
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let go = stage.file("go");
    let works = format!(
        "None\n        while not os.path.exists({go:?}): linger(0.01)\n        result = {{\"handled\": True, \"succeeded\": True}}"
    );
    stage.plugin("handler.py", &handler(&stage, &works));
    let runner = stage.runner().await;
    let idle_ms = |verdict: &Verdict| of(verdict, "handler").map_or(0, |vote| vote.idle_ms);
    stage
        .verdict("it has been idle", |verdict| idle_ms(verdict) >= 700)
        .await;
    prepare(&stage, &claim(7)).await.expect("it begins");
    handled_until(&stage, &["snooze.pending"]).await;
    let since = snooze_service_runtime::Clocks::real().boottime_ms();
    let after = stage
        .verdict("it is at work for long", |verdict| {
            let vote = of(verdict, "handler").expect("it votes");
            assert_eq!(
                vote.state,
                VoteState::Idle,
                "a vote that is not would take the claim back: {vote:?}"
            );
            verdict.uptime_ms >= since + 4_000
        })
        .await;
    fs::write(&go, "").expect("writes");
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Done);
    let verdict = stage
        .verdict("it has answered", |verdict| idle_ms(verdict) > idle_ms(&after))
        .await;
    assert!(idle_ms(&verdict) >= 700);
    let verified = verify(&stage, 7).await;
    let vote = of(&verified.verdict, "handler").expect("it votes");
    assert_eq!(
        (vote.state, vote.raw),
        (VoteState::Idle, VoteState::Idle),
        "{vote:?}"
    );
    assert!(vote.idle_ms >= 700);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_preparation_that_was_interrupted_is_not_begun_by_the_next_runner() {
    let stage = Stage::set().await;
    let result = r#"{"handled": True, "succeeded": True}"#;
    stage.plugin("handler.py", &handler(&stage, result));
    // As a runner leaves it that was killed between accepting its own event and asking the first handler.
    fs::create_dir_all(stage.state()).expect("makes");
    let event = json!({
        "id": "snooze-pending-7", "type": "snooze.pending", "severity": 2, "source": "plugin-runner",
        "host": "h1", "noticed_at": "2026-01-01T00:00:00Z", "data": {},
    });
    let known = json!({"event": event, "boot_id": stage.boot_id, "deadline_boottime_ms": u64::MAX});
    let line = json!({"accepted": known}).to_string() + "\n";
    fs::write(stage.state().join("events.jsonl"), line).expect("writes");
    let current = json!({
        "claim": 7, "state": "working", "message": "", "expires_boottime_ms": u64::MAX, "undone": null,
    });
    let book = json!({"highest_claim": 7, "boot_id": stage.boot_id, "current": current, "to_tell": []});
    fs::write(stage.state().join("prepare.json"), book.to_string()).expect("writes");
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    handled_after_start(&stage).await;
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Failed);
    cancel(&stage, 7).await.expect("it is cancelled");
    handled_until(&stage, &["snooze.cancelled"]).await;
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_preparation_that_cannot_be_journalled_has_not_begun_and_can_begin_later() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    // Nothing can be written where a folder is in the way.
    let in_the_way = stage.state().join("prepare.new");
    fs::create_dir(&in_the_way).expect("makes");
    let refused = prepare(&stage, &claim(7)).await.expect_err("refused");
    assert_eq!(
        refused.refusal().expect("by the runner").code,
        ErrorCode::Internal
    );
    fs::remove_dir(&in_the_way).expect("removes");
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Done);
    runner.stop().await;
}

#[tokio::test]
async fn s13_a_known_handler_that_cannot_be_asked_fails_the_preparation() {
    let stage = Stage::set().await;
    stage.policy(json!({"pre_snooze_seconds": 1})).await;
    let flag = stage.file("broken");
    let script = handler(&stage, r#"{"handled": True, "succeeded": True}"#).replace(
        "    if method == \"Info\":",
        &format!("    if os.path.exists({flag:?}): os._exit(1)\n    if method == \"Info\":"),
    );
    stage.plugin("handler.py", &script);
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    handled_after_start(&stage).await;
    fs::write(&flag, "").expect("writes");
    let subject = stage.verb(RunnerVerb::Plugins);
    let question = snooze_schemas::host::ListPlugins::default();
    snooze_test_harness::wait_until(SOON, "it is down", async || {
        let list: Option<snooze_schemas::host::PluginList> = stage
            .administrator
            .request(&subject, &question, WITHIN)
            .await
            .ok();
        list.is_some_and(|list| list.plugins[0].state != "running" && list.plugins[0].stats.restarts >= 2)
    })
    .await;
    let prepared = prepared(&stage, &claim(7)).await;
    assert_eq!(prepared.state, PrepareState::Failed);
    assert!(prepared.message.contains("handler"), "{}", prepared.message);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_preparation_is_undone_when_its_time_runs_out() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(&stage, r#"{"handled": True, "succeeded": True}"#),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    prepared(
        &stage,
        &Prepare {
            duration_ms: 3_000,
            ..claim(7)
        },
    )
    .await;
    handled_until(&stage, &["snooze.pending", "snooze.cancelled"]).await;
    assert!(!verify(&stage, 7).await.prepared);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_preparation_is_undone_under_another_boot_id() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(&stage, r#"{"handled": True, "succeeded": True}"#),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    prepared(&stage, &claim(7)).await;
    runner.stop().await;
    let mut config = stage.config();
    config.boot_id = "11111111-1111-1111-1111-111111111111".to_owned();
    let runner = stage.runner_with(config).await;
    stage.until_it_answers().await;
    handled_until(&stage, &["snooze.pending", "snooze.cancelled"]).await;
    assert!(!verify(&stage, 7).await.prepared);
    runner.stop().await;
}

#[tokio::test]
async fn s13_a_handler_that_fails_before_a_stop_fails_the_preparation() {
    for (result, expected) in [
        (
            r#"{"handled": True, "succeeded": False, "message": "disk full"}"#,
            "disk full",
        ),
        ("linger(3600)", "did not answer"),
        ("os._exit(1)", "stdout"),
    ] {
        let stage = Stage::set().await;
        stage.policy(json!({"pre_snooze_seconds": 1})).await;
        stage.plugin("handler.py", &handler(&stage, result));
        let runner = stage.runner().await;
        stage.until_it_answers().await;
        // The plugin has to be there; one that is not has nothing to do before a stop.
        handled_after_start(&stage).await;
        let prepared = prepared(&stage, &claim(7)).await;
        assert_eq!(prepared.state, PrepareState::Failed, "{result}");
        assert!(
            prepared.message.contains(expected),
            "{result}: {}",
            prepared.message
        );
        assert!(!verify(&stage, 7).await.prepared);
        runner.stop().await;
    }
}

async fn handled_after_start(stage: &Stage) {
    let subject = stage.verb(RunnerVerb::Plugins);
    let question = snooze_schemas::host::ListPlugins::default();
    wait_for(SOON, "the plugin runs", async || {
        let list: snooze_schemas::host::PluginList = stage
            .administrator
            .request(&subject, &question, WITHIN)
            .await
            .ok()?;
        list.plugins
            .iter()
            .all(|plugin| plugin.state == "running")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn s23_the_outcome_of_pre_snooze_work_is_in_the_audit_trail() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(
            &stage,
            r#"{"handled": True, "succeeded": True, "message": "saved"}"#,
        ),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    handled_after_start(&stage).await;
    prepared(&stage, &claim(7)).await;
    let scope = snooze_schemas::event::Scope::Host(stage.host.clone());
    let filter = snooze_bus::SubjectFilter::AuditOf(scope);
    let record = wait_for(SOON, "the outcome is filed", async || {
        let trail = stage
            .executor
            .history::<AuditRecord>(Stream::Audit, &filter, 10)
            .await
            .ok()?;
        trail.into_iter().next().map(|stored| stored.message)
    })
    .await;
    assert_eq!(record.details["type"], "snooze.pending");
    assert_eq!(record.details["handlers"][0]["message"], "saved");
    runner.stop().await;
}
