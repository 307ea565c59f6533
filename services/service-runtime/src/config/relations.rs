//! What several values must fulfil together; each alone may be right.

use super::{document::Document, keys::key, notice::ConfigError};
use serde_json::{Map, Value};

/// A relation between policy values, in seconds.
struct Relation {
    /// What has to be larger.
    larger: &'static str,
    /// However large that is, no more of it counts.
    counts_up_to: Option<f64>,
    /// Than the sum of these.
    than: &'static [&'static str],
    /// And by more than this.
    spare: f64,
    /// Why.
    because: &'static str,
}

/// The executor checks the same relations and refuses a policy that breaks one.
const RELATIONS: [Relation; 3] = [
    Relation {
        larger: "quarantine_seconds",
        counts_up_to: None,
        than: &[
            "freshness_seconds",
            "signature_life_seconds",
            "application_seconds",
        ],
        spare: 0.0,
        because: "a host with an unknown call is watched until the cloud cannot apply that call any more",
    },
    Relation {
        larger: "freshness_seconds",
        // Every verb answers within 15 s, and nobody waits longer.
        counts_up_to: Some(15.0),
        than: &["verify_window_seconds", "plugin_timeout_seconds"],
        // The way there and back over the bus.
        spare: 0.1,
        because: "else no verification is ever fresh",
    },
    Relation {
        larger: "takeover_seconds",
        counts_up_to: None,
        than: &["beat_seconds", "beat_seconds"],
        spare: 0.0,
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
    if relation.is_kept(merged) {
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
        problem: relation.problem(merged),
    })
}

impl Relation {
    fn larger(&self, merged: &Map<String, Value>) -> f64 {
        value(merged, self.larger)
    }

    fn sum(&self, merged: &Map<String, Value>) -> f64 {
        self.than.iter().map(|path| value(merged, path)).sum()
    }

    fn is_kept(&self, merged: &Map<String, Value>) -> bool {
        let counts = self
            .larger(merged)
            .min(self.counts_up_to.unwrap_or(f64::INFINITY));
        // In whole milliseconds, as whoever follows the policy counts: 0.1 + 0.2 is 0.3 there.
        ms(counts) > ms(self.sum(merged)) + ms(self.spare)
    }

    fn problem(&self, merged: &Map<String, Value>) -> String {
        let larger = self.larger(merged);
        let counts = match self.counts_up_to {
            Some(limit) if larger > limit => format!("{larger} s, of which {limit} s count"),
            _ => format!("{larger} s"),
        };
        let spare = match self.spare {
            0.0 => String::new(),
            spare => format!(" by more than {spare} s"),
        };
        let (than, sum) = (self.than.join(" + "), self.sum(merged));
        format!(
            "{} ({counts}) must be larger than {than} ({sum} s){spare}: {}",
            self.larger, self.because
        )
    }
}

fn ms(seconds: f64) -> f64 {
    (seconds * 1_000.0).round()
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
            assert!(relation.is_kept(&Map::new()), "{}", relation.larger);
        }
    }
}
