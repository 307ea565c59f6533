//! The metadata service of one made-up machine, and what it announces.
//!
//! What it says of the machine is what a source reads of it, and no more.

use super::play::Scenario;
use serde_json::json;
use snooze_fake_metadata::{AzureMetadata, GcpMetadata, ImdsServer, azure_event};
use snooze_schemas::{HostId, Timestamp};
use snooze_service_runtime::config::EventSourcesConfig;
use std::io;

/// Where EC2 says which instance it is (Amazon EC2 User Guide, "Instance identity documents").
const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
/// Where EC2 announces an interruption (Amazon EC2 User Guide, "Spot Instance interruption notices").
const INTERRUPTION: &str = "/latest/meta-data/spot/instance-action";

/// The name of Azure's event; one is enough for a machine that is played with once.
const AZURES_ID: &str = "602d9444-d2cd-49c7-8624-8643e7171297";

/// A running service. Gone on drop.
#[derive(Debug)]
pub(super) enum Service {
    Aws(ImdsServer),
    Azure(AzureMetadata),
    Gcp(GcpMetadata),
}

impl Service {
    /// One that announces nothing yet, for a machine that was started at this time.
    ///
    /// # Errors
    /// When there is no port for it, or no more files can be opened.
    pub(super) async fn begin(scenario: Scenario, host: &HostId, launched: Timestamp) -> io::Result<Service> {
        Ok(match scenario {
            Scenario::Spot | Scenario::Storm => {
                let service = ImdsServer::try_start().await?;
                let document = json!({
                    "version": "2017-09-30", "instanceId": host, "instanceType": "m7g.large",
                    "region": "eu-west-1", "availabilityZone": "eu-west-1a", "accountId": "123456789012",
                    "pendingTime": in_seconds(launched),
                });
                service.announce(IDENTITY, &document.to_string());
                Service::Aws(service)
            }
            Scenario::Azure => Service::Azure(AzureMetadata::try_start(host.as_str()).await?),
            Scenario::Gcp => Service::Gcp(GcpMetadata::try_start().await?),
        })
    }

    /// Has a host ask it, as its configuration would.
    pub(super) fn switch_on(&self, sources: &mut EventSourcesConfig) {
        *sources = EventSourcesConfig::default();
        match self {
            Service::Aws(service) => {
                sources.aws_metadata.enabled = true;
                sources.aws_metadata.endpoint = service.url();
            }
            Service::Azure(service) => {
                sources.azure.enabled = true;
                sources.azure.endpoint = service.url();
            }
            Service::Gcp(service) => {
                sources.gcp.enabled = true;
                sources.gcp.endpoint = service.url();
            }
        }
    }

    /// Whether its host asks it for what will be announced.
    pub(super) fn is_asked(&self) -> bool {
        let ends = |path: &str, end: &str| path.ends_with(end);
        match self {
            Service::Aws(service) => {
                let asked = service.requests_for(INTERRUPTION);
                asked.iter().any(|request| request.status == Some(404))
            }
            Service::Azure(service) => {
                let asked = service.questions();
                asked
                    .iter()
                    .any(|question| ends(&question.path, "/scheduledevents"))
            }
            Service::Gcp(service) => {
                let asked = service.questions();
                asked.iter().any(|question| ends(&question.path, "/preempted"))
            }
        }
    }

    /// Announces that the machine is taken away at this time; Google says of no time.
    pub(super) fn announce(&self, host: &HostId, at: Timestamp) {
        match self {
            Service::Aws(service) => {
                let notice = json!({"action": "terminate", "time": in_seconds(at)});
                service.announce(INTERRUPTION, &notice.to_string());
            }
            Service::Azure(service) => {
                let not_before = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                service.schedule(azure_event(AZURES_ID, "Preempt", &[host.as_str()], &not_before));
            }
            Service::Gcp(service) => service.set_preempted("TRUE"),
        }
    }
}

/// As AWS writes it.
fn in_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
