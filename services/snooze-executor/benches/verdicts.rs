//! Verdicts decided by one executor on one core, beside a bare subscriber that only decodes them.
//!
//! Both take the same messages from a subscription that holds them already, so that neither waits for
//! the broker or the publisher: what is measured is what a verdict costs its receiver. The bare one
//! decodes MessagePack into the same type and does nothing else; ours checks headers and host, decodes,
//! looks up roster, policy, key and slots, and decides. The two take turns, run by run.
//!
//! Prints a table and writes the same to `target/bench/verdicts.json`, one object a row.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures by the real clock")]

use serde_json::json;
use snooze_bus::{Bucket, Bus, Format, KIND, Role, Subject, SubjectFilter, User, VERSION, encode, keys};
use snooze_executor::measure::Decider;
use snooze_schemas::{HostId, Message, policy::ConfigLayer, roster::RosterRecord, verdict::Verdict};
use snooze_test_harness::NatsServer;
use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

/// Hosts, each with a record in the roster.
const HOSTS: usize = 1_000;
/// Verdicts in one run; fewer than a subscription holds.
const VERDICTS: usize = 40_000;
const RUNS: usize = 7;
/// Ours a second, at least so many times the bare one's.
const GOAL: f64 = 0.5;
const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    // One thread: figures are for one core.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    // Without roles: one publisher stands for a thousand hosts.
    let server = NatsServer::open().await;
    let set_up = server
        .bus(&User::named(Role::SetUp, "set-up").expect("a name"))
        .await;
    set_up.set_up().await.expect("the set-up may make everything");
    let admin = server
        .bus(&User::named(Role::Administrator, "ada").expect("a name"))
        .await;
    let revision = enroll(&admin).await;
    let bus = server
        .bus(&User::named(Role::Executor, "one").expect("a name"))
        .await;
    let mut decider = Decider::begin(&bus).await;

    let mut ours = Vec::new();
    let mut bare = Vec::new();
    for run in 0..RUNS {
        let messages = messages(run, &revision);
        ours.push(decided_a_second(&admin, &bus, &mut decider, &messages).await);
        bare.push(decoded_a_second(&admin, &bus, &messages).await);
    }
    report(&mut ours, &mut bare);
}

/// Writes the roster and a policy that only observes; returns the policy's revision.
async fn enroll(admin: &Bus) -> String {
    let config = admin.bucket(Bucket::Config);
    let layer: ConfigLayer = serde_json::from_value(json!({"policy": {"mode": "observe"}})).expect("a layer");
    let revision = config
        .put(keys::FLEET, &layer)
        .await
        .expect("an administrator writes the policy");
    for host in hosts() {
        let record: RosterRecord = serde_json::from_value(json!({
            "provider": "simulated", "instance": host, "enrolled_at": "2026-01-01T00:00:00Z",
        }))
        .expect("a record");
        config
            .put(&keys::roster_key(&host), &record)
            .await
            .expect("an administrator enrols");
    }
    format!("{revision}/0/0")
}

fn hosts() -> impl Iterator<Item = HostId> {
    (0..HOSTS).map(|n| format!("i-{n:017x}").parse().expect("a host id"))
}

/// Verdicts with the built-in voters and two plugins, some busy, as hosts send them.
fn messages(run: usize, revision: &str) -> Vec<(HostId, Vec<u8>)> {
    let hosts: Vec<HostId> = hosts().collect();
    (0..VERDICTS)
        .map(|n| {
            let host = &hosts[n % HOSTS];
            let seq = run * VERDICTS + n / HOSTS + 1;
            let voters = [
                ("cpu", "cpu_percent", 2.5),
                ("memory", "memory_percent", 21.0),
                ("network", "network_kbps", 0.8),
                ("disk_io", "disk_io_kbps", 0.3),
                ("input", "input_idle_secs", 1_800.0),
                ("people", "people_present", 0.0),
                ("redis", "connection_count", 1.0),
                ("notebooks", "kernels", 0.0),
            ];
            let votes: Vec<_> = voters
                .iter()
                .map(|(voter, reading, value)| {
                    let state = if n % 5 == 0 && *voter == "cpu" {
                        "busy"
                    } else {
                        "idle"
                    };
                    json!({
                        "voter": voter, "role": "required", "state": state, "raw": state,
                        "reason": format!("{reading} is {value}, below the threshold"),
                        "evidence": {*reading: value, "threshold": 10.0}, "idle_ms": 60_000,
                    })
                })
                .collect();
            let verdict: Verdict = serde_json::from_value(json!({
                "host": host, "boot_id": "5a3c1d7e-4a44-4a63-9d3b-0d1b8b1c2f11",
                "agent": "0f8fad5bd9cb469fa16570867728950e", "seq": seq, "policy_revision": revision,
                "sample_age_ms": 12, "uptime_ms": 86_400_000, "votes": votes,
            }))
            .expect("a verdict");
            let body = encode(&verdict, Format::MessagePack).expect("a verdict is written");
            (host.clone(), body)
        })
        .collect()
}

/// Publishes everything and waits until all of it lies in the subscriptions of `receiver`.
async fn publish(publisher: &Bus, receiver: &Bus, messages: &[(HostId, Vec<u8>)]) {
    let version = snooze_schemas::message::VERSION.to_string();
    for (host, body) in messages {
        let subject = Subject::Verdict(host.clone()).to_string();
        let headers = [(KIND, Verdict::KIND), (VERSION, version.as_str())];
        publisher
            .raw_publish(&subject, None, &headers, body)
            .await
            .expect("publishes");
    }
    publisher.flush(LIMIT).await.expect("the server has everything");
    // What the server sends on one connection it sends in order: this answer comes after the verdicts.
    receiver.flush(LIMIT).await.expect("the receiver has everything");
}

async fn decided_a_second(
    publisher: &Bus,
    receiver: &Bus,
    decider: &mut Decider,
    messages: &[(HostId, Vec<u8>)],
) -> f64 {
    let mut subscription = receiver
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    publish(publisher, receiver, messages).await;
    let begun = Instant::now();
    for _ in 0..messages.len() {
        let delivery = subscription.next().await.expect("a verdict");
        let decision = decider.decide(&delivery);
        assert!(black_box(decision).is_some(), "every verdict is decided");
    }
    messages.len() as f64 / begun.elapsed().as_secs_f64()
}

async fn decoded_a_second(publisher: &Bus, receiver: &Bus, messages: &[(HostId, Vec<u8>)]) -> f64 {
    let filter = SubjectFilter::AllVerdicts.to_string();
    let mut subscription = receiver.raw_subscribe(&filter).await.expect("subscribes");
    publish(publisher, receiver, messages).await;
    let begun = Instant::now();
    for _ in 0..messages.len() {
        let payload = subscription.next_payload().await.expect("a verdict");
        let verdict: Verdict = rmp_serde::from_slice(&payload).expect("decodes");
        black_box(verdict);
    }
    messages.len() as f64 / begun.elapsed().as_secs_f64()
}

fn report(ours: &mut [f64], bare: &mut [f64]) {
    ours.sort_by(f64::total_cmp);
    bare.sort_by(f64::total_cmp);
    let (mine, beside) = (ours[ours.len() / 2], bare[bare.len() / 2]);
    let ratio = mine / beside;
    let row = json!({
        "row": "verdicts decided by one executor on one core",
        "ours": mine,
        "unit": "verdicts/s",
        "beside": "bare subscriber that only decodes",
        "beside_value": beside,
        "ratio": ratio,
        "goal": format!(">= {GOAL} times the bare subscriber"),
        "met": ratio >= GOAL,
        "runs": RUNS,
        "min": ours.first(),
        "max": ours.last(),
    });
    println!("verdicts decided by one executor   {mine:>9.0} verdicts/s");
    println!("bare subscriber that only decodes  {beside:>9.0} verdicts/s");
    let met = if ratio >= GOAL { "met" } else { "missed" };
    println!("ratio                              {ratio:>9.2}   goal {GOAL}: {met}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench/verdicts.json");
    fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("target can be written");
    fs::write(&file, format!("[\n{row}\n]\n")).expect("target can be written");
}
