//! The plugin on NATS, behind the product's own fences where they matter.

use crate::service::{Replica, ask, ask_all, ask_json, client};
use futures_util::{FutureExt as _, StreamExt as _};
use snooze_bus::{Role, User};
use snooze_plugin::serde_json::{Value, json};
use snooze_test_harness::NatsServer;
use std::collections::BTreeSet;

const METHODS: [&str; 7] = [
    "check_idle",
    "configure",
    "handle_event",
    "info",
    "initialize",
    "shutdown",
    "supported_events",
];

fn host_user() -> User {
    User::host(&"h1".parse().expect("a host"))
}

fn plugin_user(host: &str) -> User {
    User::plugin(
        &host.parse().expect("a host"),
        &"example-rust".parse().expect("a name"),
    )
}

fn operator() -> User {
    User::named(Role::Operator, "ada").expect("a name")
}

fn of_host(method: &str) -> String {
    format!("snooze.v1.host.h1.plugin.example-rust.{method}")
}

fn of_fleet(method: &str) -> String {
    format!("snooze.v1.fleet.plugin.example-rust.{method}")
}

fn readings(cpu: impl Into<Value>) -> Value {
    json!({ "metrics": { "cpu_usage": cpu.into() }, "host": "h1" })
}

#[tokio::test]
async fn a_hosts_question_is_answered_in_its_own_form() {
    let server = NatsServer::with_roles().await;
    let _plugin = Replica::start("example-rust", &server, Some(&plugin_user("h1")), Some("h1"));
    let host = client(&server, Some(&host_user())).await;
    for (body, told) in [
        (readings(1.5), json!("cpu at 1.5 %, below 10 %")),
        (readings(50.5), json!("cpu at 50.5 %")),
    ] {
        let answer = ask_json(&host, &of_host("check_idle"), &body).await;
        assert_eq!(answer["reason"], told);
        let packed = rmp_serde::to_vec_named(&body).expect("a map");
        let packed = ask(&host, &of_host("check_idle"), packed).await;
        assert_eq!(
            rmp_serde::from_slice::<Value>(&packed).expect("MessagePack"),
            answer
        );
    }
    let unknown = json!({ "error": "cpu_usage is unknown" });
    let body = readings(Value::Null);
    assert_eq!(ask_json(&host, &of_host("check_idle"), &body).await, unknown);
    let packed = rmp_serde::to_vec_named(&body).expect("a map");
    let packed = ask(&host, &of_host("check_idle"), packed).await;
    assert_eq!(
        rmp_serde::from_slice::<Value>(&packed).expect("MessagePack"),
        unknown
    );
}

#[tokio::test]
async fn every_method_has_its_subject() {
    let server = NatsServer::with_roles().await;
    let _plugin = Replica::start("example-rust", &server, Some(&plugin_user("h1")), Some("h1"));
    let host = client(&server, Some(&host_user())).await;
    let success = json!({ "success": true });
    let event = json!({ "id": "a-1", "type": "custom.backup", "data": { "size": 3 } });
    for (method, body, key, told) in [
        ("info", json!({}), "name", json!("example-rust")),
        (
            "configure",
            json!({ "config": { "threshold": 20 } }),
            "success",
            json!(true),
        ),
        ("initialize", json!({}), "success", json!(true)),
        ("check_idle", readings(15.5), "is_idle", json!(true)),
        ("supported_events", json!({}), "events", json!(["custom"])),
        (
            "handle_event",
            json!({ "event": event, "left_ms": 1000 }),
            "message",
            json!("seen a-1"),
        ),
        ("shutdown", json!({}), "success", json!(true)),
    ] {
        let answer = ask_json(&host, &of_host(method), &body).await;
        assert_eq!(answer[key], told, "{method}: {answer}");
    }
    // A shell asks with nothing in the body, and may ask nonsense.
    let empty = ask(&host, &of_host("initialize"), Vec::new()).await;
    assert_eq!(empty, success.to_string().into_bytes());
    for nonsense in [&b"text"[..], &[0x91, 1], b"{"] {
        let answer = ask(&host, &of_host("check_idle"), nonsense.to_vec()).await;
        assert!(String::from_utf8_lossy(&answer).contains("error"), "{answer:?}");
    }
}

#[tokio::test]
async fn i3_what_is_about_another_host_is_refused_where_the_subject_names_one() {
    let server = NatsServer::open().await;
    let _on_host = Replica::start("example-rust", &server, None, Some("h1"));
    let _of_fleet = Replica::start("example-rust", &server, None, None);
    let asker = client(&server, None).await;
    let refused = json!({ "error": "the body names the host h2, and the subject h1" });
    let event =
        |host: &str| json!({ "event": { "id": "a-1", "type": "custom", "host": host }, "left_ms": 1000 });
    let mut question = readings(1.5);
    question["host"] = json!("h2");
    for (method, body) in [("handle_event", event("h2")), ("check_idle", question)] {
        assert_eq!(ask_json(&asker, &of_host(method), &body).await, refused);
        let packed = rmp_serde::to_vec_named(&body).expect("a map");
        let packed = ask(&asker, &of_host(method), packed).await;
        assert_eq!(
            rmp_serde::from_slice::<Value>(&packed).expect("MessagePack"),
            refused
        );
        let answer = ask_json(&asker, &of_fleet(method), &body).await;
        assert!(answer.get("error").is_none(), "it serves every host: {answer}");
    }
    for host in ["h1", "fleet"] {
        let answer = ask_json(&asker, &of_host("handle_event"), &event(host)).await;
        assert_eq!(answer["message"], "seen a-1", "{host}");
    }
}

#[tokio::test]
async fn i3_what_has_an_effect_is_refused_without_its_kind_and_version() {
    let server = NatsServer::with_roles().await;
    let _plugin = Replica::start("example-rust", &server, Some(&plugin_user("h1")), Some("h1"));
    let host = client(&server, Some(&host_user())).await;
    ask_json(&host, &of_host("info"), &json!({})).await;
    let bare = async |method, body: &Value| {
        let asked = host.request(of_host(method), body.to_string().into());
        let answer = asked.await.expect("it answers").payload;
        snooze_plugin::serde_json::from_slice::<Value>(&answer).expect("JSON")
    };
    let config = json!({ "config": { "threshold": 90 } });
    for method in ["configure", "initialize", "handle_event", "shutdown"] {
        let told = format!("{method} has an effect and needs the header Snooze-Kind: {method}");
        assert_eq!(bare(method, &config).await, json!({ "error": told }));
    }
    // Asking may come bare, and what was refused has changed nothing.
    assert_eq!(bare("check_idle", &readings(50.5)).await["is_idle"], false);
    assert_eq!(bare("info", &json!({})).await["name"], "example-rust");
}

#[tokio::test]
async fn an_operator_sees_its_endpoints_and_what_they_did() {
    let server = NatsServer::with_roles().await;
    let _plugin = Replica::start("example-rust", &server, Some(&plugin_user("h1")), Some("h1"));
    let host = client(&server, Some(&host_user())).await;
    ask_json(&host, &of_host("check_idle"), &readings(1.5)).await;
    let operator = client(&server, Some(&operator())).await;
    let info = &ask_all(&operator, "$SRV.INFO.example-rust", 1).await[0];
    assert_eq!(
        (&info["name"], &info["version"]),
        (&json!("example-rust"), &json!("1.0.0"))
    );
    let endpoints = info["endpoints"].as_array().expect("a list");
    let subjects: BTreeSet<_> = endpoints
        .iter()
        .map(|endpoint| endpoint["subject"].as_str())
        .collect();
    let expected = METHODS.map(of_host);
    assert_eq!(
        subjects,
        expected.iter().map(|subject| Some(subject.as_str())).collect()
    );
    let stats = &ask_all(&operator, "$SRV.STATS", 1).await[0];
    let endpoints = stats["endpoints"].as_array().expect("a list");
    for endpoint in endpoints {
        let asked = u64::from(endpoint["name"] == "check_idle");
        assert_eq!(endpoint["num_requests"], asked, "{endpoint}");
    }
    assert_eq!(endpoints.len(), METHODS.len());
}

#[tokio::test]
async fn replicas_of_a_fleet_plugin_share_the_questions() {
    const QUESTIONS: u64 = 60;
    let server = NatsServer::with_roles().await;
    let name = "example-rust".parse().expect("a name");
    let user = User::fleet_plugin(&name);
    let _replicas = [(); 2].map(|()| Replica::start("example-rust", &server, Some(&user), None));
    let operator = client(&server, Some(&operator())).await;
    let info = ask_all(&operator, "$SRV.INFO.example-rust", 2).await;
    for replica in &info {
        let endpoints = replica["endpoints"].as_array().expect("a list");
        assert!(
            endpoints
                .iter()
                .all(|endpoint| endpoint["queue_group"] == "example-rust")
        );
    }
    let host = client(&server, Some(&host_user().granting(&name))).await;
    for _ in 0..QUESTIONS {
        let answer = ask_json(&host, &of_fleet("check_idle"), &readings(1.5)).await;
        assert_eq!(answer["is_idle"], true);
    }
    let stats = ask_all(&operator, "$SRV.STATS.example-rust", 2).await;
    let asked: Vec<u64> = stats
        .iter()
        .flat_map(|replica| replica["endpoints"].as_array().expect("a list"))
        .filter(|endpoint| endpoint["name"] == "check_idle")
        .filter_map(|endpoint| endpoint["num_requests"].as_u64())
        .collect();
    assert_eq!(
        (asked.len(), asked.iter().sum()),
        (2, QUESTIONS),
        "each is answered once"
    );
    assert!(!asked.contains(&0), "one of them answered nothing: {asked:?}");
}

#[tokio::test]
async fn it_waits_for_a_server_and_comes_back_with_it() {
    let mut server = NatsServer::open().await;
    server.kill();
    let mut plugin = Replica::start("example-rust", &server, None, Some("h1"));
    for _ in 0..2 {
        server.restart().await;
        let asker = client(&server, None).await;
        let answer = ask_json(&asker, &of_host("check_idle"), &readings(1.5)).await;
        assert_eq!(answer["is_idle"], true);
        assert_eq!(
            ask_all(&asker, "$SRV.PING.example-rust", 1).await[0]["version"],
            "1.0.0"
        );
        server.kill();
    }
    assert!(plugin.process.ended().is_none(), "{}", plugin.errors());
}

#[tokio::test]
async fn i3_an_answer_goes_nowhere_but_into_an_inbox() {
    let server = NatsServer::open().await;
    let _plugin = Replica::start("example-rust", &server, None, Some("h1"));
    let asker = client(&server, None).await;
    ask_json(&asker, &of_host("check_idle"), &readings(1.5)).await;
    let forged = "snooze.v1.host.h2.runner.cancel";
    let mut victim = asker.subscribe(forged).await.expect("a subscription");
    let body = readings(1.5).to_string();
    asker
        .publish_with_reply(of_host("check_idle"), forged, body.into())
        .await
        .expect("it is sent");
    // Asked after it and answered, so the forged one was read.
    ask_json(&asker, &of_host("check_idle"), &readings(1.5)).await;
    assert!(
        victim.next().now_or_never().is_none(),
        "the plugin was made to speak"
    );
}
