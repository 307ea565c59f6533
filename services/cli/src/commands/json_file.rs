//! A small JSON file that a person names, read as what it should be.

use super::named_file;
use serde::de::DeserializeOwned;
use snooze_schemas::unambiguous::Unambiguous;
use snooze_service_runtime::{Exit, Failure};
use std::path::Path;

/// Configurations and readings are far shorter; what is longer is something else.
const LONGEST: u64 = 1024 * 1024;

/// Reads it as what it should be, which is named in the failure. Cancelling it loses what was read of a pipe.
pub(super) async fn read<T: DeserializeOwned>(file: &Path, what: &str) -> Result<T, Failure> {
    let text = named_file::read(file, LONGEST).await?;
    parsed(&text).map_err(|error| {
        let text = format!("{}: not {what}: {error}", file.display());
        Failure::new(Exit::Usage, text)
    })
}

/// Of a key that stands there twice nobody knows which value is meant.
fn parsed<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let Unambiguous(value) = serde_json::from_slice(text)?;
    serde_json::from_value(value)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    #[test]
    fn a_file_that_says_a_thing_twice_is_refused_by_the_things_name() {
        let read = |text: &str| parsed::<Map<String, Value>>(text.as_bytes());
        let why = read(r#"{"threshold": 7, "threshold": 8}"#).expect_err("which of both?");
        assert!(
            why.to_string().contains("\"threshold\" stands there twice"),
            "{why}"
        );
        assert_eq!(
            Value::from(read(r#"{"a": {"a": 1}}"#).expect("one")),
            json!({"a": {"a": 1}})
        );
        assert!(read("[]").is_err(), "it is no object");
    }
}
