//! Measures this host: one file per reading, each known with a value or unknown with a reason.
//!
//! **Invariant:** no reading is ever zero because it could not be read. **Invariant:** a reading that
//! fails costs only itself, and a reader that hangs costs only its own readings. **Invariant:** it starts no process, decides nothing, and reads
//! everything below one injected root folder (sockets of displays and of logind included).
//!
//! - [`run`]: the service. It publishes a sample every interval and answers requests for one.
//! - [`Readers`] and [`Sampler`]: the readings without a bus.

mod gpu;
mod kept;
mod lane;
mod policy;
mod presence;
mod reading;
mod root;
mod sampler;
mod service;
mod settings;
mod took;
mod unreadable;
mod unsent;

pub use gpu::LIBRARY as NVML_LIBRARY;
pub use reading::Gauges;
pub use root::Root;
pub use sampler::{Identity, Readers, Sampler};
pub use service::{CollectorError, run};
pub use settings::Settings;
pub use unreadable::Unreadable;

use snooze_schemas::HostId;
use snooze_service_runtime::Clocks;
use std::{ffi::OsString, path::PathBuf};

/// What the collector is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The host that it measures.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The folder that stands for `/`; another one only in tests.
    pub root: PathBuf,
    /// How to measure until the bus gave a policy.
    pub settings: Settings,
    /// The library through which NVIDIA's GPUs are asked, [`NVML_LIBRARY`] by default.
    pub nvml_library: OsString,
    /// The clocks.
    pub clocks: Clocks,
}

impl Config {
    /// This machine, measured as by default.
    #[must_use]
    pub fn new(host: HostId, boot_id: String) -> Config {
        Config {
            host,
            boot_id,
            root: PathBuf::from("/"),
            settings: Settings::default(),
            nvml_library: NVML_LIBRARY.into(),
            clocks: Clocks::real(),
        }
    }
}
