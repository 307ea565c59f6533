//! The environment, read once: where the plugin answers. Nothing else of it is looked at.

use crate::plugin::Result;
use std::{env::VarError, path::PathBuf};

/// How to reach NATS. Its URL may hold a password and is never printed.
#[cfg_attr(
    not(feature = "nats"),
    expect(dead_code, reason = "only NATS is reached by it")
)]
pub(crate) struct Bus {
    /// One URL or several, separated by commas.
    pub(crate) url: String,
    /// The file with the credentials.
    pub(crate) credentials: Option<PathBuf>,
    /// The host that it serves; the fleet where absent.
    pub(crate) host: Option<String>,
}

/// Where the plugin answers: on NATS, or on standard input and output where `SNOOZE_NATS_URL` is absent.
///
/// # Errors
/// A variable that is there and empty, or no text: an empty `SNOOZE_HOST` must not mean the whole fleet.
pub(crate) fn bus() -> Result<Option<Bus>> {
    let Some(url) = variable("SNOOZE_NATS_URL")? else {
        return Ok(None);
    };
    Ok(Some(Bus {
        url,
        credentials: variable("SNOOZE_NATS_CREDENTIALS")?.map(PathBuf::from),
        host: variable("SNOOZE_HOST")?,
    }))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment, which is how every SDK is told its transport"
)]
fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Err(format!("{name} is empty").into()),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is no text").into()),
    }
}
