//! One OpenTelemetry trace from a sample to the stop call, and from a notice to its handler, at a real receiver.

use crate::{
    place::{LONG, Run},
    separate::{Fleet, HOST, host, quick, simulated},
};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Role, User, keys};
use snooze_schemas::audit::AuditKind;
use snooze_test_harness::{ImdsServer, OtlpReceiver, ReceivedSpan, wait_until};
use std::{collections::BTreeSet, fs};

#[tokio::test]
async fn s23_one_trace_leads_from_a_sample_to_the_stop_call() {
    let receiver = OtlpReceiver::start().await;
    let mut fleet = Fleet::with(&quick(json!({}))).await;
    fleet.place.set("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url());
    fleet.configure(&json!({}));
    fleet.enrol(simulated()).await;
    fleet.start_executor("executor", &[]);
    fleet.start_gateway();
    fleet.start_host();
    fleet.wait_for_audit(AuditKind::Stopped).await;

    // Spans arrive when they end and their exporter's pause is over, each process's by themselves; so the whole
    // chain is looked for again and again, and what was found last is shown where it stays broken.
    let mut last = String::from("no stop call");
    wait_until(
        LONG,
        "one trace leads from a sample to the stop call",
        async || {
            match chain(&receiver.spans()) {
                Ok(services) => {
                    // Between the two lies the runner, by whose verdict the executor decided.
                    let missing = ["snooze-collector", "snooze-plugin-runner", "snooze-executor"]
                        .into_iter()
                        .find(|service| !services.contains(*service));
                    last = missing.map_or_else(String::new, |service| format!("no span of {service}"));
                    missing.is_none()
                }
                Err(broken) => {
                    if broken != last {
                        eprintln!("so far: {broken}");
                    }
                    last = broken;
                    false
                }
            }
        },
    )
    .await;
}

/// The services in the stop call's trace, where every span from the call upwards hangs on another one and the
/// first is a sample's; else what is missing.
fn chain(spans: &[ReceivedSpan]) -> Result<BTreeSet<String>, String> {
    let call = spans.iter().find(|span| span.name == "stop call");
    let call = call.ok_or("the stop call's span is not there")?;
    assert_eq!(call.service, "snooze-executor");
    let of_the_call: Vec<_> = spans.iter().filter(|span| span.trace == call.trace).collect();
    let mut at = call;
    while !at.parent.is_empty() {
        let parent = of_the_call.iter().find(|span| span.id == at.parent);
        at = parent.ok_or_else(|| format!("the parent of {} of {} is not there", at.name, at.service))?;
    }
    assert_eq!(
        (at.service.as_str(), at.name.as_str()),
        ("snooze-collector", "sample"),
        "where the trace begins"
    );
    Ok(of_the_call.into_iter().map(|span| span.service.clone()).collect())
}

/// A handler of whatever it is given.
const SAVER: &str = r#"#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    result = {
        "Info": {"name": "saver"},
        "HandleEvent": {"handled": True, "succeeded": True},
    }.get(request["method"], {"error": "Unknown method: " + request["method"]})
    print(json.dumps({"result": result, "id": request["id"]}), flush=True)
"#;

/// A fleet whose services say their spans to this receiver, and whose host has the handler for this type.
async fn traced(receiver: &OtlpReceiver, event_type: &str, more: Value) -> Fleet {
    let mut fleet = Fleet::with(&quick(json!({"mode": "observe"}))).await;
    fleet.place.set("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url());
    fleet.place.write_plugin("saver.py", SAVER);
    let mut config = json!({"plugins": {
        "enabled": true, "directories": [fleet.place.text("plugins")],
        "plugin_configs": {"saver": {"events": {event_type: {}}}},
    }});
    let (Value::Object(config), Value::Object(more)) = (&mut config, more) else {
        panic!("a configuration is an object");
    };
    config.extend(more);
    fleet.place.write("snooze.json", &json!(config).to_string());
    fleet
}

/// Waits until the handler's span hangs on these, up to the first of its trace.
async fn leads_to_the_handler(receiver: &OtlpReceiver, wanted: &[(&str, &str)]) {
    let mut last = String::new();
    wait_until(LONG, "one trace leads to the handler", async || {
        let spans = receiver.spans();
        let found = upwards(&spans);
        let misses = |(service, name): &&(&str, &str)| {
            let is = |span: &&ReceivedSpan| span.service == *service && span.name == *name;
            !found.iter().flatten().any(is)
        };
        let missing = wanted.iter().find(misses);
        let now = format!("{found:?}, without {missing:?}");
        if now != last {
            eprintln!("so far: {now}");
            last = now;
        }
        found.is_ok() && missing.is_none()
    })
    .await;
}

/// From the handler's span to the first of its trace; else what is missing.
fn upwards(spans: &[ReceivedSpan]) -> Result<Vec<&ReceivedSpan>, String> {
    let handler = spans.iter().find(|span| span.name == "handler");
    let mut at = handler.ok_or("the handler's span is not there")?;
    assert_eq!(at.service, "snooze-plugin-runner");
    let mut found = vec![at];
    while !at.parent.is_empty() {
        let parent = spans
            .iter()
            .find(|span| span.trace == at.trace && span.id == at.parent);
        at = parent.ok_or_else(|| format!("the parent of {} of {} is not there", at.name, at.service))?;
        found.push(at);
    }
    Ok(found)
}

#[tokio::test]
async fn e5_one_trace_leads_from_an_event_to_its_handler_also_where_it_was_parked_meanwhile() {
    let receiver = OtlpReceiver::start().await;
    let mut fleet = traced(&receiver, "custom.backup", json!({})).await;
    fleet.enrol(simulated()).await;
    fleet.start_gateway();
    let named = |role, name| User::named(role, name).expect("a name");
    let admin = fleet.server.bus(&named(Role::Administrator, "eve")).await;
    let may: Value = json!({"hosts": "all", "max_severity": 3});
    let otto = "otto".parse().expect("a source");
    let written = admin
        .bucket(Bucket::Config)
        .put(&keys::source_key(&otto), &may)
        .await;
    written.expect("an administrator says what a source may send");
    let operator = named(Role::Operator, "otto");
    let (server, credentials) = (fleet.server.url(), fleet.server.credentials(&operator));
    let credentials = credentials.to_str().expect("temporary folders have plain names");
    let place = &fleet.place;
    let snooze = async |arguments: &[&str]| {
        let mut all = vec!["--server", &server, "--credentials", credentials];
        all.extend(arguments);
        place.run("snooze", &all).await
    };
    wait_until(LONG, "the gateway takes it", async || {
        let sent = snooze(&["event", "send", "backup", "--host", HOST, "--id", "nightly"]).await;
        sent.code == 0
    })
    .await;
    wait_until(LONG, "it is parked", async || {
        let listed = snooze(&["event", "list"]).await;
        listed.out.contains("waits for its host, which is away")
    })
    .await;
    fleet.start_host();
    fleet.wait_for_audit(AuditKind::Event).await;
    let gateway = "snooze-event-gateway";
    let wanted = [
        (gateway, "file"),
        (gateway, "give a parked event"),
        ("snooze-plugin-runner", "event"),
    ];
    leads_to_the_handler(&receiver, &wanted).await;
}

#[tokio::test]
async fn e7_one_trace_leads_from_a_notice_to_its_handler_also_where_the_gateway_was_started_anew() {
    let receiver = OtlpReceiver::start().await;
    let metadata = ImdsServer::start().await;
    let source = json!({"aws_metadata": {"enabled": true, "endpoint": metadata.url()}});
    let more = json!({"event_sources": source});
    let mut fleet = traced(&receiver, "cloud.spot.interrupt", more).await;
    metadata.announce(
        "/latest/meta-data/spot/instance-action",
        r#"{"action": "terminate", "time": "2130-01-01T00:00:00Z"}"#,
    );
    let gateway = start_host_gateway(&fleet);
    let journal = fleet.place.path("state/gateway/events.jsonl");
    wait_until(LONG, "it is noticed and filed", async || {
        let said = fs::read_to_string(&journal).unwrap_or_default();
        said.contains(r#"{"noticed""#) && said.contains(r#"{"filed""#)
    })
    .await;
    // No runner was there: it is not handed over yet.
    gateway.interrupt();
    assert_eq!(gateway.ended().await.code, 0);
    let _gateway = start_host_gateway(&fleet);
    fleet.start_host();
    fleet.wait_for_audit(AuditKind::Event).await;
    let gateway = "snooze-event-gateway";
    let wanted = [
        (gateway, "notice"),
        (gateway, "notice after a restart"),
        ("snooze-plugin-runner", "event"),
    ];
    leads_to_the_handler(&receiver, &wanted).await;
}

fn start_host_gateway(fleet: &Fleet) -> Run {
    let state = fleet.place.text("state");
    let more = ["--host", HOST, "--state", &state];
    let on = (&fleet.server, &User::host(&host()));
    fleet.place.start_on(on, "snooze-event-gateway", &["host"], &more)
}
