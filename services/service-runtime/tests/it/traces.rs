//! Traces at a real OTLP receiver, from the agents' single-threaded runtime.

use snooze_service_runtime::telemetry::{ExportPlan, Exporter, trace_layer};
use snooze_test_harness::{OtlpReceiver, wait_until};
use std::{net::TcpListener, time::Duration};
use tokio::time::timeout;
use tracing::subscriber::set_default;
use tracing_subscriber::layer::SubscriberExt as _;

/// What a service gives its telemetry at the end.
const FLUSH: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(20);

fn plan(base: &str, variables: &[(&str, &str)]) -> ExportPlan {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    ExportPlan::decide("snooze-test", Some(base), &variables)
        .expect("possible")
        .expect("asked for")
}

fn one_sample() {
    let sample = tracing::info_span!(target: "snooze_test", "sample");
    let _sample = sample.enter();
    let _vote = tracing::debug_span!(target: "snooze_test", "vote").entered();
    let _library = tracing::info_span!(target: "hyper", "request").entered();
}

#[tokio::test]
async fn spans_reach_a_real_receiver_with_their_parents_and_the_services_name() {
    let receiver = OtlpReceiver::start().await;
    let exporter = Exporter::start(&plan(&receiver.url(), &[])).expect("starts");
    {
        let _subscriber = set_default(tracing_subscriber::registry().with(trace_layer(&exporter)));
        one_sample();
    }
    exporter.shutdown(FLUSH).await;
    wait_until(LIMIT, "the receiver shows both spans", async || {
        receiver.spans().len() >= 2
    })
    .await;

    let spans = receiver.spans();
    let of = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .expect("it was exported")
    };
    let (sample, vote) = (of("sample"), of("vote"));
    assert_eq!((&vote.trace, &vote.parent), (&sample.trace, &sample.id));
    assert_eq!(sample.service, "snooze-test");
    assert!(
        spans.iter().all(|span| span.name != "request"),
        "a library's spans stay out: {spans:?}"
    );
}

#[tokio::test]
async fn the_standard_service_name_reaches_the_receiver() {
    let receiver = OtlpReceiver::start().await;
    let exporter = Exporter::start(&plan(&receiver.url(), &[("OTEL_SERVICE_NAME", "mine")])).expect("starts");
    {
        let _subscriber = set_default(tracing_subscriber::registry().with(trace_layer(&exporter)));
        one_sample();
    }
    exporter.shutdown(FLUSH).await;
    wait_until(LIMIT, "the receiver shows a span", async || {
        !receiver.spans().is_empty()
    })
    .await;
    assert_eq!(receiver.spans()[0].service, "mine");
}

#[tokio::test]
async fn a_receiver_that_never_answers_does_not_hold_a_service_at_its_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it is bound");
    let exporter = Exporter::start(&plan(&format!("http://{address}"), &[])).expect("starts");
    {
        let _subscriber = set_default(tracing_subscriber::registry().with(trace_layer(&exporter)));
        one_sample();
    }
    let flush = Duration::from_millis(300);
    timeout(LIMIT, exporter.shutdown(flush))
        .await
        .expect("it gives up within its own limit");
}

#[tokio::test]
async fn a_receiver_with_tls_is_asked_by_tls_and_one_without_it_is_no_panic() {
    let receiver = OtlpReceiver::start().await;
    let exporter = Exporter::start(&plan(&receiver.url().replace("http:", "https:"), &[])).expect("starts");
    {
        let _subscriber = set_default(tracing_subscriber::registry().with(trace_layer(&exporter)));
        one_sample();
    }
    timeout(LIMIT, exporter.shutdown(FLUSH)).await.expect("it ends");
    assert_eq!(receiver.spans(), []);
}
