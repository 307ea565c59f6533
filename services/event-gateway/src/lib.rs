//! Turns what happens into events, files each once, and hands it to the host that it concerns.
//!
//! - [`centre`]: any number of replicas; people's own events, the dispatcher, and how events end.
//! - [`host`]: on each host; what it notices about itself, handed to its own runner and filed.
//! - [`source`]: what notices, one file a source.
//! - [`happening`]: one model for what all of them notice, and the id that follows from it.
//! - `aws`: what speaks with AWS, where it is built with that feature.

#[cfg(feature = "aws")]
pub mod aws;
pub mod centre;
mod denied;
mod error;
pub mod happening;
pub mod host;
pub mod source;

pub use error::GatewayError;
