//! Events of hosts that say what they like under subjects of their own.

use crate::{
    place::{Place, user},
    snooze,
};
use serde_json::{Value, json};
use snooze_bus::{Bus, Expect, Role, Subject, User};
use snooze_schemas::{
    Message,
    audit::{AuditKind, AuditRecord},
    event::{Event, Scope},
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
