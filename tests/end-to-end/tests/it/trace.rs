//! One OpenTelemetry trace from a sample to the stop call, at a real receiver.

use crate::{
    place::LONG,
    separate::{Fleet, quick, simulated},
};
use serde_json::json;
use snooze_schemas::audit::AuditKind;
use snooze_test_harness::{OtlpReceiver, wait_for};

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

    let call = wait_for(LONG, "the stop call's span is received", async || {
        receiver.spans().into_iter().find(|span| span.name == "stop call")
    })
    .await;
    assert_eq!(call.service, "snooze-executor");
    let of_the_call = wait_for(LONG, "a sample's span is in the call's trace", async || {
        let spans = receiver.spans();
        let of_the_call: Vec<_> = spans
            .into_iter()
            .filter(|span| span.trace == call.trace)
            .collect();
        let is_sample = |span: &&_| {
            let span: &snooze_test_harness::ReceivedSpan = span;
            (span.service.as_str(), span.name.as_str()) == ("snooze-collector", "sample")
        };
        of_the_call
            .iter()
            .find(is_sample)
            .is_some()
            .then_some(of_the_call)
    })
    .await;
    // Between the two lies the runner, by whose verdict the executor decided.
    let services = ["snooze-collector", "snooze-plugin-runner", "snooze-executor"];
    for service in services {
        assert!(
            of_the_call.iter().any(|span| span.service == service),
            "{service}: {of_the_call:#?}"
        );
    }
    // Every span hangs on another one up to the sample: nothing in between is missing.
    let mut at = &call;
    while !at.parent.is_empty() {
        at = of_the_call
            .iter()
            .find(|span| span.id == at.parent)
            .unwrap_or_else(|| panic!("the parent of {at:?} is not in {of_the_call:#?}"));
    }
    assert_eq!(
        (at.service.as_str(), at.name.as_str()),
        ("snooze-collector", "sample")
    );
}
