//! The exporter of one process: spans in batches from a thread of its own, and what is flushed at the end.
//!
//! It samples as `OTEL_TRACES_SAMPLER` says; the SDK reads that variable, the batch limits
//! (`OTEL_BSP_…`), headers and `OTEL_RESOURCE_ATTRIBUTES` by itself.

use super::{TelemetryError, client::ExportClient, plan::ExportPlan};
use crate::{identity, secret::shown_url};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{SdkTracerProvider, Tracer},
};
use std::time::Duration;
use tracing::{Level, Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, Filtered, LevelFilter, filter_fn},
    registry::LookupSpan,
};

/// A running exporter.
#[derive(Debug)]
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Starts it; the receiver is not asked for before there is something to send.
    ///
    /// # Errors
    /// When the machine's certificates cannot be loaded or a standard variable asks for something
    /// that this build cannot do.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(plan: &ExportPlan) -> Result<Exporter, TelemetryError> {
        let refuse = |source: Box<dyn std::error::Error + Send + Sync>| TelemetryError::BuildExporter {
            endpoint: shown_url(&plan.endpoint),
            source,
        };
        let client = ExportClient::new(tokio::runtime::Handle::current(), &plan.endpoint)
            .map_err(|error| refuse(error.into()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&plan.endpoint)
            .build()
            .map_err(|error| refuse(error.into()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(plan))
            .build();
        Ok(Exporter { provider })
    }

    /// Sends what is left; gives up, with a line in the log, when that takes longer than the limit.
    pub async fn shutdown(self, within: Duration) {
        let provider = self.provider;
        // The exporter's thread needs this runtime to send, so it is awaited and not blocked on.
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        let problem = match tokio::time::timeout(within, flushed).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done within {within:?}"),
        };
        tracing::warn!(problem, "the last spans were not exported");
    }
}

/// What [`trace_layer`] gives.
pub type TraceLayer<S> = Filtered<OpenTelemetryLayer<S, Tracer>, FilterFn<fn(&Metadata<'_>) -> bool>, S>;

/// The layer that hands spans to an exporter: our own crates' spans up to DEBUG and events up to INFO.
///
/// Other crates' spans stay out: the exporter's own HTTP client would trace itself for ever.
pub fn trace_layer<S>(exporter: &Exporter) -> TraceLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let ours: fn(&Metadata<'_>) -> bool = |metadata| {
        let limit = if metadata.is_span() {
            Level::DEBUG
        } else {
            Level::INFO
        };
        metadata.target().starts_with("snooze")
            && metadata.target() != "snooze_telemetry"
            && *metadata.level() <= limit
    };
    tracing_opentelemetry::layer()
        .with_tracer(exporter.provider.tracer("snooze"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(ours).with_max_level_hint(LevelFilter::DEBUG))
}

fn resource(plan: &ExportPlan) -> Resource {
    let builder = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", plan.service.clone()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("host.name", identity::host_name()),
        ])
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
        ]);
    match &plan.service_override {
        Some(name) => builder.with_service_name(name.clone()).build(),
        None => builder.build(),
    }
}
