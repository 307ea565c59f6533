//! People's own events, from the command line and from any NATS client, and what became of them.

use crate::{
    place::{LONG, Place},
    up::Up,
};
use serde_json::{Value, json};
use snooze_test_harness::wait_for;
use std::{fs, time::Duration};

/// The address and credentials that `snooze up` left for other terminals.
async fn connect(up: &Up) -> async_nats::Client {
    let text = fs::read(up.place.path("state/nats.json")).expect("`snooze up` left its address");
    let address: Value = serde_json::from_slice(&text).expect("JSON");
    let field = |name: &str| address[name].as_str().expect("a text").to_owned();
    async_nats::ConnectOptions::with_credentials_file(field("credentials"))
        .await
        .expect("the credentials are read")
        .custom_inbox_prefix("_INBOX_administrator.ada")
        .connect(field("server"))
        .await
        .expect("an administrator is let in")
}

/// Waits for the entry of the trail that tells what became of an event.
async fn outcome(up: &Up, id: &str) -> String {
    wait_for(
        LONG,
        &format!("the outcome of {id} is in the trail"),
        async || {
            let out = up.ask(&["history", "-n", "1000"]).await;
            let is = |line: &&str| line.contains(" event ") && line.contains(id);
            out.lines().find(is).map(str::to_owned)
        },
    )
    .await
}

#[tokio::test]
async fn e4_an_event_from_the_command_line_reaches_a_handler_and_its_outcome_the_trail() {
    let up = Up::busy().await;
    let sent = [
        "event",
        "send",
        "backup.started",
        "--host",
        "web",
        "--data",
        r#"{"size": 3}"#,
    ];
    let id = up.ask(&sent).await.trim().to_owned();
    let outcome = outcome(&up, &id).await;
    assert!(outcome.contains("custom.backup.started"), "{outcome}");
    assert!(outcome.contains("1 of 1 plugins handled it"), "{outcome}");
}

#[tokio::test]
async fn e1_the_same_id_is_filed_once() {
    let up = Up::busy().await;
    let send = [
        "event",
        "send",
        "backup.started",
        "--host",
        "web",
        "--id",
        "nightly-1",
        "--json",
    ];
    let first: Value = serde_json::from_str(&up.ask(&send).await).expect("JSON");
    let second: Value = serde_json::from_str(&up.ask(&send).await).expect("JSON");
    assert_eq!(
        (&first["duplicate"], &second["duplicate"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(first["id"], second["id"]);
}

#[tokio::test]
async fn e8_a_bare_json_request_without_a_header_is_answered_once_it_is_filed() {
    let up = Up::busy().await;
    let client = connect(&up).await;
    let ask = async |body: Value| -> Value {
        let request = client.request("snooze.v1.custom.ada.x", body.to_string().into());
        let answer = tokio::time::timeout(Duration::from_secs(10), request).await;
        let answer = answer.expect("in time").expect("the gateway answers");
        serde_json::from_slice(&answer.payload).expect("what is asked in JSON is answered in JSON")
    };
    let filed = ask(json!({"data": {}})).await;
    assert_eq!(filed["ok"], json!(true), "{filed}");
    assert!(filed["id"].is_string(), "{filed}");

    let filed = ask(json!({"host": "web", "data": {"from": "a shell"}})).await;
    let outcome = outcome(&up, filed["id"].as_str().expect("an id")).await;
    assert!(outcome.contains("1 of 1 plugins handled it"), "{outcome}");

    let refused = ask(json!({"host": "not a host"})).await;
    assert_eq!(
        (&refused["ok"], &refused["code"]),
        (&json!(false), &json!("bad_request")),
        "{refused}"
    );
}

#[tokio::test]
async fn the_whole_story_of_an_event_is_told_and_a_replayed_one_is_handled_once_more() {
    let up = Up::busy().await;
    let sent = [
        "event",
        "send",
        "backup.started",
        "--host",
        "web",
        "--within",
        "5m",
    ];
    let id = up.ask(&sent).await.trim().to_owned();
    outcome(&up, &id).await;
    let story = up.ask(&["event", "show", &id]).await;
    let steps: Vec<&str> = story.lines().filter(|line| line.starts_with("20")).collect();
    let steps: Vec<String> = steps.iter().map(|line| line[25..].to_owned()).collect();
    let begins = ["noticed", "filed: EVENTS_ROUTINE", "web: accepted"];
    for (step, begin) in steps.iter().zip(begins) {
        assert!(step.starts_with(begin), "{story}");
    }
    assert!(
        steps[3].contains("was asked, it had ") && steps[3].contains(" of the 4 m 59 s that were left"),
        "{story}"
    );
    assert!(steps[4].contains("handled it in"), "{story}");
    assert_eq!(steps[5], "web: reported, handled by 1 of 1 plugins", "{story}");

    let again = up.ask(&["event", "replay", &id]).await.trim().to_owned();
    outcome(&up, &again).await;
    let listed = up.ask(&["event", "list", "--type", "custom.backup"]).await;
    for id in [&id, &again] {
        let line = listed.lines().find(|line| line.contains(id.as_str()));
        assert!(
            line.is_some_and(|line| line.ends_with("handled by 1 of 1 plugins")),
            "{listed}"
        );
    }

    let absent = [
        "event",
        "send",
        "backup.started",
        "--host",
        "nobody",
        "--unenrolled",
        "--within",
        "5m",
    ];
    let absent = up.ask(&absent).await.trim().to_owned();
    let waits = wait_for(LONG, "it is parked", async || {
        let story = up.ask(&["event", "show", &absent]).await;
        story
            .contains("waits for its host, which is away")
            .then_some(story)
    })
    .await;
    assert!(waits.contains("not over"), "{waits}");
}

#[tokio::test]
async fn an_event_in_progress_tells_when_it_was_accepted_and_who_is_at_work_on_it() {
    // It is at work until nobody waits for it any more.
    const LINGERS: &str = r#"#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "HandleEvent":
        continue
    result = {"Info": {"name": "lingers"}, "Configure": {"success": True}}
    result = result.get(request["method"], {"error": "Unknown method: " + request["method"]})
    print(json.dumps({"id": request["id"], "result": result}), flush=True)
"#;
    let place = Place::new();
    place.write("keep-awake", "");
    place.write_plugin("lingers.py", LINGERS);
    let lingers = json!({"plugins": {"plugin_configs": {"lingers": {"events": {"custom.long": {}}}}}});
    let up = Up::begin(place, &lingers).await;
    let sent = ["event", "send", "long", "--host", "web", "--within", "5m"];
    let id = up.ask(&sent).await.trim().to_owned();
    let story = wait_for(LONG, "it is at work", async || {
        let story = up.ask(&["event", "show", &id]).await;
        story.contains("lingers is at work on it").then_some(story)
    })
    .await;
    let accepted = story.find("web: accepted").expect("it was accepted");
    let asked = story
        .find("web: lingers was asked, it had ")
        .expect("it was asked");
    assert!(accepted < asked, "{story}");
    let told: Value = serde_json::from_str(&up.ask(&["event", "show", &id, "--json"]).await).expect("JSON");
    assert_eq!(
        told["progress"]["progress"]["at_work"][0]["plugin"], "lingers",
        "{told}"
    );
}

#[tokio::test]
async fn the_work_before_a_stop_has_a_story_too() {
    let up = Up::idle().await;
    let id = wait_for(LONG, "a stop is prepared for", async || {
        let out = up.ask(&["history", "-n", "1000"]).await;
        let mut words = out.split_whitespace().map(|word| word.trim_end_matches(':'));
        words
            .find(|word| word.starts_with("snooze-pending-"))
            .map(str::to_owned)
    })
    .await;
    let story = up.ask(&["event", "show", &id]).await;
    assert!(story.starts_with("snooze.pending "), "{story}");
    assert!(story.contains("web: load-average was asked"), "{story}");
}

#[tokio::test]
async fn e7_the_hosts_own_gateway_runs_and_its_runner_listens_without_the_bus() {
    let up = Up::busy().await;
    let socket = || {
        let folders = fs::read_dir(up.place.path("runtime")).expect("a folder of our own");
        let mut sockets = folders
            .flatten()
            .map(|folder| folder.path().join("runner-web.sock"));
        sockets.find(|socket| socket.exists())
    };
    wait_for(LONG, "the runner listens", async || socket()).await;
    assert!(up.place.path("state/gateway/events.jsonl").is_file());
}
