//! Configurations that come while a process begins, is asked, or hangs.

use super::*;

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

#[tokio::test]
async fn who_mends_a_configuration_that_was_refused_does_not_wait_for_the_next_try() {
    let choosy = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        r#"elif request["method"] == "Configure":
        say({"success": True} if request["params"]["config"] == {"dsn": 1} else {"error": "dsn is missing"}, id)
    elif request["method"] != "CheckIdle":"#,
    );
    let restarts = Restarts {
        first: Duration::from_secs(3600),
        longest: Duration::from_secs(3600),
        ..Restarts::default()
    };
    let stand = Stand::restarted(&choosy, None, SOON, restarts);
    stand.configured(&json!({"other": 1}));
    let mut stage = stand.plugin.stage();
    drop(
        stage
            .wait_for(|stage| *stage == Stage::Restarting)
            .await
            .expect("it lives"),
    );
    let why = stand.plugin.config_refused().expect("it is told why");
    assert!(why.contains("dsn is missing"), "{why}");
    stand.configured(&json!({"dsn": 1}));
    assert_eq!(stand.plugin.config_refused(), None, "this one was not refused");
    stand.running().await;
    assert_eq!(stand.plugin.config_refused(), None);
}

#[tokio::test]
async fn s2_who_is_started_while_its_configuration_is_taken_away_does_not_vote_by_none() {
    let slow = python(HONEST).replace(
        "calls = 0\n",
        "calls = 0\nopen('told', 'w').close()\nwhile not os.path.exists('go'): linger(0.01)\n",
    );
    let schema = json!({"type": "object", "properties": {"limit": {"type": "integer"}}});
    let stand = Stand::described(&slow, Some(json!({ "config_schema": schema })), SOON);
    let (told, go) = (stand.folder.path().join("told"), stand.folder.path().join("go"));
    wait_until(SOON, "it is started", async || told.exists()).await;
    // The first layers, after which what the file alone said holds no more.
    stand.configured(&json!({"limit": "many"}));
    fs::write(go, "").expect("writes");
    let mut stage = stand.plugin.stage();
    let settled = stage.wait_for(|stage| matches!(stage, Stage::Running | Stage::Misconfigured));
    let settled = *tokio::time::timeout(SOON, settled)
        .await
        .expect("in time")
        .expect("it lives");
    assert_eq!(settled, Stage::Misconfigured);
    assert!(stand.check(BRIEF).await.is_err());
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
    let event = stand.plugin.call_by(
        Method::CheckIdle,
        errand("e1", Severity::Critical),
        SOON,
        ready(Ok(())),
        |_| json!({}),
    );
    let hands_on = async {
        // It waits for its turn by now, as does the event.
        wait_until(SOON, "both wait", async || {
            format!("{:?}", stand.plugin.turns).contains("waiting: 2")
        })
        .await;
        drop(turn);
    };
    let (answer, ()) = tokio::join!(event, hands_on);
    let answer = answer.expect("the process in its place is asked");
    assert_eq!(answer["config"], json!({"limit": 1}));
    let all_asked = fs::read_to_string(stand.folder.path().join("asked")).expect("it was asked");
    assert!(!all_asked.contains("url"), "{all_asked}");
}
