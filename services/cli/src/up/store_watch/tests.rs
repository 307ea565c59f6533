//! What is taken for a store that refuses, and what is not; and a real broker that has no room.

use super::*;
use snooze_bus::{Expect, Role, Subject, User};
use snooze_schemas::{
    HostId,
    audit::{AuditKind, AuditRecord},
    event::Scope,
    verdict::Verdict,
};
use snooze_test_harness::{NatsServer, fill_disk_of, free_disk_of, wait_until};

/// The most that a store which refuses may keep: four looks of two waits of five seconds each, and a machine that
/// compiles meanwhile.
const LIMIT: Duration = Duration::from_secs(120);

fn audit(taken: u64, not_taken: u64) -> BTreeMap<&'static str, Counted> {
    BTreeMap::from([(Stream::Audit.name(), Counted { taken, not_taken })])
}

#[test]
fn one_write_that_is_not_taken_is_not_enough_and_one_that_is_taken_wipes_all_out() {
    let (mut record, none) = (Record::default(), BTreeMap::new());
    for _ in 0..3 {
        for _ in 1..LOOKS {
            assert_eq!(record.refusing(Probe::Refused, &none), None);
        }
        assert_eq!(record.refusing(Probe::Taken, &none), None);
    }
    for _ in 1..LOOKS {
        assert_eq!(record.refusing(Probe::Refused, &none), None);
    }
    assert_eq!(record.refusing(Probe::Refused, &none), Some("KV_snooze_state"));
}

#[test]
fn a_disk_that_is_slow_and_a_broker_that_is_away_are_no_refusal() {
    let mut record = Record::default();
    for look in 1..10 * u64::from(LOOKS) {
        let probe = if look % 2 == 0 {
            Probe::Slow
        } else {
            Probe::Unclear
        };
        assert_eq!(record.refusing(probe, &audit(0, look)), None);
    }
}

#[test]
fn a_stream_beside_that_takes_nothing_is_found_and_one_that_nobody_writes_to_is_not_judged() {
    let mut record = Record::default();
    for look in 0..u64::from(LOOKS) {
        assert_eq!(record.refusing(Probe::Taken, &audit(7, look)), None);
    }
    let written = u64::from(LOOKS) - 1;
    for _ in 0..10 {
        assert_eq!(record.refusing(Probe::Taken, &audit(7, written)), None);
    }
    assert_eq!(
        record.refusing(Probe::Taken, &audit(7, written + 1)),
        Some("AUDIT")
    );
    assert_eq!(record.refusing(Probe::Taken, &audit(8, written + 2)), None);
}

fn host() -> HostId {
    "web".parse().expect("a host id")
}

/// A broker, a watch of it that looks often, and a connection whose writes it counts.
async fn watched() -> (NatsServer, StoreWatch, Bus) {
    let server = NatsServer::with_roles().await;
    let connect = async |role, name| {
        let user = User::named(role, name).expect("a name");
        server.bus(&user).await
    };
    let administrator = connect(Role::Administrator, "ada").await;
    let set_up = connect(Role::SetUp, "set-up").await;
    set_up.set_up().await.expect("the set-up may make everything");
    let service = connect(Role::Executor, "service").await;
    let mut watch = StoreWatch::new(
        connect(Role::Executor, "executor").await,
        vec![service.clone()],
        VerdictWatch::begin(administrator, host())
            .await
            .expect("it may hear"),
        server.folder().to_owned(),
    );
    watch.every = Duration::from_millis(20);
    (server, watch, service)
}

/// Files an entry, as services do that wait for the trail.
async fn file(service: &Bus) -> bool {
    let record = AuditRecord {
        at: "2026-01-02T03:04:05Z".parse().expect("a time"),
        host: Scope::Fleet,
        kind: AuditKind::Gate,
        actor: "test".to_owned(),
        claim: None,
        message: "for the test".to_owned(),
        details: serde_json::Map::new(),
    };
    let subject = Subject::Audit {
        scope: record.host.clone(),
        kind: record.kind,
    };
    let within = Duration::from_millis(200);
    let filed = service.file(&subject, &record, Expect::Anything, within).await;
    filed.is_ok()
}

#[tokio::test]
async fn s22_a_store_that_was_full_once_is_told_of_though_there_is_room_again() {
    let (server, watch, _service) = watched().await;
    fill_disk_of(server.id());
    assert_eq!(watch.probe().await, Probe::Refused);
    free_disk_of(server.id());
    let refused = tokio::time::timeout(LIMIT, watch.run(CancellationToken::new())).await;
    let said = refused.expect("in time").expect_err("it refuses").to_string();
    let folder = server.folder().display().to_string();
    assert!(
        said.contains("KV_snooze_state") && said.contains(&folder),
        "{said}"
    );
}

#[tokio::test]
async fn s23_an_audit_trail_that_was_full_once_is_told_of_though_the_kill_switch_is_kept() {
    let (server, watch, service) = watched().await;
    assert!(file(&service).await, "there is room");
    fill_disk_of(server.id());
    assert!(!file(&service).await);
    free_disk_of(server.id());
    assert_eq!(watch.probe().await, Probe::Taken);
    let filing = async { while !file(&service).await {} };
    let refused = tokio::select! {
        refused = tokio::time::timeout(LIMIT, watch.run(CancellationToken::new())) => refused,
        () = filing => panic!("the trail takes an entry before the broker is started again"),
    };
    let said = refused.expect("in time").expect_err("it refuses").to_string();
    assert!(said.contains("AUDIT"), "{said}");
}

#[tokio::test]
async fn i2_verdicts_that_are_heard_and_not_kept_are_told_of() {
    let (server, mut watch, _service) = watched().await;
    let runner = server.bus(&User::host(&host())).await;
    let mut verdict = Verdict {
        host: host(),
        boot_id: "b".to_owned(),
        agent: "a".to_owned(),
        seq: 0,
        policy_revision: "0/0/0".to_owned(),
        sample_age_ms: 1,
        uptime_ms: 1,
        boot_grace_left_ms: 0,
        votes: Vec::new(),
    };
    let mut publish = async || {
        verdict.seq += 1;
        let subject = Subject::Verdict(host());
        runner.publish(&subject, &verdict).await.expect("it is connected");
    };
    wait_until(LIMIT, "some are kept", async || {
        publish().await;
        watch.verdicts.look().await.taken > 1
    })
    .await;
    let before = watch.verdicts.look().await.not_taken;
    fill_disk_of(server.id());
    wait_until(LIMIT, "some are lost", async || {
        publish().await;
        watch.verdicts.look().await.not_taken > before + 1
    })
    .await;
    free_disk_of(server.id());
    let mut pace = interval(Duration::from_millis(5));
    let publishing = async {
        loop {
            pace.tick().await;
            publish().await;
        }
    };
    let refused = tokio::select! {
        refused = tokio::time::timeout(LIMIT, watch.run(CancellationToken::new())) => refused,
        () = publishing => unreachable!("it publishes for ever"),
    };
    let said = refused.expect("in time").expect_err("it refuses").to_string();
    assert!(said.contains("VERDICTS"), "{said}");
}

#[tokio::test]
async fn a_store_that_takes_writes_is_looked_at_until_the_end_and_keeps_one_key() {
    let (_server, watch, service) = watched().await;
    let shutdown = CancellationToken::new();
    let looked_at = async {
        while revision(&service).await < 10 {}
        shutdown.cancel();
    };
    let (ended, ()) = tokio::join!(watch.run(shutdown.clone()), looked_at);
    ended.expect("it takes all");
}

async fn revision(bus: &Bus) -> u64 {
    let look = bus.bucket(Bucket::State).look::<IgnoredAny>(keys::PROBE).await;
    look.expect("it can be read").revision
}
