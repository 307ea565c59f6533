//! A small JSON file that a person names, read as what it should be.

use super::named_file;
use serde::de::DeserializeOwned;
use snooze_service_runtime::{Exit, Failure};
use std::path::Path;

/// Configurations and readings are far shorter; what is longer is something else.
const LONGEST: u64 = 1024 * 1024;

/// Reads it as what it should be, which is named in the failure. Cancelling it loses what was read of a pipe.
pub(super) async fn read<T: DeserializeOwned>(file: &Path, what: &str) -> Result<T, Failure> {
    let text = named_file::read(file, LONGEST).await?;
    serde_json::from_slice(&text).map_err(|error| {
        let text = format!("{}: not {what}: {error}", file.display());
        Failure::new(Exit::Usage, text)
    })
}

/// The same where a file is named at all.
pub(super) async fn read_if_named<T: DeserializeOwned>(
    file: Option<&Path>,
    what: &str,
) -> Result<Option<T>, Failure> {
    match file {
        Some(file) => read(file, what).await.map(Some),
        None => Ok(None),
    }
}
