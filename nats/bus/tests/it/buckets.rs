//! Keys, batches and watches (rules L1, L3, L6, L7 rest on these).

use crate::{proxy::Proxy, support::*};
use snooze_bus::{
    BatchWrite, Bucket, BucketHandle, Bus, BusError, Change, Entry, Role, User, Watch, WriteError, keys,
};
use std::{collections::BTreeMap, time::Duration};

type Map = BTreeMap<String, u64>;

fn value(number: u64) -> Map {
    BTreeMap::from([("n".to_owned(), number)])
}

async fn number(bucket: &BucketHandle, key: &str) -> Option<u64> {
    let entry: Option<Entry<Map>> = bucket.get(key).await.expect("reads");
    entry.map(|entry| entry.value["n"])
}

#[tokio::test]
async fn whoever_changes_a_key_first_at_the_revision_it_read_wins() {
    let (_server, bus) = set_up().await;
    for bucket in Bucket::ALL.map(|bucket| bus.bucket(bucket)) {
        let key = "host.h1";
        assert_eq!(number(&bucket, key).await, None);
        let first = bucket.create(key, &value(1)).await.expect("is new");
        let second = bucket
            .update(key, &value(2), first)
            .await
            .expect("nobody else wrote");
        let late = bucket.update(key, &value(3), first).await;
        assert!(matches!(late, Err(WriteError::Conflict { .. })), "{late:?}");
        let again = bucket.create(key, &value(3)).await;
        assert!(matches!(again, Err(WriteError::Conflict { .. })), "{again:?}");
        let entry: Entry<Map> = bucket.get(key).await.expect("reads").expect("has a value");
        assert_eq!((entry.revision, entry.value), (second, value(2)));
        let late = bucket.delete(key, first).await;
        assert!(matches!(late, Err(WriteError::Conflict { .. })), "{late:?}");
        let marker = bucket.delete(key, second).await.expect("nobody else wrote");
        let look = bucket.look::<Map>(key).await.expect("reads");
        assert_eq!((look.revision, look.entry), (marker, None));
        bucket.create(key, &value(4)).await.expect("is deleted");
        bucket.put(key, &value(5)).await.expect("whatever it holds");
        assert_eq!(number(&bucket, key).await, Some(5));
    }
}

#[tokio::test]
async fn a_key_cannot_be_another_subject() {
    let (_server, bus) = set_up().await;
    let bucket = bus.bucket(Bucket::Config);
    for key in ["", "a.>", "*", "a..b", "a b"] {
        let put = bucket.put(key, &value(1)).await;
        assert!(
            matches!(put, Err(WriteError::NotSent(BusError::InvalidKey(_)))),
            "{put:?}"
        );
        assert!(matches!(
            bucket.get::<Map>(key).await,
            Err(BusError::InvalidKey(_))
        ));
    }
    assert!(matches!(
        bucket.watch::<Map>("a b").await,
        Err(BusError::InvalidKey(_))
    ));
}

#[tokio::test]
async fn json_in_a_bucket_is_read_on_sight() {
    let (_server, bus) = set_up().await;
    bus.raw_request("$KV.snooze_config.fleet", &[], b"{\"n\":7}", LIMIT)
        .await
        .expect("is stored");
    assert_eq!(number(&bus.bucket(Bucket::Config), keys::FLEET).await, Some(7));
}

#[tokio::test]
async fn l6_create_delete_create_expire() {
    let (_server, bus) = set_up().await;
    let bucket = bus.bucket(Bucket::State);
    let key = keys::rate_key(&"default".parse().expect("a name"), 0);
    let ttl = Duration::from_secs(1);
    let first = bucket
        .create_with_ttl(&key, &value(1), ttl)
        .await
        .expect("is new");
    bucket.delete(&key, first).await.expect("nobody else wrote");
    // The client library's own `create_with_ttl` would write this one without its time to live.
    bucket
        .create_with_ttl(&key, &value(2), ttl)
        .await
        .expect("is deleted");
    assert_eq!(number(&bucket, &key).await, Some(2));
    wait_until(LIMIT, "it expires", async || {
        number(&bucket, &key).await.is_none()
    })
    .await;
    bucket
        .create_with_ttl(&key, &value(3), ttl)
        .await
        .expect("has expired");
    let taken = bucket.create_with_ttl(&key, &value(4), ttl).await;
    assert!(matches!(taken, Err(WriteError::Conflict { .. })), "{taken:?}");
    wait_until(LIMIT, "it expires again", async || {
        number(&bucket, &key).await.is_none()
    })
    .await;
}

#[tokio::test]
async fn l6_a_key_without_a_time_to_live_stays() {
    let (_server, bus) = set_up().await;
    let bucket = bus.bucket(Bucket::State);
    bucket.create("host.h1", &value(1)).await.expect("is new");
    bucket
        .create_with_ttl("rate.default.0", &value(1), Duration::from_secs(1))
        .await
        .expect("is new");
    wait_until(LIMIT, "the other expires", async || {
        number(&bucket, "rate.default.0").await.is_none()
    })
    .await;
    assert_eq!(number(&bucket, "host.h1").await, Some(1));
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let (_server, bus) = set_up().await;
    let bucket = bus.bucket(Bucket::State);
    let slot = keys::slot_key(&"default".parse().expect("a name"), 0);
    let write = |key: &str, number, revision| BatchWrite::put(key, &value(number), revision).expect("writes");
    let last = bus
        .write_batch(
            vec![
                write(&slot, 1, 0),
                write("gate", 1, 0),
                write("rate.default.0", 1, 0).expiring(Duration::from_secs(1)),
                write("host.h1", 1, 0),
            ],
            LIMIT,
        )
        .await
        .expect("all are new");
    let entry: Entry<Map> = bucket.get("host.h1").await.expect("reads").expect("has a value");
    assert_eq!(entry.revision, last);
    let entry: Entry<Map> = bucket.get(&slot).await.expect("reads").expect("has a value");
    assert_eq!(entry.revision, last - 3);

    // Each write in turn is the one that conflicts, the last one included.
    for wrong in 0..3 {
        let at = |index: u64, right: u64| if index == wrong { right + 1000 } else { right };
        let batch = vec![
            write("host.h1", 2, at(0, last)),
            BatchWrite::delete(slot.clone(), at(1, last - 3)),
            write("host.h2", 2, at(2, 0)),
        ];
        let written = bus.write_batch(batch, LIMIT).await;
        assert!(
            matches!(written, Err(WriteError::Conflict { .. })),
            "{wrong}: {written:?}"
        );
        assert_eq!(number(&bucket, "host.h1").await, Some(1));
        assert_eq!(number(&bucket, &slot).await, Some(1));
        assert_eq!(number(&bucket, "host.h2").await, None);
    }
    let batch = vec![
        write("host.h1", 2, last),
        BatchWrite::delete(slot.clone(), last - 3),
    ];
    bus.write_batch(batch, LIMIT).await.expect("nobody else wrote");
    assert_eq!(number(&bucket, "host.h1").await, Some(2));
    assert_eq!(number(&bucket, &slot).await, None);
    wait_until(LIMIT, "what was to expire expires", async || {
        number(&bucket, "rate.default.0").await.is_none()
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_one_is_a_batch_and_an_odd_one_is_refused() {
    let (_server, bus) = set_up().await;
    let write = |key: &str, revision| BatchWrite::put(key, &value(1), revision).expect("writes");
    let last = bus
        .write_batch(vec![write("gate", 0)], LIMIT)
        .await
        .expect("is new");
    let conflict = bus.write_batch(vec![write("gate", 0)], LIMIT).await;
    assert!(
        matches!(conflict, Err(WriteError::Conflict { .. })),
        "{conflict:?}"
    );
    bus.write_batch(vec![write("gate", last)], LIMIT)
        .await
        .expect("at its revision");
    for batch in [vec![], vec![write("a", 0), write("a", 0)]] {
        let odd = bus.write_batch(batch, LIMIT).await;
        assert!(matches!(odd, Err(WriteError::Refused { .. })), "{odd:?}");
    }
    // Not every bucket takes batches.
    let config = bus.bucket(Bucket::Config);
    let refused = config.write_batch(vec![write("fleet", 0)], LIMIT).await;
    assert!(matches!(refused, Err(WriteError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn l1_of_many_racers_for_one_slot_exactly_one_wins() {
    let (server, bus) = set_up().await;
    let mut racers = Vec::new();
    for racer in 0..8_u64 {
        let bus = open(&server, Role::Executor, &format!("e{racer}")).await;
        racers.push(tokio::spawn(async move {
            let batch = vec![
                BatchWrite::put("slot.default.0", &value(racer), 0).expect("writes"),
                BatchWrite::put(format!("host.h{racer}"), &value(racer), 0).expect("writes"),
            ];
            bus.write_batch(batch, LIMIT).await
        }));
    }
    let mut won = Vec::new();
    for (racer, task) in racers.into_iter().enumerate() {
        match task.await.expect("no panic") {
            Ok(_) => won.push(racer as u64),
            Err(WriteError::Conflict { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let bucket = bus.bucket(Bucket::State);
    assert_eq!(won.len(), 1);
    assert_eq!(number(&bucket, "slot.default.0").await, Some(won[0]));
    assert_eq!(
        bucket.keys("host.*").await.expect("reads"),
        [format!("host.h{}", won[0])]
    );
}

/// A connection whose answers can be swallowed, and one that sees the truth.
async fn behind_a_proxy() -> (NatsServer, Proxy, Bus, Bus) {
    let (server, bus) = set_up().await;
    let proxy = Proxy::before(server.address()).await;
    let through = Bus::connect(config(proxy.url(), Role::Executor, "e", None))
        .await
        .expect("the proxy lets it through");
    (server, proxy, through, bus)
}

#[tokio::test]
async fn l7_a_write_whose_ack_is_lost_with_the_connection_is_ambiguous() {
    let (_server, proxy, through, truth) = behind_a_proxy().await;
    let key = "host.h1";
    let revision = through
        .bucket(Bucket::State)
        .create(key, &value(1))
        .await
        .expect("is new");
    proxy.swallow_answers();
    let writing = tokio::spawn({
        let through = through.clone();
        async move {
            through
                .bucket(Bucket::State)
                .update(key, &value(2), revision)
                .await
        }
    });
    // It was written; only the ack is missing.
    let bucket = truth.bucket(Bucket::State);
    wait_until(LIMIT, "the write is there", async || {
        number(&bucket, key).await == Some(2)
    })
    .await;
    proxy.cut();
    let written = writing.await.expect("no panic");
    assert!(
        matches!(written, Err(WriteError::Ambiguous { .. })),
        "{written:?}"
    );
    // Read again, over the same connection, which came back by itself, and write at that revision.
    wait_until(LIMIT, "the connection is back", async || {
        through.flush(SHORT).await.is_ok()
    })
    .await;
    let entry: Entry<Map> = through
        .bucket(Bucket::State)
        .get(key)
        .await
        .expect("reads")
        .expect("has a value");
    assert_eq!(entry.value, value(2));
    through
        .bucket(Bucket::State)
        .update(key, &value(3), entry.revision)
        .await
        .expect("at the revision read");
}

#[tokio::test]
async fn l7_a_batch_and_an_event_without_an_ack_are_ambiguous() {
    let (_server, proxy, through, truth) = behind_a_proxy().await;
    proxy.swallow_answers();
    let batch = vec![
        BatchWrite::put("slot.default.0", &value(1), 0).expect("writes"),
        BatchWrite::put("host.h1", &value(1), 0).expect("writes"),
    ];
    let written = through.write_batch(batch, SHORT).await;
    assert!(
        matches!(written, Err(WriteError::Ambiguous { .. })),
        "{written:?}"
    );
    let bucket = truth.bucket(Bucket::State);
    wait_until(LIMIT, "it was written", async || {
        number(&bucket, "host.h1").await == Some(1)
    })
    .await;

    let (subject, event) = event("h1", snooze_schemas::event::Severity::Critical, "e1");
    let expect = snooze_bus::Expect::New;
    let filed = through.file(&subject, &event, expect, SHORT).await;
    assert!(
        matches!(filed, Err(snooze_bus::FileError::Ambiguous { .. })),
        "{filed:?}"
    );
    let again = truth.file(&subject, &event, expect, LIMIT).await;
    assert!(
        matches!(again, Err(snooze_bus::FileError::Exists { .. })),
        "{again:?}"
    );
}

async fn next<T: serde::de::DeserializeOwned>(watch: &mut Watch<T>) -> Change<T> {
    tokio::time::timeout(LIMIT, watch.next())
        .await
        .expect("something changes")
        .expect("the watch goes on")
        .expect("without a gap")
}

fn put(change: Change<Map>) -> (String, u64) {
    match change {
        Change::Put(entry) => (entry.key, entry.value["n"]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_watch_tells_what_is_there_then_that_it_is_ready_then_what_changes() {
    let (_server, bus) = set_up().await;
    let bucket = bus.bucket(Bucket::Config);
    let mut empty = bucket.watch::<Map>("roster.*").await.expect("watches");
    assert_eq!(next(&mut empty).await, Change::Ready);
    bucket.put("roster.h1", &value(1)).await.expect("writes");
    bucket.put("fleet", &value(9)).await.expect("writes");
    bucket.put("roster.h2", &value(2)).await.expect("writes");
    let mut watch = bucket.watch::<Map>("roster.*").await.expect("watches");
    for watch in [&mut empty, &mut watch] {
        assert_eq!(put(next(watch).await), ("roster.h1".to_owned(), 1));
        assert_eq!(put(next(watch).await), ("roster.h2".to_owned(), 2));
    }
    assert_eq!(next(&mut watch).await, Change::Ready);
    let revision = bucket.put("roster.h1", &value(3)).await.expect("writes");
    assert_eq!(put(next(&mut watch).await), ("roster.h1".to_owned(), 3));
    let marker = bucket.delete("roster.h1", revision).await.expect("deletes");
    assert_eq!(
        next(&mut watch).await,
        Change::Deleted {
            key: "roster.h1".to_owned(),
            revision: marker
        }
    );
    bus.raw_request("$KV.snooze_config.roster.h3", &[], b"nonsense", LIMIT)
        .await
        .expect("is stored");
    assert!(matches!(
        next(&mut watch).await,
        Change::Unreadable { ref key, .. } if key == "roster.h3"
    ));
    assert_eq!(bucket.keys("fleet").await.expect("reads"), ["fleet"]);
    assert!(bucket.snapshot::<Map>("roster.*").await.is_err());
}

#[tokio::test]
async fn a_watch_of_thousands_of_keys_arrives_whole() {
    let (_server, bus) = set_up().await;
    let bucket = bus.bucket(Bucket::State);
    // As many writes as fit a batch, so that flow control has something to do.
    for batch in 0..4 {
        let writes = (0..1000)
            .map(|n| BatchWrite::put(format!("host.h{batch}-{n}"), &value(n), 0).expect("writes"))
            .collect();
        bus.write_batch(writes, LIMIT).await.expect("all are new");
    }
    let entries = bucket.snapshot::<Map>("host.*").await.expect("reads");
    assert_eq!(entries.len(), 4000);
}

#[tokio::test]
async fn a_watch_ends_with_an_error_when_the_connection_was_lost() {
    let (_server, proxy, through, truth) = behind_a_proxy().await;
    let mut watch = through
        .bucket(Bucket::State)
        .watch::<Map>(">")
        .await
        .expect("watches");
    assert_eq!(next(&mut watch).await, Change::Ready);
    proxy.cut();
    truth
        .bucket(Bucket::State)
        .put("gate", &value(1))
        .await
        .expect("writes");
    let ended = loop {
        match tokio::time::timeout(LIMIT, watch.next()).await.expect("it ends") {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(ended, Some(Err(BusError::WatchGap { .. }))), "{ended:?}");
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn executors_gateways_and_hosts_reach_their_keys_behind_their_fences() {
    let server = NatsServer::with_roles().await;
    let named = |role| User::named(role, "x").expect("a name");
    let set_up = fenced(&server, &named(Role::SetUp)).await;
    set_up.set_up().await.expect("makes all");
    let administrator = fenced(&server, &named(Role::Administrator)).await;
    let executor = fenced(&server, &named(Role::Executor)).await;
    let gateway = fenced(&server, &named(Role::Gateway)).await;
    let agent = fenced(&server, &User::host(&host("h1"))).await;

    let config = administrator.bucket(Bucket::Config);
    config
        .create(keys::FLEET, &value(1))
        .await
        .expect("an administrator writes");
    let key = keys::host_key(&host("h1"));
    let mut hints = agent
        .subscribe(&snooze_bus::SubjectFilter::ConfigKey(key.clone()), None)
        .await
        .expect("subscribes");
    config
        .create(&key, &value(2))
        .await
        .expect("an administrator writes");
    let hint = tokio::time::timeout(LIMIT, hints.next())
        .await
        .expect("a host hears of it");
    assert_eq!(
        hint.expect("the connection is open").subject(),
        &snooze_bus::Subject::ConfigKey(key.clone())
    );
    for bus in [&agent, &executor, &gateway] {
        assert_eq!(number(&bus.bucket(Bucket::Config), &key).await, Some(2));
    }
    let state = executor.bucket(Bucket::State);
    let batch = vec![BatchWrite::put("gate", &value(1), 0).expect("writes")];
    executor
        .write_batch(batch, LIMIT)
        .await
        .expect("an executor writes");
    assert_eq!(number(&state, keys::GATE).await, Some(1));
    assert_eq!(state.keys(">").await.expect("an executor watches"), ["gate"]);
    let roster = executor.bucket(Bucket::Config).snapshot::<Map>("roster.*").await;
    assert!(roster.expect("an executor watches").is_empty());
    let open = gateway.bucket(Bucket::Open);
    let parked = keys::open_key(
        &snooze_schemas::event::Scope::Host(host("h1")),
        &"e1".parse().expect("an id"),
    );
    let revision = open.create(&parked, &value(1)).await.expect("a gateway writes");
    let parked_keys = open.keys("h1.*").await.expect("a gateway watches");
    assert_eq!(parked_keys, std::slice::from_ref(&parked));
    open.delete_for_good(&parked, revision)
        .await
        .expect("a gateway writes");
    for bus in [&set_up, &administrator, &executor, &gateway, &agent] {
        assert_eq!(*bus.status().borrow(), snooze_bus::BusStatus::Connected);
    }
}
