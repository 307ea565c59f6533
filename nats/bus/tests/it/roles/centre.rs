//! What the centre and people are for works behind their fences and across the accounts.

use super::{super::support::*, cast::*};
use serde_json::{Map, Value, json};
use snooze_bus::{
    BatchWrite, Bucket, Change, EXECUTOR_QUEUE, Expect, FileError, GATEWAY_QUEUE, GatewayVerb, OpsVerb,
    RequestError, Role, Subject, SubjectFilter, User,
};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{CustomEvent, Event, Scope, Severity},
    ops::{LeaseRequest, Query},
    reply::Empty,
    verdict::Verdict,
};
use std::time::Duration;

#[tokio::test]
async fn i5_events_are_filed_by_hosts_taken_by_gateways_and_seen_by_people() {
    let cast = cast().await;
    let mut seen = cast
        .operator
        .subscribe(&SubjectFilter::AllEvents, None)
        .await
        .expect("subscribes");
    for severity in Severity::DESCENDING {
        let (subject, event) = event("a", severity, "one");
        let filed = cast.host.file(&subject, &event, Expect::New, LIMIT).await;
        filed.expect("is filed");
        let mut consumer = cast.gateway.events(severity).await.expect("subscribes");
        let taken = take(&mut consumer).await;
        assert_eq!(taken.event().severity, severity);
        taken.ack().await.expect("acks");
        assert_eq!(next::<Event>(&mut seen).await.severity, severity);
    }
    // Each is seen once, whichever account it came from.
    let (subject, own) = event("a", Severity::Critical, "from-the-centre");
    cast.gateway
        .file(&subject, &own, Expect::New, LIMIT)
        .await
        .expect("is filed");
    assert_eq!(next::<Event>(&mut seen).await, own);
    let again = cast.host.file(&subject, &own, Expect::New, LIMIT).await;
    assert!(matches!(again, Err(FileError::Exists { .. })), "{again:?}");
    let open = cast.gateway.bucket(Bucket::Open);
    let mut watch = open.watch::<Value>(">").await.expect("watches");
    assert_eq!(
        watch.next().await.expect("goes on").expect("is whole"),
        Change::Ready
    );
    open.put("a.one", &json!({ "state": "accepted" }))
        .await
        .expect("writes");
    let change = watch.next().await.expect("goes on").expect("is whole");
    assert!(matches!(change, Change::Put(entry) if entry.key == "a.one"));
    cast.all_are_well().await;
}

#[tokio::test]
async fn i5_people_hear_one_hosts_trail_whoever_wrote_it() {
    let cast = cast().await;
    for person in [&cast.operator, &cast.administrator] {
        let filter = SubjectFilter::AuditOf(Scope::Host(host("a")));
        let mut trail = person.subscribe(&filter, None).await.expect("subscribes");
        for (writer, kind) in [
            (&cast.host, AuditKind::Event),
            (&cast.executor, AuditKind::Intent),
            (&cast.host, AuditKind::Plugin),
            (&cast.gateway, AuditKind::Event),
        ] {
            let (subject, record) = audit("a", kind, "said");
            let filed = writer.file(&subject, &record, Expect::Anything, LIMIT).await;
            filed.expect("is filed");
            assert_eq!(next::<AuditRecord>(&mut trail).await.kind, kind);
        }
    }
    cast.all_are_well().await;
}

#[tokio::test]
async fn i5_leases_questions_and_own_events_are_answered_across() {
    let cast = cast().await;
    let lease = LeaseRequest {
        host: host("a"),
        id: "x".to_owned(),
        duration_ms: 1,
        reason: String::new(),
        holder: String::new(),
    };
    let queue = Some(EXECUTOR_QUEUE);
    answer_one::<LeaseRequest>(&cast.executor, SubjectFilter::AllLease, queue).await;
    ask(&cast.host, Subject::HostLease(host("a")), lease).await;

    let dashboard = fenced(&cast.server, &named(Role::Dashboard, "wall")).await;
    for asker in [&cast.operator, &cast.administrator, &dashboard] {
        answer_one::<Query>(&cast.executor, SubjectFilter::AllOps, queue).await;
        ask(asker, Subject::Ops(OpsVerb::Query), Query::default()).await;
    }
    let source = fenced(&cast.server, &User::source(&"backup".parse().expect("a source"))).await;
    for (asker, name) in [
        (&source, "backup"),
        (&cast.operator, "ann"),
        (&cast.administrator, "root"),
    ] {
        answer_one::<CustomEvent>(&cast.gateway, SubjectFilter::AllCustom, Some(GATEWAY_QUEUE)).await;
        let subject = Subject::Custom {
            source: name.parse().expect("a source"),
            event_type: "nightly.done".parse().expect("a type"),
        };
        ask(asker, subject, CustomEvent::default()).await;
    }
    let replay = Subject::Gateway(GatewayVerb::Replay);
    let asked = cast
        .operator
        .request::<_, Empty>(&replay, &Query::default(), LIMIT)
        .await;
    assert!(
        matches!(asked, Err(RequestError::NoResponders { .. })),
        "{asked:?}"
    );
    cast.all_are_well().await;
}

#[tokio::test]
async fn i5_an_executor_keeps_its_state_and_files_what_people_read() {
    let cast = cast().await;
    let state = cast.executor.bucket(Bucket::State);
    let write = |key: &str| BatchWrite::put(key, &json!({ "open": true }), 0).expect("writes");
    state
        .write_batch(vec![write("host.a"), write("gate")], LIMIT)
        .await
        .expect("writes");
    assert!(state.get::<Value>("gate").await.expect("reads").is_some());
    assert_eq!(state.keys(">").await.expect("reads").len(), 2);
    let mut seen = cast
        .operator
        .subscribe(&SubjectFilter::AllAudit, None)
        .await
        .expect("subscribes");
    for number in 0..20 {
        let (subject, record) = audit("a", AuditKind::Intent, &number.to_string());
        cast.executor
            .file(&subject, &record, Expect::Anything, LIMIT)
            .await
            .expect("files");
    }
    next::<AuditRecord>(&mut seen).await;
    let dashboard = fenced(&cast.server, &named(Role::Dashboard, "wall")).await;
    for reader in [&cast.executor, &cast.operator, &cast.administrator, &dashboard] {
        let of_a = SubjectFilter::AuditOf(Scope::Host(host("a")));
        assert_eq!(told(reader, of_a, 15).await.len(), 15);
    }
    let roster = cast.executor.bucket(Bucket::Config);
    roster
        .put("roster.a", &Map::new())
        .await
        .expect("notes the launch");
    cast.all_are_well().await;
}

#[tokio::test]
async fn i5_what_crosses_reaches_one_member_of_a_queue_group() {
    let cast = cast().await;
    let mut members = Vec::new();
    for name in ["e2", "e3", "e4"] {
        let bus = fenced(&cast.server, &named(Role::Executor, name)).await;
        let queue = Some(EXECUTOR_QUEUE);
        let heard = bus
            .subscribe(&SubjectFilter::AllVerdicts, queue)
            .await
            .expect("subscribes");
        members.push((bus, heard));
    }
    let mut census = cast
        .executor
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    const VERDICTS: u64 = 300;
    for seq in 1..=VERDICTS {
        cast.host
            .publish(&Subject::Verdict(host("a")), &verdict("a", seq))
            .await
            .expect("publishes");
    }
    for seq in 1..=VERDICTS {
        assert_eq!(next::<Verdict>(&mut census).await.seq, seq);
    }
    let mut shares = Vec::new();
    for (bus, heard) in &mut members {
        // All that was delivered before this is answered is there.
        bus.flush(LIMIT).await.expect("the server answers");
        let mut share = 0;
        while tokio::time::timeout(SHORT, heard.next()).await.is_ok() {
            share += 1;
        }
        shares.push(share);
    }
    assert_eq!(shares.iter().sum::<u64>(), VERDICTS, "{shares:?}");
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
}

#[tokio::test]
async fn i5_everybody_comes_back_after_the_server_was_restarted() {
    let mut cast = cast().await;
    cast.server.kill();
    cast.server.restart().await;
    let mut heard = cast.executor.subscribe(&SubjectFilter::AllVerdicts, None).await;
    wait_until(Duration::from_secs(20), "the executor is back", async || {
        if heard.is_err() {
            heard = cast.executor.subscribe(&SubjectFilter::AllVerdicts, None).await;
        }
        heard.is_ok()
    })
    .await;
    let mut heard = heard.expect("subscribed above");
    wait_until(Duration::from_secs(20), "the host is back", async || {
        let said = cast
            .host
            .publish(&Subject::Verdict(host("a")), &verdict("a", 2))
            .await;
        said.is_ok() && cast.host.flush(LIMIT).await.is_ok()
    })
    .await;
    assert_eq!(next::<Verdict>(&mut heard).await.seq, 2);
}
