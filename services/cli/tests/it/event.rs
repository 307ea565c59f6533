//! Events: of hosts that are enrolled and hosts that are not, of the fleet as one of its hosts saw it, and of hosts that say
//! what they like under subjects of their own.

use crate::{
    place::{Place, user},
    snooze,
};
use serde_json::{Value, json};
use snooze_bus::{Bus, Expect, Role, Subject, SubjectFilter, User};
use snooze_schemas::{
    Message,
    audit::{AuditKind, AuditRecord},
    event::{CustomEvent, Event, Filed, Scope},
};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn event(host: &str, severity: u8) -> Event {
    serde_json::from_value(json!({
        "id": "shared", "type": "custom.x", "severity": severity, "source": "custom.test", "host": host,
        "noticed_at": "2030-01-01T00:00:00Z", "data": {},
    }))
    .expect("an event")
}

async fn file<M: Message>(bus: &Bus, subject: &Subject, message: &M) {
    let filed = bus.file(subject, message, Expect::New, LIMIT).await;
    filed.expect("is filed");
}

/// What a host says of how an event ended.
fn ended(host: &str, handled_by: &str) -> AuditRecord {
    serde_json::from_value(json!({
        "at": "2030-01-01T00:00:00Z", "host": host, "kind": "event", "actor": "runner", "message": "handled",
        "details": {"id": "shared", "type": "custom.x", "handlers": [
            {"plugin": handled_by, "handled": true, "succeeded": true, "took_ms": 1}]},
    }))
    .expect("a record")
}

#[tokio::test]
async fn a_fleets_event_is_told_as_one_of_its_hosts_saw_it() {
    let place = Place::new().await;
    let gateway = place.server.bus(&user(Role::Gateway, "g1")).await;
    let fleets = event("fleet", 3);
    file(&gateway, &Subject::from(&fleets), &fleets).await;
    for (name, handler) in [("web", "save"), ("db", "dump")] {
        let host = name.parse().expect("a host");
        let runner = place.server.bus(&User::host(&host)).await;
        let subject = Subject::Audit {
            scope: Scope::Host(host),
            kind: AuditKind::Event,
        };
        file(&runner, &subject, &ended(name, handler)).await;
    }
    let connection = place.connection(Role::Operator);
    let say = async |what: &[&str]| {
        let mut all: Vec<&str> = connection.iter().map(String::as_str).collect();
        all.push("event");
        all.extend(what);
        let done = snooze(&all).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out
    };
    let all = say(&["show", "shared"]).await;
    assert!(all.contains("web: save") && all.contains("db: dump"), "{all}");
    for command in [
        &["show", "shared", "--host", "web"][..],
        &["list", "--host", "web"],
    ] {
        let told = say(command).await;
        assert!(told.contains("handled by 1 of 1 plugins"), "{command:?}: {told}");
        assert!(!told.contains("dump"), "another host's word is another's: {told}");
    }
    for command in [
        &["show", "shared", "--host", "mail"][..],
        &["list", "--host", "mail"],
    ] {
        let told = say(command).await;
        assert!(
            told.contains("this host has not told of it"),
            "{command:?}: {told}"
        );
    }
}

#[tokio::test]
async fn an_event_for_a_host_that_is_not_enrolled_is_refused_unless_it_is_meant() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let gateway = place.server.bus(&user(Role::Gateway, "g1")).await;
    let mut sent = gateway
        .subscribe(&SubjectFilter::AllCustom, None)
        .await
        .expect("a gateway listens");
    let answering = tokio::spawn(async move {
        let mut hosts = Vec::new();
        while let Some(delivery) = sent.next().await {
            let sent: CustomEvent = delivery.read().expect("only these are sent here");
            hosts.push(sent.host.expect("it names one").to_string());
            let filed = Filed {
                id: "custom-1".parse().expect("an id"),
                duplicate: false,
            };
            delivery.answer(Ok(filed)).await.expect("answers");
            if hosts.len() == 3 {
                break;
            }
        }
        hosts
    });
    let send = async |role, more: &[&str]| {
        let connection = place.connection(role);
        let mut all: Vec<&str> = connection.iter().map(String::as_str).collect();
        all.extend(["event", "send", "x", "--host"]);
        all.extend(more);
        snooze(&all).await
    };
    let refused = send(Role::Operator, &["wbe"]).await;
    assert_eq!((refused.code, refused.out.as_str()), (Some(4), ""), "{refused:?}");
    for part in [
        "wbe is not enrolled; these are: web",
        "nothing is filed",
        "--unenrolled",
    ] {
        assert!(refused.err.contains(part), "{part}: {refused:?}");
    }
    for (role, more) in [
        (Role::Operator, &["web"][..]),
        (Role::Operator, &["later", "--unenrolled"]),
        // It may not ask who is enrolled.
        (Role::Source, &["other"]),
    ] {
        let filed = send(role, more).await;
        assert_eq!(
            (filed.code, filed.out.as_str()),
            (Some(0), "custom-1\n"),
            "{filed:?}"
        );
    }
    assert_eq!(
        answering.await.expect("three are heard"),
        ["web", "later", "other"]
    );
}

#[tokio::test]
async fn i1_a_host_neither_hides_nor_ends_the_event_of_another() {
    let place = Place::new().await;
    let gateway = place.server.bus(&user(Role::Gateway, "g1")).await;
    let thief = place
        .server
        .bus(&User::host(&"thief".parse().expect("a host")))
        .await;
    let (theirs, own) = (event("victim", 3), event("thief", 0));
    file(&gateway, &Subject::from(&theirs), &theirs).await;
    file(&thief, &Subject::from(&own), &own).await;
    let forged: AuditRecord = serde_json::from_value(json!({
        "at": "2030-01-01T00:00:00Z", "host": "victim", "kind": "event", "actor": "runner", "message": "handled",
        "details": {"id": "shared", "dead": true, "reason": "forged"},
    }))
    .expect("a record");
    let subject = Subject::Audit {
        scope: Scope::Host("thief".parse().expect("a host")),
        kind: AuditKind::Event,
    };
    file(&thief, &subject, &forged).await;
    let connection = place.connection(Role::Operator);
    let show = async |more: &[&str]| {
        let mut all: Vec<&str> = connection.iter().map(String::as_str).collect();
        all.extend(["event", "show", "shared"]);
        all.extend(more);
        snooze(&all).await
    };
    let unclear = show(&[]).await;
    assert_eq!(unclear.code, Some(64), "{unclear:?}");
    assert!(
        unclear.err.contains("thief, victim: say which with --host"),
        "{unclear:?}"
    );
    let told = show(&["--host", "victim", "--json"]).await;
    let story: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!(story["event"]["host"], "victim", "{story}");
    assert_eq!(story["endings"], json!([]), "nobody else ends it: {story}");
    let own = show(&["--host", "thief", "--json"]).await;
    let story: Value = serde_json::from_str(&own.out).expect("JSON");
    assert_eq!(story["endings"][0]["host"], "thief", "{story}");
}
