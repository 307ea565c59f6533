//! What several values must fulfil together; each alone may be right.

use super::{document::Document, keys::key, notice::ConfigError};
use serde_json::{Map, Value};

/// A relation between policy values, in seconds.
struct Relation {
    /// What has to be larger.
    larger: &'static str,
    /// Than the sum of these.
    than: &'static [&'static str],
    /// Why.
    because: &'static str,
}

const RELATIONS: [Relation; 3] = [
    Relation {
        larger: "quarantine_seconds",
        than: &[
            "freshness_seconds",
            "signature_life_seconds",
            "application_seconds",
        ],
        because: "a host with an unknown call is watched until the cloud cannot apply that call any more",
    },
    Relation {
        larger: "freshness_seconds",
        than: &["verify_window_seconds", "plugin_timeout_seconds"],
        because: "else no verification is ever fresh",
    },
    Relation {
        larger: "takeover_seconds",
        than: &["beat_seconds"],
        because: "else a claim is taken from a holder that is alive",
    },
];

/// Every relation that the file and the variables break together with the defaults.
pub(super) fn broken(merged: &Map<String, Value>, file: &Document, variables: &Document) -> Vec<ConfigError> {
    RELATIONS
        .iter()
        .filter_map(|relation| breach(relation, merged, file, variables))
        .collect()
}

fn breach(
    relation: &Relation,
    merged: &Map<String, Value>,
    file: &Document,
    variables: &Document,
) -> Option<ConfigError> {
    let larger = value(merged, relation.larger);
    let sum: f64 = relation.than.iter().map(|path| value(merged, path)).sum();
    if larger > sum {
        return None;
    }
    // The defaults keep every relation, so at least one of the keys was written by somebody.
    let (path, setting) = std::iter::once(&relation.larger)
        .chain(relation.than)
        .find_map(|path| {
            Some((
                path,
                variables.settings.get(path).or_else(|| file.settings.get(path))?,
            ))
        })?;
    Some(ConfigError {
        key: (*path).to_owned(),
        origin: setting.origin.clone(),
        problem: format!(
            "{} ({larger} s) must be larger than {} ({sum} s): {}",
            relation.larger,
            relation.than.join(" + "),
            relation.because
        ),
    })
}

fn value(merged: &Map<String, Value>, path: &str) -> f64 {
    merged
        .get(path)
        .and_then(Value::as_f64)
        .or_else(|| key(path).and_then(|key| key.default.parse().ok()))
        .expect("a number was checked, or has a default that is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_every_relation() {
        for relation in RELATIONS {
            let nothing = Map::new();
            let sum: f64 = relation.than.iter().map(|path| value(&nothing, path)).sum();
            assert!(value(&nothing, relation.larger) > sum, "{}", relation.larger);
        }
    }
}
