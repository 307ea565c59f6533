//! What every service does alike: arguments, configuration, telemetry, clocks, supervision, shutdown.
//!
//! **Invariant:** this crate knows no message type and no bus, decides nothing, and is the only place
//! that reads the real environment and the real clocks; everything else is handed both.

pub mod args;
pub mod clocks;
pub mod config;
pub mod cpu_time;
pub mod exit;
pub mod identity;
pub mod opening;
pub mod places;
pub mod plain;
pub mod secret;
pub mod service;
pub mod tasks;
pub mod telemetry;
pub mod whole_file;

pub use args::ServiceArgs;
pub use clocks::{ClockBreak, ClockWatch, Clocks, ManualClocks};
pub use config::{ConfigError, LoadedConfig, LocalConfig, Notice};
pub use exit::{Exit, Failure};
pub use identity::AgentId;
pub use secret::Secret;
pub use service::{Threads, run_service};
pub use tasks::{TaskError, Tasks};
pub use telemetry::{TelemetryConfig, TelemetryGuard};

/// Re-exported so that a service names one version of it: what tells everything to stop.
pub use tokio_util::sync::CancellationToken;
