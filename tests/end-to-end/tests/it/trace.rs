//! One OpenTelemetry trace from a sample to the stop call, at a real receiver.

use crate::{
    place::LONG,
    separate::{Fleet, quick, simulated},
};
use serde_json::json;
use snooze_schemas::audit::AuditKind;
use snooze_test_harness::{OtlpReceiver, ReceivedSpan, wait_until};
use std::collections::BTreeSet;

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
