//! The services protocol, asked by hand: who is answered, where, and with which endpoints.

use crate::support::*;
use serde_json::Value;
use snooze_bus::{Bus, Endpoint, RUNNER_SERVICE, RequestCounts, Role, Service, SubjectFilter, User};
use std::sync::{Arc, Mutex};

type Names = Arc<Mutex<Vec<&'static str>>>;

/// A host's service, with whichever plugins the list names when it is asked.
async fn announced(bus: &Bus, name: &str) -> Names {
    let service = Service {
        name: RUNNER_SERVICE,
        host: host(name),
        version: "1.2.3",
        description: "for tests",
        started: "2026-01-02T03:04:05Z".parse().expect("a time"),
    };
    let announcement = bus.announce(&service).await.expect("the server confirms");
    let names = Names::default();
    let (shown, host) = (names.clone(), service.host);
    tokio::spawn(announcement.answer(move || {
        let names = shown.lock().expect("nothing panics").clone();
        let endpoint = |name: &str| Endpoint {
            name: name.parse().expect("a name"),
            filter: SubjectFilter::PluginsOf(host.clone()),
            metadata: [].into(),
            counts: Arc::<RequestCounts>::default(),
        };
        names.into_iter().map(endpoint).collect()
    }));
    names
}

async fn asked(bus: &Bus, subject: &str) -> Value {
    let answer = bus
        .raw_request(subject, &[], b"", LIMIT)
        .await
        .expect("an answer");
    serde_json::from_slice(&answer.payload).expect("it is JSON")
}

fn shown(answer: &Value) -> Vec<&str> {
    let endpoints = answer["endpoints"].as_array().expect("a list");
    endpoints
        .iter()
        .map(|endpoint| endpoint["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn endpoints_come_and_go_between_two_questions() {
    let server = NatsServer::with_roles().await;
    let bus = fenced(&server, &User::host(&host("h1"))).await;
    let operator = fenced(&server, &User::named(Role::Operator, "ann").expect("a name")).await;
    let names = announced(&bus, "h1").await;
    assert!(shown(&asked(&operator, "$SRV.INFO").await).is_empty());
    names.lock().expect("nothing panics").extend(["a", "b"]);
    assert_eq!(
        shown(&asked(&operator, "$SRV.STATS.snooze_plugin_runner").await),
        ["a", "b"]
    );
    names.lock().expect("nothing panics").remove(0);
    assert_eq!(
        shown(&asked(&operator, "$SRV.INFO.snooze_plugin_runner.h1").await),
        ["b"]
    );
}

#[tokio::test]
async fn i5_what_is_asked_of_one_host_reaches_no_other() {
    let server = NatsServer::with_roles().await;
    let one = fenced(&server, &User::host(&host("h1"))).await;
    let other = fenced(&server, &User::host(&host("h2"))).await;
    let operator = fenced(&server, &User::named(Role::Operator, "ann").expect("a name")).await;
    announced(&one, "h1").await;
    announced(&other, "h2").await;
    for name in ["h1", "h2"] {
        let subject = format!("$SRV.PING.snooze_plugin_runner.{name}");
        let inbox = format!("_INBOX_operator.ann.{name}");
        let mut answers = operator.raw_subscribe(&inbox).await.expect("subscribes");
        operator
            .raw_publish(&subject, Some(&inbox), &[], b"")
            .await
            .expect("asks");
        let answer: Value = serde_json::from_slice(&hear_raw(&mut answers).await.payload).expect("JSON");
        assert_eq!(answer["id"], name);
        // Both hosts have taken all that came before, so a second answer would be here by now.
        for bus in [&one, &other, &operator] {
            bus.flush(LIMIT).await.expect("the server is there");
        }
        operator
            .raw_publish(&inbox, None, &[], b"end")
            .await
            .expect("publishes");
        assert_eq!(hear_raw(&mut answers).await.payload, b"end");
    }
}

#[tokio::test]
async fn i3_a_service_answers_only_into_inboxes_and_only_what_was_sent_to_it() {
    let server = NatsServer::open().await;
    let bus = open(&server, Role::Host, "h1").await;
    let evil = open(&server, Role::Host, "h3").await;
    let mut heard = evil.raw_subscribe(">").await.expect("subscribes");
    announced(&bus, "h1").await;
    let forged = [
        "snooze.v1.host.h2.runner.cancel",
        "$KV.snooze_state.gate",
        "_INBOX.somebody.x",
    ];
    for (at, reply) in forged.iter().enumerate() {
        let subject = ["$SRV.PING", "$SRV.INFO", "$SRV.STATS.snooze_plugin_runner"][at];
        evil.raw_publish(subject, Some(reply), &[], b"")
            .await
            .expect("publishes");
    }
    let stored = [("Nats-Stream", "AUDIT"), ("Nats-Sequence", "1")];
    evil.raw_publish("$SRV.PING", Some("_INBOX_host.h3.stored"), &stored, b"")
        .await
        .expect("publishes");
    // Each is either refused or answered.
    wait_until(LIMIT, "all four are refused", async || {
        bus.counters().refused == 4
    })
    .await;
    evil.raw_publish("$SRV.PING", Some("_INBOX_host.h3.end"), &[], b"")
        .await
        .expect("publishes");
    // What both connections say to themselves is heard as well.
    let mut heard_first = String::new();
    while !forged.contains(&heard_first.as_str())
        && !["_INBOX_host.h3.stored", "_INBOX_host.h3.end"].contains(&heard_first.as_str())
    {
        heard_first = hear_raw(&mut heard).await.subject;
    }
    assert_eq!(heard_first, "_INBOX_host.h3.end");
    assert_eq!(bus.counters().refused, 4);
}
