//! Metadata services of clouds that a test can steer and spoil: what they document, over real HTTP on loopback.
//!
//! - [`AzureMetadata`]: Scheduled Events and the machine's name.
//! - [`GcpMetadata`]: `preempted` and `maintenance-event`, with `wait_for_change`.
//!
//! They know no other part of the harness, and nothing of the code that asks them.

mod azure;
mod gcp;
mod serve;

pub use azure::{AzureMetadata, azure_event};
pub use gcp::GcpMetadata;
pub use serve::{MetadataFault, MetadataQuestion};
