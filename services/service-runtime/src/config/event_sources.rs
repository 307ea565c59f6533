//! Which sources of events watch this host, or the fleet, and with what.

mod aws_metadata;
mod aws_queue;
mod azure;
mod gcp;
mod system;

pub use aws_metadata::AwsMetadataSourceConfig;
pub use aws_queue::AwsQueueSourceConfig;
pub use azure::AzureSourceConfig;
pub use gcp::GcpSourceConfig;
pub use system::SystemSourceConfig;

use serde_json::{Map, Value};

/// All sources; each is switched on by itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventSourcesConfig {
    /// The instance metadata service of AWS.
    pub aws_metadata: AwsMetadataSourceConfig,
    /// What EventBridge puts into a queue; read at the centre.
    pub aws_queue: AwsQueueSourceConfig,
    /// Azure's Scheduled Events.
    pub azure: AzureSourceConfig,
    /// Google's metadata server.
    pub gcp: GcpSourceConfig,
    /// The system itself.
    pub system: SystemSourceConfig,
}

impl EventSourcesConfig {
    /// Takes it out of its section; each value was checked before.
    pub(super) fn from_section(section: &Map<String, Value>) -> EventSourcesConfig {
        let of = |source: &str| section.get(source).and_then(Value::as_object);
        EventSourcesConfig {
            aws_metadata: of("aws_metadata")
                .map(AwsMetadataSourceConfig::from_section)
                .unwrap_or_default(),
            aws_queue: of("aws_queue")
                .map(AwsQueueSourceConfig::from_section)
                .unwrap_or_default(),
            azure: of("azure")
                .map(AzureSourceConfig::from_section)
                .unwrap_or_default(),
            gcp: of("gcp").map(GcpSourceConfig::from_section).unwrap_or_default(),
            system: of("system")
                .map(SystemSourceConfig::from_section)
                .unwrap_or_default(),
        }
    }
}
