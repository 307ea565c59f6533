//! What speaks with AWS: behind the feature `aws`, off in a host's build.
//!
//! - [`client`]: how any of its services is reached.
//! - [`setup`]: the queue and the rules that bring AWS's events here.
//! - `permission`: whether somebody is denied.

pub mod client;
mod permission;
pub mod setup;

pub use client::{Connection, said};
