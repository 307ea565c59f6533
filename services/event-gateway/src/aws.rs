//! What speaks with AWS: behind the feature `aws`, off in a host's build.
//!
//! - [`client`]: how any of its services is reached.
//! - [`publish`]: an event bus is told what was decided.
//! - [`setup`]: the queue and the rules that bring AWS's events here.
//! - `permission`: whether somebody is denied.

pub mod client;
mod permission;
pub mod publish;
pub mod setup;

pub use client::{Connection, said};
