//! Which policy holds for this host: the layers of fleet, group and host, read by direct get.
//!
//! It keeps no consumer at the broker: it hears of changes by plain subscriptions to the keys and
//! reads them again, and after every reconnect. Without a broker the last copy holds, also over a
//! restart. A policy that cannot hold is refused as a whole, and the one before stays.

mod levels;
mod source;

pub(crate) use levels::Levels;
pub(crate) use source::PolicySource;

use crate::tally::ms;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snooze_schemas::{
    PluginName,
    policy::{ConfigLayer, Mode, PluginLayer, Policy},
};
use std::collections::BTreeMap;

/// The policy that holds, and what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyInForce {
    /// Every value set.
    pub policy: Policy,
    /// The revisions `fleet/group/host`; `local` before the bus was heard for the first time, `unknown` where what
    /// it said then cannot be read.
    pub revision: String,
    /// What the layers say of plugins, the narrower laid over the wider.
    pub plugins: BTreeMap<PluginName, PluginLayer>,
    /// What each level alone says that they are configured with.
    pub levels: Levels,
    /// Whose word it is.
    pub origin: PolicyOrigin,
}

/// Whose word a policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyOrigin {
    /// The bus's, heard now or before.
    Bus,
    /// The host's own file's, because the bus was never heard.
    Local,
    /// Nobody's: what the bus said is lost, for this reason. No plugin runs or votes under it.
    Unknown(String),
}

/// The longest that a request to a host may wait for its answer.
pub(crate) const ANSWER_LIMIT_MS: u64 = 15_000;

/// What a request takes beside what is done for it: the way there and back over the bus.
pub(crate) const ROUND_TRIP_MS: u64 = 100;

/// More hosts of one group at once than this is a slip of the pen, and no limit at all.
const MOST_CONCURRENT: u32 = 100_000;

/// The layers as they were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Layers {
    layers: [Option<(ConfigLayer, u64)>; 3],
}

/// Why layers cannot hold.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A key has a value that does not fit.
    #[error("understand the policy")]
    Merge(#[source] serde_json::Error),
    /// A verification could never be fresh enough.
    #[error(
        "verify_window_seconds {window} and plugin_timeout_seconds {time_out} together must stay more than {ROUND_TRIP_MS} ms below freshness_seconds {freshness} and below {ANSWER_LIMIT_MS} ms"
    )]
    NeverFresh {
        /// `verify_window_seconds`
        window: f64,
        /// `plugin_timeout_seconds`
        time_out: f64,
        /// `freshness_seconds`
        freshness: f64,
    },
    /// No limit, or one under which no host may ever be on its way down.
    #[error("max_concurrent_stops {limit} must be from 1 to {MOST_CONCURRENT}")]
    Concurrency {
        /// `max_concurrent_stops`
        limit: u32,
    },
}

impl PolicyInForce {
    /// What holds before the bus was heard for the first time: the host's own file over the defaults.
    /// Its revision is nobody else's, so that no executor takes such a verdict for idle.
    ///
    /// # Errors
    /// When the file's policy cannot hold.
    pub(crate) fn local(policy: &Map<String, Value>) -> Result<PolicyInForce, PolicyError> {
        let layer = ConfigLayer {
            policy: policy.clone(),
            ..ConfigLayer::default()
        };
        let policy = Policy::from_layers([&layer]).map_err(PolicyError::Merge)?;
        check(&policy)?;
        Ok(PolicyInForce {
            policy,
            revision: "local".to_owned(),
            plugins: BTreeMap::new(),
            levels: Levels::default(),
            origin: PolicyOrigin::Local,
        })
    }

    /// What holds where it is not known what should: it only observes, and its revision is nobody else's.
    fn unknown(why: String) -> PolicyInForce {
        let policy = Policy {
            mode: Mode::Observe,
            ..Policy::default()
        };
        PolicyInForce {
            policy,
            revision: "unknown".to_owned(),
            plugins: BTreeMap::new(),
            levels: Levels::default(),
            origin: PolicyOrigin::Unknown(why),
        }
    }

    /// Why it is not known which policy should hold, if it is not.
    pub(crate) fn lost(&self) -> Option<&str> {
        match &self.origin {
            PolicyOrigin::Unknown(why) => Some(why),
            PolicyOrigin::Bus | PolicyOrigin::Local => None,
        }
    }

    fn merged(layers: &Layers) -> Result<PolicyInForce, PolicyError> {
        let present = || layers.layers.iter().flatten().map(|(layer, _)| layer);
        let policy = Policy::from_layers(present()).map_err(PolicyError::Merge)?;
        check(&policy)?;
        let mut plugins: BTreeMap<PluginName, PluginLayer> = BTreeMap::new();
        for (name, over) in present().flat_map(|layer| &layer.plugins) {
            let Ok(name) = name.parse() else {
                tracing::warn!(name, "a configuration layer names a plugin that cannot be");
                continue;
            };
            lay_over(plugins.entry(name).or_default(), over);
        }
        let revision = layers
            .layers
            .each_ref()
            .map(|layer| layer.as_ref().map_or(0, |(_, revision)| *revision).to_string())
            .join("/");
        Ok(PolicyInForce {
            policy,
            revision,
            plugins,
            levels: Levels::of(layers),
            origin: PolicyOrigin::Bus,
        })
    }
}

fn lay_over(under: &mut PluginLayer, over: &PluginLayer) {
    if over.enabled.is_some() {
        under.enabled = over.enabled;
    }
    if let Some(config) = &over.config {
        under.config.get_or_insert_default().extend(config.clone());
    }
    if over.installed.is_some() {
        under.installed.clone_from(&over.installed);
    }
    if over.approved.is_some() {
        under.approved.clone_from(&over.approved);
    }
}

/// A verification takes its window and then the slowest plugin's time; it must still be fresh then, and be
/// waited for. The executor refuses the same values: a host must not work under a policy by which nobody
/// would ever stop it.
fn check(policy: &Policy) -> Result<(), PolicyError> {
    let asked = ms(policy.verify_window_seconds).saturating_add(ms(policy.plugin_timeout_seconds));
    let waited = ms(policy.freshness_seconds).min(ANSWER_LIMIT_MS);
    if asked.saturating_add(ROUND_TRIP_MS) >= waited {
        return Err(PolicyError::NeverFresh {
            window: policy.verify_window_seconds,
            time_out: policy.plugin_timeout_seconds,
            freshness: policy.freshness_seconds,
        });
    }
    if !(1..=MOST_CONCURRENT).contains(&policy.max_concurrent_stops) {
        return Err(PolicyError::Concurrency {
            limit: policy.max_concurrent_stops,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layer(value: Value) -> ConfigLayer {
        serde_json::from_value(value).expect("a layer")
    }

    fn merged(policy: &Value) -> Result<PolicyInForce, PolicyError> {
        PolicyInForce::merged(&Layers {
            layers: [Some((layer(json!({ "policy": policy })), 1)), None, None],
        })
    }

    #[test]
    fn the_revision_names_all_three_layers_and_0_an_absent_one() {
        let layers = Layers {
            layers: [Some((layer(json!({})), 7)), None, Some((layer(json!({})), 12))],
        };
        assert_eq!(PolicyInForce::merged(&layers).expect("merges").revision, "7/0/12");
    }

    #[test]
    fn the_narrower_layer_wins_for_plugins_too() {
        let fleet = layer(json!({"plugins": {"redis": {"enabled": true, "config": {"a": 1, "b": 1}}}}));
        let host =
            layer(json!({"plugins": {"redis": {"enabled": false, "config": {"b": 2}}, "No Name": {}}}));
        let merged = PolicyInForce::merged(&Layers {
            layers: [Some((fleet, 1)), None, Some((host, 1))],
        })
        .expect("merges");
        let redis = &merged.plugins[&"redis".parse().expect("a name")];
        assert_eq!(redis.enabled, Some(false));
        assert_eq!(
            redis.config,
            serde_json::from_value(json!({"a": 1, "b": 2})).expect("a map")
        );
        assert_eq!(merged.plugins.len(), 1);
    }

    #[test]
    fn p3_a_verification_that_could_never_be_fresh_is_refused() {
        for slow in [
            json!({"verify_window_seconds": 10, "plugin_timeout_seconds": 10}),
            json!({"plugin_timeout_seconds": 10}),
            json!({"plugin_timeout_seconds": 9.9}),
            json!({"verify_window_seconds": 8, "plugin_timeout_seconds": 7, "freshness_seconds": 60}),
            json!({"freshness_seconds": 10.1}),
        ] {
            let refused = merged(&slow).expect_err("it is too slow").to_string();
            for key in [
                "verify_window_seconds",
                "plugin_timeout_seconds",
                "freshness_seconds",
            ] {
                assert!(refused.contains(key), "{slow}: {refused}");
            }
        }
        for sound in [
            json!({}),
            json!({"plugin_timeout_seconds": 9.8}),
            json!({"verify_window_seconds": 2, "plugin_timeout_seconds": 10}),
            json!({"freshness_seconds": 10.2}),
        ] {
            merged(&sound).expect("it holds");
        }
    }

    #[test]
    fn l1_a_limit_that_is_none_is_refused() {
        for limit in [0, 100_001] {
            let refused = merged(&json!({"max_concurrent_stops": limit})).expect_err("no limit");
            assert!(refused.to_string().contains("max_concurrent_stops"), "{refused}");
        }
        merged(&json!({"max_concurrent_stops": 100_000})).expect("it holds");
    }
}
