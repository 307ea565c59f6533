//! Who of the plugins has a vote, and who is missed.
//!
//! **Invariant:** a plugin that the policy requires by name, that the host's file configures or that was
//! passed over always has a vote, if only *unknown* because it is missing; leaving is no way to be
//! outvoted (T3).

use super::{PluginVoter, Plugins, round};
use crate::{
    plugin::{self, Runtime},
    policy::PolicyInForce,
    stdio::Wanted,
    tally::AskedVoter,
};
use serde_json::Value;
use snooze_schemas::{PluginName, VoterName, host::PluginStatus, verdict::Role};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl Plugins {
    /// Who of the plugins votes, by which terms, and whom to ask.
    #[must_use]
    pub(crate) fn voters(&self, policy: &PolicyInForce) -> BTreeMap<VoterName, PluginVoter> {
        let mut voters: BTreeMap<VoterName, PluginVoter> = BTreeMap::new();
        let round = round(policy);
        for plugin in self.all() {
            let name = plugin.name();
            if !self.is_enabled(policy, &name) || !plugin.votes(round) {
                continue;
            }
            let voter = VoterName::from(&name);
            if voters.contains_key(&voter) {
                if let Some(other) = other_name(&voter) {
                    voters.insert(other, barred(format!("another plugin is called {name} too")));
                }
                continue;
            }
            if let Wanted::Held(why) = self.wanted(policy, &name) {
                voters.insert(voter, barred(why));
                continue;
            }
            let runtime = match plugin.runtime() {
                Runtime::Process(_) => "process",
                Runtime::Nats(_) => "nats",
            };
            // A `Map` of serde_json keeps its keys in order, so that equal configurations are equal texts.
            // One that the plugin cannot have changes nothing.
            let config = self.configs.handed(&name).config.unwrap_or_default();
            let terms = format!("{runtime} {}", Value::Object(config));
            let asked = AskedVoter {
                terms: fingerprint(&terms),
                barred: None,
            };
            voters.insert(
                voter,
                PluginVoter {
                    asked,
                    plugin: Some(plugin),
                },
            );
        }
        for (name, why) in self.missing(policy) {
            voters
                .entry(VoterName::from(&name))
                .or_insert_with(|| barred(why));
        }
        for voter in policy.policy.voters.keys() {
            let required = policy.policy.role_of(voter) == Role::Required;
            if required && !voter.is_built_in() && !voters.contains_key(voter) {
                voters.insert(
                    voter.clone(),
                    barred("the policy requires it, and it is missing or disabled".to_owned()),
                );
            }
        }
        voters
    }

    /// How those are that should be there and are not.
    #[must_use]
    pub(crate) fn missing_ones(&self, policy: &PolicyInForce) -> Vec<PluginStatus> {
        let missing: BTreeMap<PluginName, String> = self.missing(policy).into_iter().rev().collect();
        let status = |(name, why): (PluginName, String)| {
            let manifest = self.expected.manifests.get(&name);
            plugin::missing(&name, why, manifest.map(Arc::as_ref))
        };
        missing.into_iter().map(status).collect()
    }

    /// Those that should be there and are not, and why. Without a vote of theirs nobody would notice.
    fn missing(&self, policy: &PolicyInForce) -> Vec<(PluginName, String)> {
        let passed_over = self.expected.passed_over.iter();
        let passed_over = passed_over.map(|(name, why)| (name.clone(), format!("it was passed over: {why}")));
        let configured = self.expected.configured.iter();
        let configured = configured.map(|name| (name.clone(), "it is configured, and missing".to_owned()));
        let there: BTreeSet<PluginName> = self.all().iter().map(|plugin| plugin.name()).collect();
        passed_over
            .chain(configured)
            .filter(|(name, _)| !there.contains(name) && self.is_enabled(policy, name))
            .collect()
    }
}

fn barred(why: String) -> PluginVoter {
    PluginVoter {
        asked: AskedVoter {
            terms: "barred".to_owned(),
            barred: Some(why),
        },
        plugin: None,
    }
}

fn other_name(voter: &VoterName) -> Option<VoterName> {
    format!("{voter}-2").parse().ok()
}

/// Terms without their text: configurations hold secrets, and the runs are written to a file.
fn fingerprint(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
