//! Whether, where and how traces are exported, decided from configuration and variables alone.
//!
//! The variables are those of the OpenTelemetry specification ("OpenTelemetry Protocol Exporter",
//! "Environment Variable Specification"). It opens nothing.

use crate::secret::shown_url;

/// Protocols that this build speaks. gRPC would bring a second HTTP stack into every agent.
const PROTOCOL: &str = "http/protobuf";
/// Where the specification's default receiver listens.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";

/// An export that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPlan {
    /// The whole URL that spans are posted to.
    pub endpoint: String,
    /// `service.name`, unless `OTEL_RESOURCE_ATTRIBUTES` gives one.
    pub service: String,
    /// `OTEL_SERVICE_NAME`, which beats everything.
    pub service_override: Option<String>,
}

/// What is asked for and not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Another protocol than the one we speak.
    #[error(
        "{variable}={protocol}: this build exports traces by {PROTOCOL} only (the receiver's port is usually 4318)"
    )]
    UnsupportedProtocol {
        /// Who asks.
        variable: &'static str,
        /// For what.
        protocol: String,
    },
    /// Another exporter than OTLP.
    #[error("OTEL_TRACES_EXPORTER={exporter}: this build knows otlp and none")]
    UnsupportedExporter {
        /// Which.
        exporter: String,
    },
    /// Not a URL that can be posted to.
    #[error("{origin}: {endpoint:?} is not an http:// or https:// URL")]
    UnusableEndpoint {
        /// Who says so.
        origin: &'static str,
        /// What.
        endpoint: String,
    },
}

impl ExportPlan {
    /// What is to be exported, if anything: the standard variables beat the configuration.
    ///
    /// # Errors
    /// When something is asked for that this build cannot do. Without an export nothing is looked at,
    /// so a variable that is set for other programs on the machine does no harm.
    pub fn decide(
        service: &str,
        configured: Option<&str>,
        variables: &[(String, String)],
    ) -> Result<Option<ExportPlan>, PlanError> {
        let get = |name| variable(variables, name);
        if get("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let asked = match get("OTEL_TRACES_EXPORTER") {
            Some("none") => return Ok(None),
            Some("otlp") => true,
            Some(exporter) => {
                return Err(PlanError::UnsupportedExporter {
                    exporter: exporter.to_owned(),
                });
            }
            None => false,
        };
        let found = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .map(|url| ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url.to_owned()))
            .or_else(|| {
                get("OTEL_EXPORTER_OTLP_ENDPOINT")
                    .map(|base| ("OTEL_EXPORTER_OTLP_ENDPOINT", traces_of(base)))
            })
            .or_else(|| configured.map(|base| ("telemetry.otlp_endpoint", traces_of(base))))
            .or_else(|| asked.then(|| ("OTEL_TRACES_EXPORTER", traces_of(DEFAULT_ENDPOINT))));
        let Some((origin, endpoint)) = found else {
            return Ok(None);
        };
        for name in [
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ] {
            match get(name) {
                // The signal's own variable beats the general one.
                Some(PROTOCOL) => break,
                Some(protocol) => {
                    return Err(PlanError::UnsupportedProtocol {
                        variable: name,
                        protocol: protocol.to_owned(),
                    });
                }
                None => {}
            }
        }
        if !is_http(&endpoint) {
            return Err(PlanError::UnusableEndpoint {
                origin,
                endpoint: shown_url(&endpoint),
            });
        }
        Ok(Some(ExportPlan {
            endpoint,
            service: service.to_owned(),
            service_override: get("OTEL_SERVICE_NAME").map(str::to_owned),
        }))
    }
}

/// A variable's value; set to the empty text it counts as not set, as the specification says.
pub(super) fn variable<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    variables
        .iter()
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

/// The general endpoint is a base; only the signal's own one is taken as it is.
fn traces_of(base: &str) -> String {
    format!("{}/v1/traces", base.trim_end_matches('/'))
}

fn is_http(endpoint: &str) -> bool {
    endpoint.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(configured: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<ExportPlan>, PlanError> {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        ExportPlan::decide("snooze-test", configured, &variables)
    }

    fn endpoint(configured: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
        decide(configured, variables)
            .expect("possible")
            .map(|plan| plan.endpoint)
    }

    #[test]
    fn nothing_is_exported_unless_something_says_so() {
        assert_eq!(endpoint(None, &[]), None);
        assert_eq!(endpoint(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
        assert_eq!(endpoint(None, &[("OTEL_SERVICE_NAME", "x")]), None);
        assert_eq!(endpoint(None, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), None);
    }

    #[test]
    fn the_signals_own_variable_beats_the_general_one_and_both_beat_the_configuration() {
        let (own, general) = (
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a/own"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b/"),
        );
        assert_eq!(
            endpoint(Some("http://c"), &[own, general]).as_deref(),
            Some("http://a/own")
        );
        assert_eq!(
            endpoint(Some("http://c"), &[general]).as_deref(),
            Some("http://b/v1/traces")
        );
        assert_eq!(
            endpoint(Some("http://c"), &[]).as_deref(),
            Some("http://c/v1/traces")
        );
        assert_eq!(
            endpoint(None, &[("OTEL_TRACES_EXPORTER", "otlp")]).as_deref(),
            Some("http://localhost:4318/v1/traces")
        );
    }

    #[test]
    fn a_disabled_sdk_exports_nothing_whatever_else_is_set() {
        for off in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert_eq!(
                endpoint(
                    Some("http://c"),
                    &[off, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b")]
                ),
                None
            );
        }
        assert!(endpoint(Some("http://c"), &[("OTEL_SDK_DISABLED", "false")]).is_some());
    }

    #[test]
    fn an_unsupported_protocol_is_one_clear_line() {
        let error =
            decide(Some("http://c"), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).expect_err("not spoken");
        assert_eq!(
            error.to_string(),
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: this build exports traces by http/protobuf only (the receiver's port is usually 4318)"
        );
        let own = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
        assert!(endpoint(Some("http://c"), &[own, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).is_some());
        assert!(decide(None, &[("OTEL_TRACES_EXPORTER", "zipkin")]).is_err());
    }

    #[test]
    fn an_endpoint_that_is_no_url_names_its_origin() {
        for text in ["localhost:4318", "grpc://x:1", "http://", "collector"] {
            let error = decide(Some(text), &[]).expect_err(text);
            assert!(
                error.to_string().starts_with("telemetry.otlp_endpoint"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_standard_service_name_is_kept() {
        let plan = decide(Some("http://c"), &[("OTEL_SERVICE_NAME", "mine")])
            .expect("possible")
            .expect("a plan");
        assert_eq!(
            (plan.service.as_str(), plan.service_override.as_deref()),
            ("snooze-test", Some("mine"))
        );
    }
}
