//! Turns a host's samples into votes, asks its plugins, keeps for how long each has been idle, and
//! publishes the verdict. It prepares the host for a stop, verifies that it is idle, and lets plugins
//! handle events.
//!
//! **Invariant:** it decides nothing about the host. **Invariant:** what was not heard, in time, from
//! who may say it, is never idle. **Invariant:** only `process.rs` starts plugin processes, and none
//! outlives the runner's end; what a kill of the runner leaves behind is ended at the next start. **Invariant:** what is answered as accepted is in a journal on the disk.

mod backoff;
mod config;
mod config_book;
mod directory;
mod discovery;
mod engine;
mod events;
pub mod fence;
mod file_identity;
mod files;
mod guest;
mod hosting;
mod inspect;
mod intake;
mod keep;
mod kin;
mod latencies;
mod leftovers;
mod line;
mod listening;
mod log_book;
mod manifest;
mod moment;
mod nats_plugin;
mod neighbour;
mod orphans;
mod packages;
mod pattern;
mod pipes;
mod plugin;
mod plugins;
mod policy;
mod prepare;
mod process;
mod publishing;
mod runs;
mod samples;
mod service;
mod set;
mod starts;
mod stderr;
mod stdio;
mod tally;
mod trail;
mod trust;
mod unattended;
mod usage;
mod verbs;
mod verify;
mod votes;
mod working_folder;

/// The pieces that ask a plugin, without a host around them: for benchmarks, and for whoever tries a
/// plugin by itself.
pub mod asking {
    pub use crate::{
        config_book::ConfigBook,
        line::{Method, PluginOpinion, PluginSaid},
        nats_plugin::{NatsPlugin, Presence, Reach},
        pipes::PipeError,
        plugin::{AskError, Plugin, Runtime},
        process::Program,
        stdio::{CallError, Limits, Settings, Stage, StdioPlugin, Wanted},
        unattended::{Killable, Unattended},
    };
}

pub use backoff::Restarts;
pub use config::{Config, SEARCH_PATH};
pub use discovery::{Survey, survey};
pub use events::JournalError;
pub use files::FileError;
pub use manifest::{
    ConfigMistake, ConfigSchema, ManifestError, Mistake, Place, PluginManifest, canonical_manifest,
    holds_credential, sha256_of, without_secrets,
};
pub use policy::PolicyError;
pub use service::{RunnerError, run};
pub use set::HouseError;
pub use trust::Exposed;
