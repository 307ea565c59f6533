//! What a user tries who has a role's credentials and means harm: forged reply subjects above all, because
//! the server does not check them (rules I3, I4).

use super::{super::support::*, wire::Wire};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Bus, Role, RunnerVerb, Stream, Subject, SubjectFilter, User};
use snooze_schemas::{
    Message,
    event::{Event, HandleEvent, Scope},
    host::{Cancel, Prepare, Verify},
};

struct Scene {
    server: NatsServer,
    executor: Bus,
    administrator: Bus,
}

fn named(role: Role, name: &str) -> User {
    User::named(role, name).expect("a name")
}

async fn scene() -> Scene {
    let server = NatsServer::with_roles().await;
    let set_up = fenced(&server, &named(Role::SetUp, "s")).await;
    set_up.set_up().await.expect("streams and buckets can be made");
    Scene {
        executor: fenced(&server, &named(Role::Executor, "e1")).await,
        administrator: fenced(&server, &named(Role::Administrator, "root")).await,
        server,
    }
}

/// Asks for something that is answered after all that was asked before, and waits for the answer.
async fn settle(wire: &mut Wire, inbox: &str, subject: &str) {
    wire.publish(subject, Some(inbox), b"").await;
    wait_until(LIMIT, "what was asked last is answered", async || {
        wire.heard().await.iter().any(|(subject, _)| subject == inbox)
    })
    .await;
}

/// A key that no host has: the server answers with an empty message.
const MISSING: &str = "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.group.missing";

#[tokio::test]
async fn i5_a_message_to_oneself_with_a_forged_reply_opens_no_door() {
    let scene = scene().await;
    let (db, llm) = ("db".parse().expect("a plugin"), "llm".parse().expect("a plugin"));
    let users = [
        (User::host(&host("a")), "host.a.plugin.x.check_idle"),
        (User::plugin(&host("a"), &db), "host.a.plugin.db.check_idle"),
        (User::fleet_plugin(&llm), "fleet.plugin.llm.check_idle"),
    ];
    let accomplice = User::host(&host("a")).granting(&llm);
    let mut accomplice = Wire::connect(&scene.server, &accomplice).await;
    for (user, asked) in users {
        let asked = format!("snooze.v1.{asked}");
        let mut wire = Wire::connect(&scene.server, &user).await;
        assert!(wire.may_hear(&asked).await);
        for victim in [
            "$KV.snooze_state.gate",
            "$JS.API.STREAM.DELETE.AUDIT",
            "snooze.v1.host.b.verdict",
            "snooze.v1.host.b.runner.cancel",
            "snooze.v1.ops.freeze",
        ] {
            accomplice.publish(&asked, Some(victim), b"{}").await;
            assert!(accomplice.taken().await, "the request itself is allowed");
            assert_eq!(wire.heard().await.len(), 1, "it arrives");
            assert!(
                !wire.may_publish(victim).await,
                "{} publishes {victim}",
                user.role()
            );
        }
    }
}

#[tokio::test]
async fn i3_a_streams_ack_or_answer_with_a_forged_reply_writes_no_key() {
    let scene = scene().await;
    let (state, config) = (
        scene.executor.bucket(Bucket::State),
        scene.administrator.bucket(Bucket::Config),
    );
    let gate = json!({ "open": true });
    let revision = state.create("gate", &gate).await.expect("writes");
    config
        .put("roster.a", &json!({ "instance": "i-a" }))
        .await
        .expect("writes");
    config
        .put("roster.b", &json!({ "instance": "i-b" }))
        .await
        .expect("writes");
    let mut wire = Wire::connect(&scene.server, &User::host(&host("a"))).await;
    assert!(wire.may_hear("_INBOX_host.a.>").await);

    let keys = [
        "$KV.snooze_state.gate",
        "$KV.snooze_state.host.b",
        "$KV.snooze_config.fleet",
        "$KV.snooze_config.roster.b",
    ];
    for (number, key) in keys.iter().enumerate() {
        wire.publish(
            &format!("snooze.v1.event.a.3.id{number}.custom"),
            Some(key),
            b"{}",
        )
        .await;
        // The answer holds what the host may read: it could put its own record into another's place.
        let own = "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.roster.a";
        wire.publish(own, Some(key), b"").await;
        wire.publish(MISSING, Some(key), b"").await;
    }
    settle(&mut wire, "_INBOX_host.a.1", "snooze.v1.event.a.3.last.custom").await;
    settle(&mut wire, "_INBOX_host.a.2", MISSING).await;

    let kept = state
        .get::<Value>("gate")
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!((kept.revision, kept.value), (revision, gate));
    assert!(state.get::<Value>("host.b").await.expect("reads").is_none());
    assert!(config.get::<Value>("fleet").await.expect("reads").is_none());
    let kept = config
        .get::<Value>("roster.b")
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!(kept.value["instance"], "i-b");
}

#[tokio::test]
async fn i3_an_empty_answer_with_a_forged_reply_deletes_no_stream() {
    let scene = scene().await;
    let state = scene.executor.bucket(Bucket::State);
    state
        .create("gate", &json!({ "open": false }))
        .await
        .expect("writes");
    let host = User::host(&host("a"));
    let (operator, administrator) = (named(Role::Operator, "ann"), named(Role::Administrator, "eve"));
    // An operator asks for the audit trail of a host that has none.
    let absent = "$JS.API.DIRECT.GET.AUDIT.snooze.v1.audit.nobody.intent";
    // And a host for an artifact that nobody put.
    let no_artifact = "$JS.API.DIRECT.GET.OBJ_snooze_artifacts.$O.snooze_artifacts.C.x.0";
    for (user, inbox, asked) in [
        (host.clone(), "_INBOX_host.a.1", MISSING),
        (host, "_INBOX_host.a.2", no_artifact),
        (operator, "_INBOX_operator.ann.1", absent),
        (administrator.clone(), "_INBOX_administrator.eve.1", absent),
        (administrator, "_INBOX_administrator.eve.2", MISSING),
    ] {
        let mut wire = Wire::connect(&scene.server, &user).await;
        assert!(wire.may_hear(inbox).await);
        for victim in [
            "$JS.API.STREAM.DELETE.KV_snooze_state",
            "$JS.API.STREAM.PURGE.KV_snooze_state",
            "$JS.API.STREAM.DELETE.OBJ_snooze_artifacts",
            "$JS.API.CONSUMER.DELETE.EVENTS_URGENT.severity-3",
        ] {
            wire.publish(asked, Some(victim), b"").await;
        }
        settle(&mut wire, inbox, asked).await;
        let gate = state.get::<Value>("gate").await.expect("the bucket is there");
        assert_eq!(gate.expect("and so is the key").value["open"], false);
        let put = scene.administrator.artifacts().put(b"package").await;
        put.expect("the store of artifacts is there");
    }
    let gateway = fenced(&scene.server, &named(Role::Gateway, "g1")).await;
    let (subject, filed) = event("a", snooze_schemas::event::Severity::Critical, "one");
    gateway
        .file(&subject, &filed, snooze_bus::Expect::New, LIMIT)
        .await
        .expect("files");
    let mut consumer = gateway
        .events(snooze_schemas::event::Severity::Critical)
        .await
        .expect("subscribes");
    take(&mut consumer).await;
}

async fn is_refused<M: Message + std::fmt::Debug>(
    runner: &Bus,
    wire: &mut Wire,
    verb: RunnerVerb,
    number: u32,
) {
    let victim = Subject::Runner {
        host: host("b"),
        verb,
    };
    let mut heard = runner
        .subscribe(&SubjectFilter::Exactly(victim.clone()), None)
        .await
        .expect("subscribes");
    let asked = [
        format!("snooze.v1.event.a.3.forged{number}.custom"),
        "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.fleet".to_owned(),
    ];
    for asked in asked {
        wire.publish(&asked, Some(&victim.to_string()), b"").await;
        assert!(wire.taken().await, "what is asked is allowed");
        let read = hear(&mut heard).await.read::<M>();
        read.expect_err("and is not taken for a command");
    }
}

#[tokio::test]
async fn i3_forged_reply_is_no_command_at_another_host() {
    let scene = scene().await;
    let config = scene.administrator.bucket(Bucket::Config);
    // What a host may read looks like a command as much as it can.
    let command =
        json!({ "claim": 9, "nonce": "x", "duration_ms": 1, "notice_ms": 1, "action": "stop", "reason": "" });
    config.put("fleet", &command).await.expect("writes");
    let runner = fenced(&scene.server, &User::host(&host("b"))).await;
    let mut wire = Wire::connect(&scene.server, &User::host(&host("a"))).await;
    is_refused::<Cancel>(&runner, &mut wire, RunnerVerb::Cancel, 1).await;
    is_refused::<Prepare>(&runner, &mut wire, RunnerVerb::Prepare, 2).await;
    is_refused::<Verify>(&runner, &mut wire, RunnerVerb::Verify, 3).await;
    is_refused::<HandleEvent>(&runner, &mut wire, RunnerVerb::HandleEvent, 4).await;
    assert_eq!(runner.counters().refused, 8);
}

#[tokio::test]
async fn i3_forged_reply_files_no_event_of_another_host() {
    let scene = scene().await;
    let mut wire = Wire::connect(&scene.server, &User::host(&host("a"))).await;
    assert!(wire.may_hear("_INBOX_host.a.>").await);
    wire.publish(
        "snooze.v1.event.a.3.one.custom",
        Some("snooze.v1.event.b.3.one.custom"),
        b"{}",
    )
    .await;
    wire.publish(MISSING, Some("snooze.v1.event.b.3.two.custom"), b"")
        .await;
    settle(&mut wire, "_INBOX_host.a.1", "snooze.v1.event.a.3.last.custom").await;
    settle(&mut wire, "_INBOX_host.a.2", MISSING).await;
    let filter = SubjectFilter::EventsOf(Scope::Host(host("b")));
    let of_b = scene
        .executor
        .history::<Event>(Stream::EventsUrgent, &filter, 10)
        .await;
    assert!(of_b.expect("reads").is_empty());
    let one = Subject::Event {
        scope: Scope::Host(host("b")),
        severity: snooze_schemas::event::Severity::Critical,
        id: "one".parse().expect("an id"),
        event_type: "custom".parse().expect("a type"),
    };
    let first = scene.executor.last::<Event>(Stream::EventsUrgent, &one).await;
    assert!(matches!(first, Ok(None)), "the id is not spent: {first:?}");
}

#[tokio::test]
async fn i4_not_even_a_writer_of_a_bucket_empties_it_with_a_roll_up() {
    let scene = scene().await;
    let state = scene.executor.bucket(Bucket::State);
    for key in ["gate", "host.a"] {
        state.create(key, &json!({ "x": 1 })).await.expect("writes");
    }
    let mut wire = Wire::connect(&scene.server, &named(Role::Executor, "e2")).await;
    assert!(wire.may_hear("_INBOX_executor.e2.>").await);
    for roll_up in ["all", "sub"] {
        let inbox = format!("_INBOX_executor.e2.{roll_up}");
        wire.publish_with("$KV.snooze_state.gate", &inbox, &[("Nats-Rollup", roll_up)], "{}")
            .await;
        let mut answer = Vec::new();
        wait_until(LIMIT, "the stream answers", async || {
            answer = wire.heard().await;
            !answer.is_empty()
        })
        .await;
        let text = String::from_utf8_lossy(&answer[0].1).into_owned();
        assert!(text.contains("rollup not permitted"), "{text}");
    }
    assert_eq!(state.keys(">").await.expect("reads").len(), 2);
}
