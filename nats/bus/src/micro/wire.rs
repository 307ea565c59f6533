//! The answers of ADR-32, field by field. Times are nanoseconds. It never says what was not counted.

use super::{Endpoint, Service, Verb};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

#[derive(Serialize)]
struct Answer<'a, E> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    id: &'a str,
    version: &'a str,
    metadata: BTreeMap<&'static str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<Vec<E>>,
}

#[derive(Serialize)]
struct EndpointInfo {
    name: String,
    subject: String,
    /// None: every instance has its own host's plugins, so nobody else may take a question.
    queue_group: &'static str,
    metadata: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct EndpointStats {
    name: String,
    subject: String,
    queue_group: &'static str,
    num_requests: u64,
    num_errors: u64,
    last_error: String,
    processing_time: u64,
    average_processing_time: u64,
}

impl From<Endpoint> for EndpointInfo {
    fn from(endpoint: Endpoint) -> Self {
        EndpointInfo {
            name: endpoint.name.to_string(),
            subject: endpoint.filter.to_string(),
            queue_group: "",
            metadata: endpoint.metadata,
        }
    }
}

impl From<Endpoint> for EndpointStats {
    fn from(endpoint: Endpoint) -> Self {
        let counted = endpoint.counts.read();
        let average = counted.average();
        EndpointStats {
            name: endpoint.name.to_string(),
            subject: endpoint.filter.to_string(),
            queue_group: "",
            num_requests: counted.requests,
            num_errors: counted.errors,
            last_error: counted.last_error,
            processing_time: nanos(counted.processing),
            average_processing_time: nanos(average),
        }
    }
}

/// The body of an answer.
pub(super) fn answer(
    service: &Service,
    verb: Verb,
    endpoints: Vec<Endpoint>,
) -> Result<Vec<u8>, serde_json::Error> {
    match verb {
        Verb::Ping => serde_json::to_vec(&head::<()>(service, "io.nats.micro.v1.ping_response")),
        Verb::Info => serde_json::to_vec(&Answer {
            description: Some(service.description),
            endpoints: Some(all::<EndpointInfo>(endpoints)),
            ..head(service, "io.nats.micro.v1.info_response")
        }),
        Verb::Stats => serde_json::to_vec(&Answer {
            started: Some(service.started.to_string()),
            endpoints: Some(all::<EndpointStats>(endpoints)),
            ..head(service, "io.nats.micro.v1.stats_response")
        }),
    }
}

fn head<'a, E>(service: &'a Service, kind: &'static str) -> Answer<'a, E> {
    Answer {
        kind,
        name: service.name,
        id: service.host.as_str(),
        version: service.version,
        metadata: [("host", service.host.as_str())].into(),
        description: None,
        started: None,
        endpoints: None,
    }
}

fn all<E: From<Endpoint>>(endpoints: Vec<Endpoint>) -> Vec<E> {
    endpoints.into_iter().map(E::from).collect()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{RequestCounts, tests::service},
        *,
    };
    use crate::SubjectFilter;
    use serde_json::{Value, json};

    fn answered(verb: Verb) -> Value {
        let counts = RequestCounts::default();
        counts.answered(Duration::from_nanos(10));
        counts.failed(Duration::from_nanos(20), "no disk");
        let (host, name) = (service().host, "quiet".parse::<snooze_schemas::PluginName>());
        let name = name.expect("a name");
        let endpoint = Endpoint {
            name: name.clone(),
            filter: SubjectFilter::PluginOnHost { host, plugin: name },
            metadata: [("state".to_owned(), "running".to_owned())].into(),
            counts: counts.into(),
        };
        let body = answer(&service(), verb, vec![endpoint]).expect("it can be written");
        serde_json::from_slice(&body).expect("it is JSON")
    }

    #[test]
    fn the_answers_are_those_of_the_services_protocol() {
        let head = json!({
            "name": "snooze_plugin_runner", "id": "web", "version": "1.2.3", "metadata": {"host": "web"},
        });
        let with = |more: Value| {
            let mut all = head.as_object().expect("a map").clone();
            all.extend(more.as_object().expect("a map").clone());
            Value::Object(all)
        };
        assert_eq!(
            answered(Verb::Ping),
            with(json!({"type": "io.nats.micro.v1.ping_response"}))
        );
        let subject = "snooze.v1.host.web.plugin.quiet.*";
        assert_eq!(
            answered(Verb::Info),
            with(json!({
                "type": "io.nats.micro.v1.info_response", "description": "for tests",
                "endpoints": [{
                    "name": "quiet", "subject": subject, "queue_group": "", "metadata": {"state": "running"},
                }],
            }))
        );
        assert_eq!(
            answered(Verb::Stats),
            with(json!({
                "type": "io.nats.micro.v1.stats_response", "started": "2026-01-02T03:04:05Z",
                "endpoints": [{
                    "name": "quiet", "subject": subject, "queue_group": "", "num_requests": 2, "num_errors": 1,
                    "last_error": "no disk", "processing_time": 30, "average_processing_time": 15,
                }],
            }))
        );
    }
}
