//! The service over a real bus.

use crate::machine::Machine;
use serde_json::json;
use snooze_bus::{
    Bucket, Bus, BusConfig, Delivery, OnDenial, Role, Subject, SubjectFilter, Subscription, User, keys,
};
use snooze_collector::{CollectorError, Config, Settings};
use snooze_schemas::{
    ErrorCode, HostId,
    host::{MissedSamples, Samples, TakeSample},
    policy::ConfigLayer,
    sample::Sample,
};
use snooze_service_runtime::{
    CancellationToken, Clocks, Secret,
    telemetry::{self, TelemetryConfig},
};
use snooze_test_harness::{NatsServer, OtlpReceiver, TcpProxy, wait_until};
use std::time::Duration;
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(20);

fn host() -> HostId {
    "h1".parse().expect("a host")
}

fn named(role: Role) -> User {
    User::named(role, "somebody").expect("a name")
}

async fn bus(server: &NatsServer, service: &str) -> Bus {
    bus_at(&server.url(), service).await
}

async fn bus_at(url: &str, service: &str) -> Bus {
    Bus::connect(BusConfig {
        servers: url.to_owned(),
        credentials: None,
        role: Role::Host,
        name: "h1".to_owned(),
        service: service.to_owned(),
        connect_timeout: LIMIT,
        on_denial: OnDenial::GoOn,
    })
    .await
    .expect("connects")
}

async fn subscribed(bus: &Bus) -> Subscription {
    let filter = SubjectFilter::Exactly(Subject::Metrics(host()));
    bus.subscribe(&filter, None).await.expect("subscribes")
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), CollectorError>>,
}

impl Running {
    /// The collector, measuring a folder that stands for a machine every so often.
    async fn start(url: &str, machine: &Machine, interval_ms: u64) -> Running {
        Running::start_as(bus_at(url, "collector").await, machine, interval_ms)
    }

    fn start_as(bus: Bus, machine: &Machine, interval_ms: u64) -> Running {
        let stop = CancellationToken::new();
        let config = Config {
            root: machine.path().to_owned(),
            settings: Settings {
                check_interval: Duration::from_millis(interval_ms),
                ..Settings::default()
            },
            nvml_library: "libno-such-nvml.so.1".into(),
            clocks: Clocks::real(),
            ..Config::new(host(), "b".to_owned())
        };
        let task = tokio::spawn(snooze_collector::run(config, bus, stop.clone()));
        Running { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(LIMIT, self.task).await;
        ended.expect("in time").expect("no panic").expect("no failure");
    }
}

async fn next(subscription: &mut Subscription) -> (Sample, Delivery) {
    let delivery = tokio::time::timeout(LIMIT, subscription.next())
        .await
        .expect("in time")
        .expect("open");
    (delivery.read().expect("a sample"), delivery)
}

fn assert_abuts(before: &Sample, after: &Sample) {
    assert_eq!(
        after.ends_monotonic_ms - after.covers_ms,
        before.ends_monotonic_ms,
        "seq {}",
        after.seq
    );
    assert_eq!(after.seq, before.seq + 1);
    assert_eq!(after.agent, before.agent);
}

#[tokio::test]
async fn t2_published_samples_abut() {
    let (server, machine) = (NatsServer::open().await, Machine::new());
    let listener = bus(&server, "listener").await;
    let mut samples = subscribed(&listener).await;
    let running = Running::start(&server.url(), &machine, 100).await;
    let (mut before, _) = next(&mut samples).await;
    for _ in 0..5 {
        let (after, _) = next(&mut samples).await;
        assert_abuts(&before, &after);
        before = after;
    }
    running.end().await;
}

/// What stands between the collector and the server for a while.
async fn t2_survives(fault: impl FnOnce(&TcpProxy)) {
    let (server, machine) = (NatsServer::open().await, Machine::new());
    let proxy = TcpProxy::start(server.address()).await;
    let listener = bus(&server, "listener").await;
    let mut samples = subscribed(&listener).await;
    let running = Running::start(&format!("nats://{}", proxy.address()), &machine, 100).await;
    let (mut before, _) = next(&mut samples).await;
    fault(&proxy);
    let clocks = Clocks::real();
    let from = clocks.monotonic_ms();
    // Several intervals pass unheard.
    wait_until(LIMIT, "a second has passed", async || {
        clocks.monotonic_ms() >= from + 1_000
    })
    .await;
    let until = clocks.monotonic_ms();
    proxy.mend();
    let mut unheard = 0;
    while before.ends_monotonic_ms < until + 500 {
        let (after, _) = next(&mut samples).await;
        // One whose flush was lost with the connection comes a second time.
        if after.seq > before.seq {
            assert_abuts(&before, &after);
            unheard += usize::from((from..until).contains(&after.ends_monotonic_ms));
            before = after;
        }
    }
    assert!(unheard >= 5, "only {unheard} samples of that second arrived");
    running.end().await;
}

#[tokio::test]
async fn t2_samples_of_a_broken_connection_arrive_afterwards_in_order_without_a_hole() {
    t2_survives(TcpProxy::cut).await;
}

#[tokio::test]
async fn t2_samples_of_a_partition_arrive_afterwards_in_order_without_a_hole() {
    t2_survives(TcpProxy::hold).await;
}

#[tokio::test]
async fn t2_samples_survive_a_restart_of_the_server() {
    let (mut server, machine) = (NatsServer::open().await, Machine::new());
    let listener = bus(&server, "listener").await;
    let mut samples = subscribed(&listener).await;
    let running = Running::start(&server.url(), &machine, 100).await;
    let (first, _) = next(&mut samples).await;
    server.kill();
    server.restart().await;
    let (mut sample, _) = next(&mut samples).await;
    while sample.ends_monotonic_ms < Clocks::real().monotonic_ms() - 200 || sample.seq == first.seq {
        sample = next(&mut samples).await.0;
    }
    assert_eq!(sample.agent, first.agent, "it is the same collector");
    running.end().await;
}

#[tokio::test]
async fn t2_samples_wait_for_credentials_to_be_renewed_and_leave_no_hole() {
    let (mut server, machine) = (NatsServer::with_kept_keys().await, Machine::new());
    let mut samples = subscribed(&server.bus(&named(Role::Operator)).await).await;
    let user = User::host(&host());
    let connection = BusConfig {
        on_denial: OnDenial::GoOn,
        ..server.bus_config(&user)
    };
    let credentials = connection.credentials.clone();
    let bus = Bus::connect(connection).await.expect("it is let in");
    let running = Running::start_as(bus.clone(), &machine, 100);
    let (mut before, _) = next(&mut samples).await;
    server.revoke(Role::Host);
    wait_until(LIMIT, "it is turned away", async || bus.counters().violations > 0).await;
    let until = Clocks::real().monotonic_ms() + 500;
    assert_eq!(
        Some(server.credentials(&user)),
        credentials,
        "they are renewed in their place"
    );
    while before.ends_monotonic_ms < until {
        let (after, _) = next(&mut samples).await;
        // One whose flush was lost with the connection comes a second time.
        if after.seq > before.seq {
            assert_abuts(&before, &after);
            before = after;
        }
    }
    running.end().await;
}

#[tokio::test]
async fn t2_a_sample_that_is_being_taken_at_the_shutdown_still_arrives() {
    let (server, machine) = (NatsServer::open().await, Machine::new());
    let listener = bus(&server, "listener").await;
    let mut samples = subscribed(&listener).await;
    // A display that takes calls and says nothing: who asks it shows that a sample is being taken.
    machine.folder_at("tmp/.X11-unix");
    let display = tokio::net::UnixListener::bind(machine.path().join("tmp/.X11-unix/X0")).expect("binds");
    let running = Running::start(&server.url(), &machine, 60_000).await;
    let asked = tokio::time::timeout(LIMIT, display.accept()).await;
    let _asked = asked.expect("in time").expect("a call");
    running.stop.cancel();
    let (sample, _) = next(&mut samples).await;
    assert_eq!(sample.seq, 1);
    running.end().await;
}

#[tokio::test]
async fn t2_samples_that_were_sent_can_be_asked_for_again() {
    let (server, machine) = (NatsServer::with_roles().await, Machine::new());
    let asker = server.bus(&User::host(&host())).await;
    let mut samples = subscribed(&asker).await;
    let running = Running::start_as(server.bus(&User::host(&host())).await, &machine, 100);
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(next(&mut samples).await.0);
    }
    let question = MissedSamples {
        agent: heard[0].agent.clone(),
        after: heard[1].seq,
    };
    let subject = Subject::CollectorMissed(host());
    let missed: Samples = asker
        .request(&subject, &question, LIMIT)
        .await
        .expect("an answer");
    assert_eq!(
        missed.samples[..2],
        heard[2..],
        "the same samples, in their order"
    );
    let question = MissedSamples {
        agent: "another".to_owned(),
        after: 0,
    };
    let missed: Samples = asker
        .request(&subject, &question, LIMIT)
        .await
        .expect("an answer");
    assert_eq!(missed.samples, []);
    running.end().await;
}

#[tokio::test]
async fn a_sample_on_demand_begins_after_the_request_and_disturbs_nobody() {
    let (server, machine) = (NatsServer::open().await, Machine::new());
    let asker = bus(&server, "asker").await;
    let mut samples = subscribed(&asker).await;
    let running = Running::start(&server.url(), &machine, 200).await;
    let (mut before, _) = next(&mut samples).await;
    let asked_at = Clocks::real().monotonic_ms();
    let subject = Subject::CollectorSample(host());
    let window_ms = 500;
    let answer: Sample = asker
        .request(&subject, &TakeSample { window_ms }, LIMIT)
        .await
        .expect("an answer");
    assert!(answer.covers_ms >= window_ms);
    assert!(
        answer.ends_monotonic_ms - answer.covers_ms >= asked_at,
        "it begins after the request"
    );
    assert_eq!(answer.seq, 0, "it is not of the series");
    for _ in 0..4 {
        let (after, _) = next(&mut samples).await;
        assert_abuts(&before, &after);
        before = after;
    }
    running.end().await;
}

#[tokio::test]
async fn one_sample_on_demand_at_a_time_and_none_of_an_impossible_window() {
    let (server, machine) = (NatsServer::open().await, Machine::new());
    let asker = bus(&server, "asker").await;
    let running = Running::start(&server.url(), &machine, 60_000).await;
    let subject = Subject::CollectorSample(host());
    let mut samples = subscribed(&asker).await;
    next(&mut samples).await;
    for window_ms in [0, 49, 10_001] {
        let refused = asker
            .request::<_, Sample>(&subject, &TakeSample { window_ms }, LIMIT)
            .await;
        let refused = refused.expect_err("refused");
        assert_eq!(refused.refusal().expect("a refusal").code, ErrorCode::BadRequest);
    }
    let ask = TakeSample { window_ms: 1_000 };
    let (one, two) = tokio::join!(
        asker.request::<_, Sample>(&subject, &ask, LIMIT),
        asker.request::<_, Sample>(&subject, &ask, LIMIT),
    );
    let (answered, refused): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!((answered.len(), refused.len()), (1, 1));
    let error = refused.into_iter().find_map(Result::err).expect("one");
    assert_eq!(error.refusal().expect("a refusal").code, ErrorCode::RateLimited);
    running.end().await;
}

#[tokio::test]
async fn what_the_bus_denies_while_it_runs_is_told_from_a_failure() {
    let (server, machine) = (NatsServer::with_roles().await, Machine::new());
    let another: HostId = "h2".parse().expect("a host");
    let running = Running::start_as(server.bus(&User::host(&another)).await, &machine, 100);
    let ended = tokio::time::timeout(LIMIT, running.task).await;
    let error = ended.expect("in time").expect("no panic").expect_err("denied");
    assert!(
        matches!(&error, CollectorError::Denied(why) if why.contains("host.h1")),
        "{error}"
    );
}

#[tokio::test]
async fn the_interval_follows_the_hosts_policy() {
    let (server, machine) = (NatsServer::with_roles().await, Machine::new());
    let set_up = server.bus(&named(Role::SetUp)).await;
    set_up.set_up().await.expect("sets up");
    let administrator = server.bus(&named(Role::Administrator)).await;
    let collector = server.bus(&User::host(&host())).await;
    let mut samples = subscribed(&server.bus(&named(Role::Operator)).await).await;
    let running = Running::start_as(collector, &machine, 3_600_000);
    let (first, _) = next(&mut samples).await;
    let layer: ConfigLayer =
        serde_json::from_value(json!({"policy": {"check_interval_seconds": 0.2}})).expect("a layer");
    administrator
        .bucket(Bucket::Config)
        .put(keys::FLEET, &layer)
        .await
        .expect("writes");
    let (second, _) = next(&mut samples).await;
    let (third, _) = next(&mut samples).await;
    assert_abuts(&first, &second);
    assert_abuts(&second, &third);
    assert!((150..2_000).contains(&third.covers_ms), "{} ms", third.covers_ms);
    running.end().await;
}

#[tokio::test]
async fn the_hosts_own_file_counts_only_until_the_bucket_was_read() {
    let (server, machine) = (NatsServer::with_roles().await, Machine::new());
    let set_up = server.bus(&named(Role::SetUp)).await;
    set_up.set_up().await.expect("sets up");
    let collector = server.bus(&User::host(&host())).await;
    let mut samples = subscribed(&server.bus(&named(Role::Operator)).await).await;
    let running = Running::start_as(collector, &machine, 100);
    // No layer says how often, so the default of a minute holds, as it does for the host's runner.
    let quiet = Duration::from_secs(2);
    wait_until(LIMIT, "the collector goes by the default interval", async || {
        tokio::time::timeout(quiet, next(&mut samples)).await.is_err()
    })
    .await;
    running.end().await;
}

#[tokio::test]
async fn a_trace_begins_with_each_sample() {
    let receiver = OtlpReceiver::start().await;
    let config = TelemetryConfig {
        otlp_endpoint: Some(Secret::new(receiver.url())),
        ..TelemetryConfig::default()
    };
    // For the whole process: with a subscriber for one thread, another test that is the first to reach a
    // span's call site would switch it off for everybody.
    let telemetry = telemetry::init("snooze-test", &config).expect("no other test does this");
    let (server, machine) = (NatsServer::open().await, Machine::new());
    let listener = bus(&server, "listener").await;
    let mut samples = subscribed(&listener).await;
    let running = Running::start(&server.url(), &machine, 100).await;
    let mut traces = Vec::new();
    for _ in 0..2 {
        let parent = next(&mut samples).await.1.traceparent().expect("a trace context");
        // version-trace-span-flags, as W3C Trace Context says.
        traces.push(parent.split('-').nth(1).expect("a trace").to_owned());
    }
    assert_ne!(traces[0], traces[1], "each sample begins one");
    running.end().await;
    telemetry.shutdown(LIMIT).await;
    wait_until(LIMIT, "the receiver shows both samples as roots", async || {
        let spans = receiver.spans();
        let is_root = |trace: &String| {
            spans
                .iter()
                .any(|span| span.name == "sample" && span.trace == *trace && span.parent.is_empty())
        };
        traces.iter().all(is_root)
    })
    .await;
}
