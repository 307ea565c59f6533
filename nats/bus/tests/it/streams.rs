//! Streams made from data, filing, and reading what was filed.

use crate::support::*;
use snooze_bus::{Bucket, BusError, Expect, FileError, Role, Stream, Subject, SubjectFilter, User};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{Event, Scope, Severity},
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
        .chain(Bucket::ALL.map(Bucket::stream));
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
    wait_until(LIMIT, "all is stored", async || {
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
