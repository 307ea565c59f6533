//! Logs on stderr, and traces to an OTLP receiver where the configuration or the standard variables say so.
//!
//! Where nothing says so, nothing is exported, no exporter's thread is started and no certificate is
//! loaded: on a host this process is counted in megabytes. A receiver that is away never delays a service.

mod client;
mod export;
mod plan;

pub use export::{Exporter, TraceLayer, trace_layer};
pub use plan::{ExportPlan, PlanError};

use crate::{
    config::{RealSource, Source},
    secret::Secret,
};
use std::{fs::File, path::PathBuf, sync::Arc, time::Duration};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    fmt::writer::BoxMakeWriter,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

/// What a service's telemetry is told by its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// `logging.log_level`: `error`, `warn`, `info`, `debug` or `trace`; `RUST_LOG` beats it.
    pub log_level: Option<String>,
    /// `telemetry.otlp_endpoint`; the standard variables beat it.
    pub otlp_endpoint: Option<Secret>,
    /// Logs are appended to this file instead of going to stderr: for a program whose terminal shows something else.
    pub log_file: Option<PathBuf>,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter for logs is not one.
    #[error("read the log filter {text:?} of {origin}")]
    ReadFilter {
        /// What was given.
        text: String,
        /// Where.
        origin: &'static str,
        /// What the parser says.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The log file cannot be written.
    #[error("open the log file {path}")]
    OpenLogFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the variables ask for is not possible.
    #[error(transparent)]
    PlanExport(#[from] PlanError),
    /// The exporter could not be made.
    #[error("set up the OTLP exporter for {endpoint}")]
    BuildExporter {
        /// Where it was to send.
        endpoint: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Telemetry is set up once in a process.
    #[error("telemetry is set up already")]
    Install(#[source] TryInitError),
}

/// What is to be flushed at the end.
///
/// Dropping it without [`shutdown`](TelemetryGuard::shutdown) loses the spans of the last seconds.
#[derive(Debug)]
pub struct TelemetryGuard {
    exporter: Option<Exporter>,
}

/// Sets up logs and traces for this process, once, within a tokio runtime.
///
/// # Errors
/// When what is configured cannot be done.
pub fn init(service: &'static str, config: &TelemetryConfig) -> Result<TelemetryGuard, TelemetryError> {
    let variables = RealSource.variables();
    let filter = log_filter(config, &variables)?;
    let exporter = ExportPlan::decide(
        service,
        config.otlp_endpoint.as_ref().map(Secret::expose),
        &variables,
    )?
    .map(|plan| Exporter::start(&plan))
    .transpose()?;
    let (writer, ansi) = log_writer(config)?;
    let logs = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi)
        .with_filter(filter);
    let traces = exporter.as_ref().map(trace_layer::<Registry>);
    tracing_subscriber::registry()
        .with(traces)
        .with(logs)
        .try_init()
        .map_err(TelemetryError::Install)?;
    opentelemetry::global::set_text_map_propagator(
        opentelemetry_sdk::propagation::TraceContextPropagator::new(),
    );
    Ok(TelemetryGuard { exporter })
}

impl TelemetryGuard {
    /// Sends what is left; gives up, with a line in the log, when that takes longer than the limit.
    pub async fn shutdown(self, within: Duration) {
        if let Some(exporter) = self.exporter {
            exporter.shutdown(within).await;
        }
    }
}

/// Our own crates at the configured level, everybody else's from WARN: a library's INFO is our DEBUG.
///
/// `Targets` and not `EnvFilter`: the latter brings a regular-expression engine into every process.
fn log_filter(config: &TelemetryConfig, variables: &[(String, String)]) -> Result<Targets, TelemetryError> {
    let (text, origin) = match plan::variable(variables, "RUST_LOG") {
        Some(text) => (text.to_owned(), "RUST_LOG"),
        None => {
            let level = config.log_level.as_deref().unwrap_or("info");
            (format!("warn,snooze={level}"), "logging.log_level")
        }
    };
    text.parse()
        .map_err(|source| TelemetryError::ReadFilter { text, origin, source })
}

/// Where logs go, and whether it is a terminal that shows colours.
fn log_writer(config: &TelemetryConfig) -> Result<(BoxMakeWriter, bool), TelemetryError> {
    use std::io::IsTerminal as _;

    let Some(path) = &config.log_file else {
        return Ok((
            BoxMakeWriter::new(std::io::stderr),
            std::io::stderr().is_terminal(),
        ));
    };
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| TelemetryError::OpenLogFile {
            path: path.clone(),
            source,
        })?;
    Ok((BoxMakeWriter::new(Arc::new(file)), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn the_configured_level_holds_for_our_crates_and_libraries_only_warn() {
        let config = TelemetryConfig {
            log_level: Some("debug".to_owned()),
            ..TelemetryConfig::default()
        };
        let filter = log_filter(&config, &[]).expect("a filter");
        assert!(filter.would_enable("snooze_bus::connect", &Level::DEBUG));
        assert!(!filter.would_enable("a_library", &Level::INFO));
        assert!(filter.would_enable("a_library", &Level::WARN));
    }

    #[test]
    fn rust_log_beats_the_configuration() {
        let variables = [("RUST_LOG".to_owned(), "error".to_owned())];
        let filter = log_filter(&TelemetryConfig::default(), &variables).expect("a filter");
        assert!(!filter.would_enable("snooze_bus", &Level::WARN));
    }

    #[test]
    fn a_log_filter_that_is_none_is_an_error_that_names_its_origin() {
        let variables = [("RUST_LOG".to_owned(), "snooze=loud".to_owned())];
        let error = log_filter(&TelemetryConfig::default(), &variables).expect_err("no such level");
        assert!(error.to_string().contains("RUST_LOG"), "{error}");
    }
}
