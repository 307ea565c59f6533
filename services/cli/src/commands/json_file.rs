//! A small JSON file that a person names: read whole, and no further than it may be long.

use serde::de::DeserializeOwned;
use snooze_service_runtime::{Exit, Failure};
use std::{fs::File, io::Read, path::Path};

/// Configurations and readings are far shorter; what is longer, or never ends as a device does, is something else.
const LONGEST: u64 = 1024 * 1024;

/// Reads it as what it should be, which is named in the failure.
pub(super) fn read<T: DeserializeOwned>(file: &Path, what: &str) -> Result<T, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", file.display()));
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(LONGEST + 1).read_to_end(&mut text))
        .map_err(|error| usage(error.to_string()))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST) {
        return Err(usage(format!("longer than {} KiB", LONGEST / 1024)));
    }
    serde_json::from_slice(&text).map_err(|error| usage(format!("not {what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    #[test]
    fn what_never_ends_is_read_no_further_than_it_may_be_long() {
        let read = read::<Map<String, Value>>(Path::new("/dev/zero"), "a JSON object");
        let failure = read.expect_err("it is refused");
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.line.contains("longer than 1024 KiB"), "{}", failure.line);
    }
}
