//! Turns what happens into events, files each once, and hands it to the host that it concerns.
//!
//! - [`centre`]: any number of replicas; people's own events, the dispatcher, and how events end.

pub mod centre;
mod denied;
mod error;

pub use error::GatewayError;
