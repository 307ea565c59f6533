//! What speaks with AWS: behind the feature `aws`, off in a host's build.
//!
//! - [`client`]: how any of its services is reached.

pub mod client;

pub use client::{Connection, said};
