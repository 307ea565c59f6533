//! The W3C trace context (`traceparent`) from a sender's span to a receiver's.
//!
//! It never starts a trace by itself: without a span that is recorded, nothing is sent along.

use async_nats::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header's name, as W3C Trace Context says.
pub const TRACEPARENT: &str = "traceparent";

/// The trace context of a span, to be kept with what the span's work left behind.
#[must_use]
pub fn traceparent_of(span: &Span) -> Option<String> {
    let mut carrier = Carrier::default();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.0
}

/// Makes a span the child of a context that was kept or received. A text that is none changes nothing.
pub fn set_parent(span: &Span, traceparent: &str) {
    let context = TraceContextPropagator::new()
        .extract_with_context(&Context::new(), &Carrier(Some(traceparent.to_owned())));
    if context.span().span_context().is_valid()
        && let Err(cause) = span.set_parent(context)
    {
        // Only possible where no exporter is installed or the span has begun: no trace, but no harm.
        tracing::trace!(%cause, "the trace context was not taken over");
    }
}

/// Adds the current span's context to a message.
pub(crate) fn inject(headers: &mut HeaderMap) {
    if let Some(text) = traceparent_of(&Span::current()) {
        headers.insert(TRACEPARENT, text);
    }
}

/// The context that a message carries.
pub(crate) fn extract(headers: Option<&HeaderMap>) -> Option<&str> {
    headers?.get(TRACEPARENT).map(async_nats::HeaderValue::as_str)
}

#[derive(Default)]
struct Carrier(Option<String>);

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACEPARENT {
            self.0.as_deref()
        } else {
            None
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
