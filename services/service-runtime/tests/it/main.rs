//! What a service gets from its configuration, its telemetry and its frame, from the outside.

mod config_environment;
mod config_file;
mod config_notices;
mod traces;
