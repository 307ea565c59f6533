//! A real OpenTelemetry collector (rotel) that shows the spans it received.

use crate::{
    listening::{free_port, start},
    process::{Process, required_program},
};
use std::net::SocketAddr;

/// A running OTLP receiver. Killed on drop.
#[derive(Debug)]
pub struct OtlpReceiver {
    _folder: tempfile::TempDir,
    address: SocketAddr,
    process: Process,
}

/// A span as the receiver shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedSpan {
    /// `service.name` of its resource.
    pub service: String,
    /// 32 hexadecimal digits.
    pub trace: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// 16 hexadecimal digits; empty for a root.
    pub parent: String,
    /// Its name.
    pub name: String,
}

impl OtlpReceiver {
    /// A receiver of traces over HTTP and gRPC.
    ///
    /// # Panics
    /// When there is no receiver or it does not start; the message holds what it said.
    pub async fn start() -> OtlpReceiver {
        let folder = tempfile::Builder::new()
            .prefix("snooze-otlp-")
            .tempdir()
            .expect("a temporary folder can be made");
        let program = required_program("SNOOZE_OTLP_RECEIVER", "python/bin/rotel-agent", "rotel-agent");
        let (process, address) = start(&program, &folder.path().join("rotel.log"), |port| {
            let http = format!("127.0.0.1:{port}");
            let grpc = format!("127.0.0.1:{}", free_port());
            [
                "start",
                "--otlp-http-endpoint",
                &http,
                "--otlp-grpc-endpoint",
                &grpc,
                "--exporter",
                "blackhole",
                "--debug-log",
                "traces",
                "--debug-log-verbosity",
                "detailed",
            ]
            .map(str::to_owned)
            .to_vec()
        })
        .await;
        OtlpReceiver {
            _folder: folder,
            address,
            process,
        }
    }

    /// What belongs into `OTEL_EXPORTER_OTLP_ENDPOINT` for `http/protobuf` and `http/json`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans that arrived so far, in order of arrival.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        parse(&self.process.said_all())
    }
}

/// Reads what rotel prints for each span at verbosity `detailed`.
fn parse(text: &str) -> Vec<ReceivedSpan> {
    let mut service = String::new();
    let mut spans: Vec<ReceivedSpan> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("ResourceSpans #") {
            service.clear();
        } else if let Some(name) = line.strip_prefix("-> service.name: Str(") {
            service = name.trim_end_matches(')').to_owned();
        } else if line.starts_with("Span #") {
            spans.push(ReceivedSpan {
                service: service.clone(),
                trace: String::new(),
                id: String::new(),
                parent: String::new(),
                name: String::new(),
            });
        } else if let (Some(span), Some((key, value))) = (spans.last_mut(), line.split_once(':')) {
            let field = match key.trim_end() {
                "Trace ID" => &mut span.trace,
                "Parent ID" => &mut span.parent,
                "ID" => &mut span.id,
                "Name" => &mut span.name,
                _ => continue,
            };
            if field.is_empty() {
                value.trim().clone_into(field);
            }
        }
    }
    // The last one may not be written to its end yet.
    spans.retain(|span| !span.name.is_empty());
    spans
}
