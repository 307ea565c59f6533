//! A gateway that takes AWS's events from a queue is killed again and again, and another one goes on: what left the queue is
//! filed, once, and nothing stays in it.

use crate::{
    place::{LONG, Place, Run},
    separate::named,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Bus, Role, Stream, SubjectFilter, keys};
use snooze_schemas::{Timestamp, event::Event, roster::RosterRecord};
use snooze_test_harness::{AwsFront, InQueue, MotoServer, NatsServer, wait_until};
use std::collections::BTreeSet;

const REGION: &str = "eu-central-1";
/// moto's own account.
const ACCOUNT: &str = "123456789012";
/// Each is killed once it has filed so many more, at most.
const A_KILL: usize = 10;
const KILLS: usize = 8;
const HOSTS: usize = 60;
/// What a gateway that was killed had in hand comes again after so long, and not after half a minute.
const HIDDEN_SECONDS: u64 = 2;

/// A broker, moto with a queue behind a front, and the hosts in the roster.
struct World {
    server: NatsServer,
    admin: Bus,
    moto: MotoServer,
    queue: String,
    place: Place,
    front: AwsFront,
}

impl World {
    async fn begin() -> World {
        let moto = MotoServer::start().await;
        let front = AwsFront::before(moto.address()).await;
        for action in ["AmazonSQS.ReceiveMessage", "AmazonSQS.ChangeMessageVisibility"] {
            front.at_most(action, "VisibilityTimeout", HIDDEN_SECONDS);
        }
        front.at_most("AmazonSQS.ReceiveMessage", "WaitTimeSeconds", 1);
        let server = NatsServer::with_roles().await;
        let set_up = server.bus(&named(Role::SetUp, "set-up")).await;
        set_up.set_up().await.expect("the set-up may make everything");
        let admin = server.bus(&named(Role::Administrator, "ada")).await;
        let mut place = Place::new();
        for (variable, value) in [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            place.set(variable, value);
        }
        let queue = moto.make_queue(REGION, "snooze", &json!({})).await;
        let config = json!({"event_sources": {"aws_queue": {
            "enabled": true, "queue_url": queue, "region": REGION, "endpoint": front.url(),
        }}});
        place.write("snooze.json", &config.to_string());
        let world = World {
            server,
            admin,
            moto,
            queue,
            place,
            front,
        };
        for number in 0..HOSTS {
            world.enrol(number).await;
        }
        world
    }

    async fn enrol(&self, number: usize) {
        let record: RosterRecord = serde_json::from_value(json!({
            "provider": "aws", "account": ACCOUNT, "region": REGION, "instance": instance(number),
            "launch": "2026-01-01T00:00:00Z", "enrolled_at": "2026-01-01T00:00:00Z",
        }))
        .expect("a record");
        let key = keys::roster_key(&host(number).parse().expect("a host"));
        let config = self.admin.bucket(Bucket::Config);
        config.put(&key, &record).await.expect("an administrator enrols");
    }

    /// Two messages of one happening, as EventBridge may send them.
    async fn send(&self, number: usize) {
        for copy in 0..2 {
            let message = warning(number, copy).to_string();
            self.moto.send_message(REGION, &self.queue, &message).await;
        }
    }

    fn gateway(&self) -> Run {
        let gateway = named(Role::Gateway, "gateway");
        self.place
            .start_on((&self.server, &gateway), "snooze-event-gateway", &[], &[])
    }

    async fn filed(&self) -> Vec<Event> {
        let all = self
            .admin
            .history::<Event>(Stream::EventsUrgent, &SubjectFilter::AllEvents, 10 * HOSTS);
        let all = all.await.expect("an administrator reads");
        all.into_iter().map(|stored| stored.message).collect()
    }
}

fn host(number: usize) -> String {
    format!("h{number}")
}

fn instance(number: usize) -> String {
    format!("i-{number:017x}")
}

fn warning(number: usize, copy: usize) -> Value {
    json!({
        "version": "0", "id": format!("{number}-{copy}"), "source": "aws.ec2", "account": ACCOUNT, "region": REGION,
        "detail-type": "EC2 Instance Rebalance Recommendation", "time": Timestamp::now(), "resources": [],
        "detail": {"instance-id": instance(number)},
    })
}

#[tokio::test]
async fn what_leaves_the_queue_is_filed_once_however_often_gateways_are_killed() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::begin().await;
    for number in 0..HOSTS {
        world.send(number).await;
    }
    for _ in 0..KILLS {
        let before = world.filed().await.len();
        let wanted = (before + random.random_range(0..=A_KILL)).min(HOSTS);
        let mut gateway = world.gateway();
        wait_until(LONG, "so many more are filed", async || {
            assert!(gateway.is_running(), "it ended by itself: {}", gateway.errors());
            world.filed().await.len() >= wanted
        })
        .await;
        gateway.kill();
    }
    let last = world.gateway();
    wait_until(LONG, "the queue is empty", async || {
        world.moto.in_queue(REGION, &world.queue).await == InQueue::EMPTY
    })
    .await;
    let filed = world.filed().await;
    let hosts: BTreeSet<String> = filed.iter().map(|event| event.host.to_string()).collect();
    assert_eq!(hosts, (0..HOSTS).map(host).collect());
    assert_eq!(filed.len(), HOSTS, "none is filed twice");
    let deliveries = world.front.calls("AmazonSQS.DeleteMessage").len();
    assert!(deliveries >= 2 * HOSTS, "{deliveries}: each copy was removed");
    last.interrupt();
    assert_eq!(last.ended().await.code, 0);
}
