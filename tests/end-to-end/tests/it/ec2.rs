//! This machine's readings and a real Redis, four processes, and EC2 as moto plays it behind a proxy that
//! counts.

use crate::{
    place::LONG,
    separate::{Fleet, HOST, quick},
};
use serde_json::json;
use snooze_schemas::{
    audit::AuditKind,
    verdict::{Vote, VoteState},
};
use snooze_test_harness::{Ec2Fault, Ec2Proxy, MotoServer, Redis, python, wait_until};
use std::time::Duration;
use tokio::net::TcpStream;

/// Another one than the original's default `aws_region`, which never counts.
const REGION: &str = "eu-central-1";
/// moto's own account.
const ACCOUNT: &str = "123456789012";
/// The plugin's default: with so many connections, its own included, Redis is in use.
const CONNECTIONS: u64 = 5;

/// A host whose Redis is watched, and whose instance is moto's.
struct World {
    fleet: Fleet,
    redis: Redis,
    moto: MotoServer,
    proxy: Ec2Proxy,
    instance: String,
}

impl World {
    /// With everything but executors running.
    async fn begin() -> World {
        let (redis, moto) = (Redis::start().await, MotoServer::start().await);
        let proxy = Ec2Proxy::before(moto.address()).await;
        let instance = moto.run_instance(REGION, &[]).await;
        let mut fleet = Fleet::with(&quick(json!({}))).await;
        let variables = [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // Not where the instance is: the roster says that.
            ("AWS_REGION", "us-east-1"),
        ];
        for (variable, value) in variables {
            fleet.place.set(variable, value);
        }
        fleet
            .place
            .add_plugin("examples/redis-monitor.py", Some(&python()));
        let url = format!("redis://{}", redis.address());
        fleet.configure(&json!({"redis-monitor": {
            "redis_url": url, "connection_threshold": CONNECTIONS,
            // Its interpreter may lie where only the superuser looks: an operator says so, and not the file itself.
            "permissions": {"tcp": [{"port": redis.address().port()}], "run": [python()]},
        }}));
        fleet
            .enrol(json!({
                "provider": "aws", "account": ACCOUNT, "region": REGION, "instance": instance,
                "instance_type": "t3.medium",
            }))
            .await;
        World {
            fleet,
            redis,
            moto,
            proxy,
            instance,
        }
    }

    fn start_executor(&mut self, name: &str) -> usize {
        let url = self.proxy.url();
        let arguments = ["--cloud", "aws", "--ec2-endpoint", &url];
        self.fleet.start_executor(name, &arguments)
    }

    fn start_the_rest(&mut self) {
        self.fleet.start_gateway();
        self.fleet.start_host();
    }

    /// Somebody's connections to Redis; gone on drop.
    async fn connect(&self, count: u64) -> Vec<TcpStream> {
        let mut clients = Vec::new();
        for _ in 0..count {
            let client = TcpStream::connect(self.redis.address()).await;
            clients.push(client.expect("Redis listens"));
        }
        clients
    }

    fn stops(&self) -> usize {
        self.proxy.count("StopInstances", &self.instance)
    }
}

fn of<'a>(votes: &'a [Vote], voter: &str) -> Option<&'a Vote> {
    votes.iter().find(|vote| vote.voter.as_str() == voter)
}

#[tokio::test]
async fn p8_real_readings_and_an_idle_redis_stop_the_instance_once_and_leave_the_documented_tags() {
    let mut world = World::begin().await;
    world.start_executor("executor");
    world.start_the_rest();
    world.fleet.wait_for_audit(AuditKind::Stopped).await;
    assert_eq!(world.stops(), 1);
    assert_eq!(world.moto.state_of(REGION, &world.instance).await, "stopped");

    let verified = world.fleet.wait_for_audit(AuditKind::Verified).await;
    let call = world.fleet.wait_for_audit(AuditKind::Call).await;
    assert_eq!((verified.claim, &verified.actor), (call.claim, &call.actor));

    let tags = world.moto.tags_of(REGION, &world.instance).await;
    let tag = |name: &str| {
        let value = tags.get(&format!("CloudSnooze:{name}"));
        value.unwrap_or_else(|| panic!("no {name} in {tags:?}")).as_str()
    };
    for (name, value) in [
        ("Status", "Stopped"),
        ("NaptimeMinutes", "0.05"),
        ("InstanceType", "t3.medium"),
        ("Region", REGION),
    ] {
        assert_eq!(tag(name), value, "{name} of {tags:?}");
    }
    assert!(tag("StopReason").contains("idle"), "{tags:?}");
    tag("StopTimestamp")
        .parse::<snooze_schemas::Timestamp>()
        .expect("a time of RFC 3339");
    // What was read on this machine: it uses memory, whatever else it does.
    for name in ["CPUPercent", "MemoryPercent", "NetworkKBps", "DiskIOKBps"] {
        let value: f64 = tag(name).parse().expect("a number");
        assert!(
            value >= 0.0 && (name != "MemoryPercent" || value > 0.0),
            "{tags:?}"
        );
    }
    assert_eq!(
        tags.keys().filter(|name| name.contains("Restart")).count(),
        0,
        "{tags:?}"
    );
}

#[tokio::test]
async fn s2_four_connected_redis_clients_prevent_the_stop_until_one_leaves() {
    let mut world = World::begin().await;
    let mut clients = world.connect(CONNECTIONS - 1).await;
    world.start_executor("executor");
    world.start_the_rest();
    // Every other required voter is idle for three naptimes, and yet nothing happens.
    let report = world
        .fleet
        .wait_for_report("only Redis is busy", |report| {
            let votes = report.verdict.iter().flat_map(|verdict| &verdict.votes);
            let required = votes.filter(|vote| vote.role == snooze_schemas::verdict::Role::Required);
            let others: Vec<_> = required
                .filter(|vote| vote.voter.as_str() != "redis-monitor")
                .collect();
            others.len() >= 4 && others.iter().all(|vote| vote.idle_ms >= 9_000)
        })
        .await;
    let verdict = report.verdict.expect("it was heard");
    let vote = of(&verdict.votes, "redis-monitor").expect("it votes");
    assert_eq!(vote.state, VoteState::Busy, "{vote:?}");
    assert_eq!(
        vote.evidence.get("connection_count"),
        Some(&json!(CONNECTIONS)),
        "{vote:?}"
    );
    assert_eq!(
        report.decision.blocking,
        ["redis-monitor".parse().expect("a voter")]
    );
    let explained = world.fleet.snooze(&["explain", HOST]).await;
    let busy = "redis-monitor is busy (required): Redis has 5 connections, idle below 5";
    assert!(explained.contains(busy), "{explained}");
    assert_eq!(world.stops(), 0);
    assert_eq!(world.fleet.count(AuditKind::Intent).await, 0);

    clients.pop();
    world.fleet.wait_for_audit(AuditKind::Stopped).await;
    assert_eq!(world.stops(), 1);
}

#[tokio::test]
async fn p1_the_kill_of_the_executor_that_calls_leads_to_one_stop_and_no_second() {
    let mut world = World::begin().await;
    // Applied at once and answered too late: it dies in the middle of its call.
    world
        .proxy
        .spoil_next("StopInstances", Ec2Fault::DelayAnswer(Duration::from_secs(30)));
    let names = ["executor-a", "executor-b"];
    let runs = names.map(|name| world.start_executor(name));
    world.start_the_rest();
    wait_until(LONG, "the stop call is on its way", async || world.stops() == 1).await;
    let intent = world.fleet.wait_for_audit(AuditKind::Intent).await;
    let holder = runs.into_iter().find(|run| world.fleet.said(*run, &intent.actor));
    world.fleet.kill(holder.expect("one of the two holds the claim"));

    let stopped = world.fleet.wait_for_audit(AuditKind::Stopped).await;
    assert_ne!(stopped.actor, intent.actor, "the other one saw it stopped");
    assert_eq!(stopped.claim, intent.claim);
    assert_eq!(world.fleet.count(AuditKind::Takeover).await, 1);
    assert_eq!(world.stops(), 1);
    assert_eq!(world.moto.state_of(REGION, &world.instance).await, "stopped");
    world
        .fleet
        .wait_for_report("the host is free again", |report| report.phase == "free")
        .await;
    assert_eq!(world.stops(), 1);
}
