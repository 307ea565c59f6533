//! Who takes verdicts, on a real server.

use super::*;
use crate::{
    claims,
    mirror::{Area, Mirror},
    provider::Clouds,
    reach::Reach,
    store::Store,
};
use snooze_bus::{Bus, Role, User};
use snooze_service_runtime::Clocks;
use snooze_test_harness::{NatsServer, wait_until};

const LONG: Duration = Duration::from_secs(30);

fn context(bus: &Bus) -> Context {
    Context {
        store: Store::new(bus),
        mirror: Mirror::new(),
        reach: Reach::new(&Clouds::default()),
        clouds: Clouds::default(),
        clocks: Clocks::real(),
        actor: "executor under test".to_owned(),
        own: None,
        bus: bus.clone(),
    }
}

fn verdict(seq: u64) -> Verdict {
    serde_json::from_value(serde_json::json!({
        "host": "h1", "boot_id": "b", "agent": "a", "seq": seq, "policy_revision": "0/0/0",
        "sample_age_ms": 0, "uptime_ms": 1, "votes": [],
    }))
    .expect("a verdict")
}

#[tokio::test]
async fn p3_an_executor_takes_verdicts_only_while_it_has_its_copy_of_the_buckets() {
    let server = NatsServer::open().await;
    let bus = server
        .bus(&User::named(Role::Executor, "one").expect("a name"))
        .await;
    let context = context(&bus);
    let shutdown = CancellationToken::new();
    let (claims, _tasks) = claims::claims(&context, 1);
    let intake = Intake::new(context.clone(), claims, Notes::default());
    let running = tokio::spawn(intake.run(shutdown.clone()));

    // Another executor of the group: what it does not hear was taken by the one under test.
    let mut rival = bus
        .subscribe(&SubjectFilter::AllVerdicts, Some(EXECUTOR_QUEUE))
        .await
        .expect("subscribes");
    let subject = Subject::Verdict("h1".parse().expect("a host id"));
    let mut seq = 0;
    let mut rival_hears = async || {
        seq += 1;
        bus.publish(&subject, &verdict(seq)).await.expect("publishes");
        // What the server sends on one connection it sends in order: this answer comes after the verdict.
        bus.flush(LONG).await.expect("the server answers");
        let heard = tokio::time::timeout(Duration::ZERO, rival.next()).await;
        heard.is_ok()
    };
    for _ in 0..50 {
        assert!(rival_hears().await, "a verdict was taken that cannot be decided");
    }
    for area in [Area::Configuration, Area::State] {
        context.mirror.complete(area);
    }
    wait_until(LONG, "it has joined", async || !rival_hears().await).await;
    context.mirror.begin(Area::State);
    // It leaves within moments; from then on none is missed.
    wait_until(LONG, "it has left", async || {
        for _ in 0..20 {
            if !rival_hears().await {
                return false;
            }
        }
        true
    })
    .await;
    shutdown.cancel();
    running.await.expect("no panic").expect("it ends well");
}
