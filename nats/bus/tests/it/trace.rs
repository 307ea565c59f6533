//! One trace from the sender's span to the handler's, over the wire and through streams and buckets.

use crate::support::*;
use opentelemetry::trace::{TraceContextExt, TraceId, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use snooze_bus::{Bucket, Expect, Look, OpsVerb, Role, Subject, SubjectFilter, trace};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::Severity,
    ops::{Query, QueryResult},
    verdict::Verdict,
};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

/// Records spans on this thread, which runs the whole test.
fn record_spans() -> tracing::subscriber::DefaultGuard {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

fn trace_of(span: &Span) -> TraceId {
    span.context().span().span_context().trace_id()
}

fn trace_in(traceparent: Option<&str>) -> String {
    let text = traceparent.expect("a trace context came along");
    text.split('-').nth(1).expect("has a trace id").to_owned()
}

#[tokio::test]
async fn the_trace_goes_from_a_publish_to_its_handler() {
    let _recording = record_spans();
    let server = NatsServer::open().await;
    let sender = open(&server, Role::Host, "h1").await;
    let hearer = open(&server, Role::Executor, "e").await;
    let mut verdicts = hearer
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    let span = tracing::info_span!("sample");
    let subject = Subject::Verdict(host("h1"));
    sender
        .publish(&subject, &verdict("h1", 1))
        .instrument(span.clone())
        .await
        .expect("publishes");
    let delivery = hear(&mut verdicts).await;
    assert_eq!(trace_of(&delivery.span()), trace_of(&span));
    assert_eq!(
        trace_in(delivery.traceparent().as_deref()),
        trace_of(&span).to_string()
    );
    delivery.read::<Verdict>().expect("the header is no obstacle");
}

#[tokio::test]
async fn the_trace_goes_from_a_request_to_its_handler() {
    let _recording = record_spans();
    let server = NatsServer::open().await;
    let asker = open(&server, Role::Operator, "ann").await;
    let executor = open(&server, Role::Executor, "e").await;
    let mut asked = executor
        .subscribe(&SubjectFilter::AllOps, None)
        .await
        .expect("subscribes");
    let span = tracing::info_span!("command");
    let (subject, query) = (Subject::Ops(OpsVerb::Query), Query::default());
    let request = asker
        .request::<_, QueryResult>(&subject, &query, SHORT)
        .instrument(span.clone());
    let (_, delivery) = tokio::join!(request, hear(&mut asked));
    assert_eq!(trace_of(&delivery.span()), trace_of(&span));
}

#[tokio::test]
async fn the_trace_goes_through_streams_and_buckets() {
    let _recording = record_spans();
    let (_server, bus) = set_up().await;
    let span = tracing::info_span!("stop");
    let id = trace_of(&span).to_string();

    let (subject, event) = event("h1", Severity::Critical, "e1");
    bus.file(&subject, &event, Expect::New, LIMIT)
        .instrument(span.clone())
        .await
        .expect("is new");
    let mut consumer = bus.events(Severity::Critical).await.expect("subscribes");
    let delivery = take(&mut consumer).await;
    assert_eq!(trace_in(delivery.traceparent()), id);
    assert_eq!(trace_of(&delivery.span()), trace_of(&span));

    let (subject, record) = audit("h1", AuditKind::Intent, "");
    bus.file(&subject, &record, Expect::Anything, LIMIT)
        .instrument(span.clone())
        .await
        .expect("is filed");
    let filter = SubjectFilter::AllAudit;
    let entries = bus
        .history::<AuditRecord>(snooze_bus::Stream::Audit, &filter, 1)
        .await
        .expect("reads");
    assert_eq!(trace_in(entries[0].traceparent.as_deref()), id);

    let bucket = bus.bucket(Bucket::State);
    bucket
        .create("host.h1", &record)
        .instrument(span.clone())
        .await
        .expect("is new");
    let look: Look<AuditRecord> = bucket.look("host.h1").await.expect("reads");
    let entry = look.entry.expect("has a value");
    assert_eq!(trace_in(entry.traceparent.as_deref()), id);
}

#[tokio::test]
async fn a_stored_context_can_be_taken_up_again() {
    let _recording = record_spans();
    let first = tracing::info_span!("claim");
    let stored = trace::traceparent_of(&first).expect("the span is recorded");
    let second = tracing::info_span!("takeover");
    trace::set_parent(&second, &stored);
    assert_eq!(trace_of(&second), trace_of(&first));
    let unrelated = tracing::info_span!("unrelated");
    trace::set_parent(&unrelated, "nonsense");
    assert_ne!(trace_of(&unrelated), trace_of(&first));
}

#[tokio::test]
async fn without_a_recorded_span_nothing_is_sent_along() {
    let server = NatsServer::open().await;
    let bus = open(&server, Role::Host, "h1").await;
    let mut heard = bus
        .raw_subscribe("snooze.v1.host.h1.verdict")
        .await
        .expect("subscribes");
    bus.publish(&Subject::Verdict(host("h1")), &verdict("h1", 1))
        .await
        .expect("publishes");
    let headers = hear_raw(&mut heard).await.headers;
    assert_eq!(
        headers,
        [
            ("Snooze-Kind".to_owned(), "verdict".to_owned()),
            ("Snooze-Version".to_owned(), "1".to_owned())
        ]
    );
}
