//! Streams made from data, filing, and reading what was filed.

use crate::support::*;
use snooze_bus::{Bucket, BusError, Expect, FileError, Once, Role, Stream, Subject, SubjectFilter, User};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{DeadEvent, Event, Scope, Severity},
    verdict::Verdict,
};

#[tokio::test]
async fn setting_up_twice_changes_nothing() {
    let server = NatsServer::with_roles().await;
    let user = User::named(Role::SetUp, "test").expect("a name");
    let bus = fenced(&server, &user).await;
    bus.set_up().await.expect("makes all");
    bus.set_up().await.expect("finds all");
    assert_eq!(*bus.status().borrow(), snooze_bus::BusStatus::Connected);
}

#[tokio::test]
async fn a_server_without_room_for_a_stream_is_told_of_what_and_how_much() {
    let server = NatsServer::with_store_of_mib(200).await;
    let bus = open(&server, Role::SetUp, "test").await;
    let said = bus.set_up().await.expect_err("they do not fit").to_string();
    assert!(said.contains("the stream AUDIT"), "{said}");
    assert!(
        said.contains("512 MiB") && said.contains("max_file_store"),
        "{said}"
    );
}

#[tokio::test]
async fn e1_a_second_report_of_the_same_happening_is_refused() {
    let (_server, bus) = set_up().await;
    for severity in Severity::DESCENDING {
        let (subject, event) = event("h1", severity, "spot-1");
        let file = async || bus.file(&subject, &event, Expect::New, LIMIT).await;
        file().await.expect("is new");
        assert!(
            matches!(file().await, Err(FileError::Exists { .. })),
            "{severity:?}"
        );
        let stream = Stream::of_events(severity);
        let stored = bus.last::<Event>(stream, &subject).await.expect("reads");
        assert_eq!(stored.expect("is there").message, event);
    }
    // Another happening is another subject.
    let (subject, event) = event("h1", Severity::Critical, "spot-2");
    bus.file(&subject, &event, Expect::New, LIMIT)
        .await
        .expect("is new");
}

#[tokio::test]
async fn e1_a_spent_message_id_does_not_hide_a_real_event() {
    let (_server, bus) = set_up().await;
    let (subject, event) = event("h1", Severity::Critical, "spot-1");
    let (other, _) = crate::support::event("evil", Severity::Critical, "x");
    bus.raw_request(&other.to_string(), &[("Nats-Msg-Id", "spot-1")], b"{}", LIMIT)
        .await
        .expect("is stored");
    bus.file(&subject, &event, Expect::New, LIMIT)
        .await
        .expect("is new");
}

#[tokio::test]
async fn i4_streams_and_buckets_refuse_roll_ups_and_purges() {
    let (_server, bus) = set_up().await;
    let (event, _) = event("h1", Severity::Critical, "e");
    let (entry, _) = audit("h1", AuditKind::Event, "");
    let mut subjects = vec![event.to_string(), entry.to_string()];
    subjects.extend(Bucket::ALL.map(|bucket| format!("$KV.{}.fleet", bucket.name())));
    subjects.push("$O.snooze_artifacts.M.x".to_owned());
    for subject in subjects {
        for roll_up in ["all", "sub"] {
            let answer = bus
                .raw_request(&subject, &[("Nats-Rollup", roll_up)], b"{}", LIMIT)
                .await
                .expect("is answered");
            let answer = String::from_utf8_lossy(&answer.payload).into_owned();
            assert!(answer.contains("error"), "{subject}: {answer}");
        }
    }
    let names = Stream::ALL
        .map(Stream::name)
        .into_iter()
        .chain(Bucket::ALL.map(Bucket::stream))
        .chain(["OBJ_snooze_artifacts"]);
    for name in names {
        for verb in ["PURGE", "MSG.DELETE"] {
            let answer = bus
                .raw_request(
                    &format!("$JS.API.STREAM.{verb}.{name}"),
                    &[],
                    b"{\"seq\":1}",
                    LIMIT,
                )
                .await
                .expect("is answered");
            let answer = String::from_utf8_lossy(&answer.payload).into_owned();
            assert!(answer.contains("error"), "{verb} {name}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_last_verdict_of_each_host_is_kept() {
    let (_server, bus) = set_up().await;
    for name in ["h1", "h2"] {
        for seq in 1..=3 {
            bus.publish(&Subject::Verdict(host(name)), &verdict(name, seq))
                .await
                .expect("publishes");
        }
    }
    let last = async || {
        bus.history::<Verdict>(Stream::Verdicts, &SubjectFilter::AllVerdicts, 100)
            .await
            .expect("reads")
            .into_iter()
            .map(|stored| (stored.message.host.to_string(), stored.message.seq))
            .collect::<Vec<_>>()
    };
    wait_until(LIMIT, "the stream has them", async || {
        last().await == [("h1".to_owned(), 3), ("h2".to_owned(), 3)]
    })
    .await;
    let subject = Subject::Verdict(host("h2"));
    let stored = bus
        .last::<Verdict>(Stream::Verdicts, &subject)
        .await
        .expect("reads");
    assert_eq!(stored.expect("is there").message.seq, 3);
    let nobody = Subject::Verdict(host("h3"));
    assert_eq!(
        bus.last::<Verdict>(Stream::Verdicts, &nobody)
            .await
            .expect("reads"),
        None
    );
}

#[tokio::test]
async fn history_is_the_last_so_many_of_a_family() {
    let (server, bus) = set_up().await;
    assert!(told(&bus, SubjectFilter::AllAudit, 5).await.is_empty());
    // One host's few entries among a thousand of others.
    for number in 0..40 {
        let (subject, record) = audit("h1", AuditKind::Decision, &format!("h1 {number}"));
        bus.file(&subject, &record, Expect::Anything, LIMIT)
            .await
            .expect("is filed");
        for other in 0..25 {
            let (subject, record) = audit(&format!("o{other}"), AuditKind::Lease, &format!("o {number}"));
            bus.publish(&subject, &record).await.expect("publishes");
        }
    }
    bus.flush(LIMIT).await.expect("all is sent");
    wait_until(LONG, "all is stored", async || {
        told(&bus, SubjectFilter::AllAudit, 5000).await.len() == 40 * 26
    })
    .await;
    let of_h1 = SubjectFilter::AuditOf(Scope::Host(host("h1")));
    assert_eq!(told(&bus, of_h1.clone(), 3).await, ["h1 37", "h1 38", "h1 39"]);
    let all: Vec<String> = (0..40).map(|number| format!("h1 {number}")).collect();
    assert_eq!(told(&bus, of_h1, 1000).await, all);
    assert_eq!(told(&bus, SubjectFilter::AllAudit, 2).await, ["o 39", "o 39"]);
    let of_nobody = SubjectFilter::AuditOf(Scope::Fleet);
    assert!(told(&bus, of_nobody, 3).await.is_empty());
    // An entry that nobody can read is left out and counted.
    let (subject, _) = audit("h1", AuditKind::Decision, "");
    bus.raw_request(&subject.to_string(), &[], b"{\"x\":1}", LIMIT)
        .await
        .expect("is stored");
    let reader = open(&server, Role::Operator, "ann").await;
    let of_h1 = SubjectFilter::AuditOf(Scope::Host(host("h1")));
    assert_eq!(told(&reader, of_h1, 2).await, ["h1 39"]);
    assert_eq!(reader.counters().undecodable, 1);
}

#[tokio::test]
async fn an_operator_reads_history_behind_its_fence() {
    let server = NatsServer::with_roles().await;
    let set_up = fenced(&server, &User::named(Role::SetUp, "s").expect("a name")).await;
    set_up.set_up().await.expect("makes all");
    let executor = fenced(&server, &User::named(Role::Executor, "e").expect("a name")).await;
    let operator = fenced(&server, &User::named(Role::Operator, "ann").expect("a name")).await;
    let (subject, record) = audit("h1", AuditKind::Intent, "will stop");
    executor
        .file(&subject, &record, Expect::Anything, LIMIT)
        .await
        .expect("is filed");
    assert_eq!(told(&operator, SubjectFilter::AllAudit, 5).await, ["will stop"]);
    let last = operator.last::<AuditRecord>(Stream::Audit, &subject).await;
    assert_eq!(last.expect("reads").expect("is there").message, record);
}

#[tokio::test]
async fn filing_where_no_stream_listens_says_so() {
    let server = NatsServer::open().await;
    let bus = open(&server, Role::Executor, "e").await;
    let (subject, record) = audit("h1", AuditKind::Intent, "");
    let filed = bus.file(&subject, &record, Expect::Anything, LIMIT).await;
    assert!(matches!(filed, Err(FileError::NoStream { .. })), "{filed:?}");
    let read = bus.last::<AuditRecord>(Stream::Audit, &subject).await;
    assert!(
        matches!(read, Err(BusError::JetStream { code: 503, .. })),
        "{read:?}"
    );
}

#[tokio::test]
async fn an_event_that_is_too_large_is_refused_to_whoever_files_it() {
    let (_server, bus) = set_up().await;
    for severity in Severity::DESCENDING {
        let (subject, mut large) = event("h1", severity, "large");
        let most = snooze_schemas::event::MAX_DATA_BYTES;
        large.data.insert("x".to_owned(), "y".repeat(2 * most).into());
        let filed = bus.file(&subject, &large, Expect::New, LIMIT).await;
        assert!(matches!(filed, Err(FileError::TooLarge { .. })), "{filed:?}");
        large.data.insert("x".to_owned(), "y".repeat(most - 8).into());
        bus.file(&subject, &large, Expect::New, LIMIT)
            .await
            .expect("the most that is allowed is taken");
    }
}

#[tokio::test]
async fn a_full_stream_of_urgent_events_takes_the_next_one_and_tells_what_is_gone() {
    let (_server, bus) = set_up().await;
    // As the set-up makes it, only small.
    let name = Stream::EventsUrgent.name();
    let info = format!("$JS.API.STREAM.INFO.{name}");
    let answer = bus
        .raw_request(&info, &[], b"", LIMIT)
        .await
        .expect("is answered");
    let mut info: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
    info["config"]["max_bytes"] = (1024 * 1024).into();
    let update = format!("$JS.API.STREAM.UPDATE.{name}");
    let config = info["config"].to_string();
    let answer = bus.raw_request(&update, &[], config.as_bytes(), LIMIT).await;
    let updated: serde_json::Value =
        serde_json::from_slice(&answer.expect("is answered").payload).expect("JSON");
    assert_eq!(updated["config"]["max_bytes"], 1024 * 1024, "{updated}");

    let mut consumer = bus.events(Severity::Critical).await.expect("can be taken");
    let (subject, acked) = event("h1", Severity::Critical, "acked");
    bus.file(&subject, &acked, Expect::New, LIMIT)
        .await
        .expect("is new");
    take(&mut consumer).await.ack().await.expect("acks");
    wait_until(LIMIT, "nothing is behind", async || {
        let kept = bus.events_kept(Stream::EventsUrgent).await.expect("looks");
        !kept.lanes.iter().any(snooze_bus::LaneProgress::is_behind)
    })
    .await;
    // One that fills it with the largest that there are, and nobody takes them.
    let most = snooze_schemas::event::MAX_DATA_BYTES;
    for number in 0..32 {
        let (subject, mut flood) = event("h2", Severity::Urgent, &format!("flood-{number}"));
        flood.data.insert("x".to_owned(), "y".repeat(most - 8).into());
        bus.file(&subject, &flood, Expect::New, LIMIT)
            .await
            .expect("is taken");
    }
    let (subject, critical) = event("h1", Severity::Critical, "critical");
    bus.file(&subject, &critical, Expect::New, LIMIT)
        .await
        .expect("is not refused for what others have filed");
    assert_eq!(*take(&mut consumer).await.event().as_ref(), critical);

    let kept = bus.events_kept(Stream::EventsUrgent).await.expect("looks");
    assert_eq!((kept.max_bytes, kept.last_sequence), (Some(1024 * 1024), 34));
    assert!(
        kept.bytes > 800 * 1024 && kept.first_sequence > 2,
        "the oldest made room: {kept:?}"
    );
    let lanes: Vec<_> = kept
        .lanes
        .iter()
        .map(|lane| (lane.severity, lane.waiting, lane.in_hand))
        .collect();
    let left = kept.last_sequence - kept.first_sequence;
    assert_eq!(
        lanes,
        [(Severity::Critical, 0, 1), (Severity::Urgent, left, 0)],
        "{kept:?}"
    );
}

#[tokio::test]
async fn an_identity_is_filed_once() {
    let (_server, bus) = set_up().await;
    let (_, event) = event("h1", Severity::Critical, "gone");
    let subject = Subject::Dead {
        scope: event.host.clone(),
        event_type: event.event_type.clone(),
    };
    let mut dead = DeadEvent {
        event,
        reason: "first".to_owned(),
    };
    let file = async |dead: &DeadEvent, identity| {
        let filed = bus.file_once(&subject, dead, identity, LIMIT).await;
        filed.expect("is filed or was")
    };
    assert_eq!(file(&dead, "h1.gone").await, Once::New);
    dead.reason = "second".to_owned();
    assert_eq!(file(&dead, "h1.gone").await, Once::Before);
    assert_eq!(file(&dead, "h2.gone").await, Once::New);
    let filter = SubjectFilter::AllDead;
    let found = bus.history::<DeadEvent>(Stream::Dead, &filter, 10).await;
    assert_eq!(found.expect("reads").len(), 2);
}
