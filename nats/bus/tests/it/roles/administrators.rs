//! An administrator writes configuration from an account that has no JetStream: what it gets from a forged
//! reply subject is nothing (rules I3, I4).

use super::{
    super::support::*,
    cast::{cast, named},
    wire::Wire,
};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Expect, Role, Stream, Subject, WriteError};
use snooze_schemas::audit::{AuditKind, AuditRecord};

#[tokio::test]
async fn i5_an_administrator_writes_and_reads_configuration_at_its_revision() {
    let cast = cast().await;
    let config = cast.administrator.bucket(Bucket::Config);
    let first = config.create("fleet", &json!({ "a": 1 })).await.expect("writes");
    let again = config.create("fleet", &json!({ "a": 2 })).await;
    assert!(matches!(again, Err(WriteError::Conflict { .. })), "{again:?}");
    let second = config
        .update("fleet", &json!({ "a": 3 }), first)
        .await
        .expect("writes");
    let late = config.update("fleet", &json!({ "a": 4 }), first).await;
    assert!(matches!(late, Err(WriteError::Conflict { .. })), "{late:?}");
    let read = config
        .get::<Value>("fleet")
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!((read.revision, &read.value["a"]), (second, &json!(3)));
    config.delete("fleet", second).await.expect("deletes");
    assert!(config.get::<Value>("fleet").await.expect("reads").is_none());
    cast.all_are_well().await;
}

#[tokio::test]
async fn i3_an_administrators_forged_reply_deletes_writes_and_commands_nothing() {
    let cast = cast().await;
    let state = cast.executor.bucket(Bucket::State);
    let revision = state
        .create("gate", &json!({ "open": false }))
        .await
        .expect("writes");
    let config = cast.administrator.bucket(Bucket::Config);
    config
        .put("group.g", &json!({ "open": true }))
        .await
        .expect("writes");
    let (subject, record) = audit("a", AuditKind::Intent, "kept");
    cast.executor
        .file(&subject, &record, Expect::Anything, LIMIT)
        .await
        .expect("files");
    let mut runner = cast
        .host
        .raw_subscribe("snooze.v1.host.a.runner.>")
        .await
        .expect("subscribes");

    let mut wire = Wire::connect(&cast.server, &named(Role::Administrator, "eve")).await;
    assert!(wire.may_hear("_INBOX_administrator.eve.>").await);
    let own = "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.group.g";
    let missing = "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.group.missing";
    for victim in [
        "$JS.API.STREAM.DELETE.AUDIT",
        "$JS.API.STREAM.DELETE.KV_snooze_state",
        "$JS.API.STREAM.PURGE.AUDIT",
        "$JS.API.CONSUMER.DELETE.EVENTS_URGENT.severity-3",
        "$KV.snooze_state.gate",
        "snooze.v1.audit.a.stopped",
        "snooze.v1.host.a.runner.cancel",
    ] {
        wire.publish("$KV.snooze_config.group.other", Some(victim), b"{}")
            .await;
        wire.publish(own, Some(victim), b"").await;
        wire.publish(missing, Some(victim), b"").await;
    }
    // Answered after all of it.
    wire.publish(
        "$KV.snooze_config.group.other",
        Some("_INBOX_administrator.eve.1"),
        b"{}",
    )
    .await;
    wire.publish(missing, Some("_INBOX_administrator.eve.2"), b"")
        .await;
    let mut heard = Vec::new();
    wait_until(LIMIT, "what was asked last is answered", async || {
        heard.extend(wire.heard().await);
        ["1", "2"]
            .iter()
            .all(|end| heard.iter().any(|(subject, _)| subject.ends_with(end)))
    })
    .await;

    let gate = state
        .get::<Value>("gate")
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!((gate.revision, &gate.value["open"]), (revision, &json!(false)));
    let kept = cast.operator.last::<AuditRecord>(Stream::Audit, &subject).await;
    assert_eq!(kept.expect("reads").expect("is there").message, record);
    let stopped = Subject::Audit {
        scope: record.host.clone(),
        kind: AuditKind::Stopped,
    };
    let filed = cast.operator.last::<AuditRecord>(Stream::Audit, &stopped).await;
    assert!(matches!(filed, Ok(None)), "{filed:?}");
    // An administrator may ask a runner some things; what it gets here is no command with its headers.
    cast.executor
        .raw_publish("snooze.v1.host.a.runner.verify", None, &[], b"end")
        .await
        .expect("publishes");
    loop {
        let message = hear_raw(&mut runner).await;
        if message.payload == b"end" {
            break;
        }
        assert!(
            !message.headers.iter().any(|(name, _)| name == "Snooze-Kind"),
            "{message:?}"
        );
    }
}

#[tokio::test]
async fn i3_nobody_else_among_people_writes_configuration_with_an_answer() {
    let cast = cast().await;
    let config = cast.administrator.bucket(Bucket::Config);
    config
        .put("group.g", &json!({ "kept": true }))
        .await
        .expect("writes");
    let mut wire = Wire::connect(&cast.server, &named(Role::Operator, "eve")).await;
    assert!(wire.may_hear("_INBOX_operator.eve.>").await);
    let asked = [
        "$JS.API.DIRECT.GET.AUDIT.snooze.v1.audit.nobody.intent",
        "snooze.v1.ops.query",
        "snooze.v1.host.a.runner.plugins",
    ];
    for asked in asked {
        wire.publish(asked, Some("$KV.snooze_config.group.g"), b"{}")
            .await;
        wire.publish(asked, Some("$KV.snooze_config.fleet"), b"{}").await;
    }
    wire.publish(asked[0], Some("_INBOX_operator.eve.1"), b"").await;
    wait_until(LIMIT, "what was asked last is answered", async || {
        wire.heard()
            .await
            .iter()
            .any(|(subject, _)| subject.ends_with(".1"))
    })
    .await;
    let kept = config
        .get::<Value>("group.g")
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!(kept.value["kept"], json!(true));
    assert!(config.get::<Value>("fleet").await.expect("reads").is_none());
}
