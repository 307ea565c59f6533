//! Who of the plugins has a vote, and who is missed.
//!
//! **Invariant:** a plugin that the policy requires by name, that the host's file configures, that was here before
//! or that was passed over always has a vote, if only *unknown* because it is missing; leaving is no way to be
//! outvoted (T3). While nobody can look who is there, one more vote is unknown, and so is the instance's own while
//! the cloud takes it away.

use super::{PluginVoter, Plugins, Standing, round};
use crate::{
    packages,
    plugin::{self, Runtime},
    policy::PolicyInForce,
    set::Cause,
    stdio::Wanted,
    tally::AskedVoter,
};
use serde_json::Value;
use snooze_schemas::{PluginName, VoterName, host::PluginStatus, verdict::Role};
use std::{collections::BTreeMap, sync::Arc};

/// By this name it is told, and voted, that the folders of plugins do not answer.
const FOLDERS: &str = VoterName::FOLDERS;

impl Plugins {
    /// Who of the plugins votes, by which terms, and whom to ask.
    #[must_use]
    pub(crate) fn voters(&self, policy: &PolicyInForce) -> BTreeMap<VoterName, PluginVoter> {
        let mut voters: BTreeMap<VoterName, PluginVoter> = BTreeMap::new();
        let (standing, round) = (self.standing(), round(policy));
        for plugin in standing.all() {
            let name = plugin.name();
            if !plugin.votes(round) {
                continue;
            }
            let voter = VoterName::from(&name);
            match self.wanted(policy, &standing, &name) {
                Wanted::Disabled => continue,
                Wanted::Held(why) => {
                    voters.insert(voter, barred(why));
                    continue;
                }
                Wanted::Running => {}
            }
            let run_as = match plugin.runtime() {
                Runtime::Process(_) => standing
                    .roll
                    .hosted
                    .get(&name)
                    .map(|hosted| hosted.terms.as_str()),
                Runtime::Nats(plugin) => Some(plugin.reach().as_str()),
            };
            // A `Map` of serde_json keeps its keys in order, so that equal configurations are equal texts.
            // One that the plugin cannot have changes nothing.
            let config = self.configs.handed(&name).config.unwrap_or_default();
            let terms = format!("{} {}", run_as.unwrap_or_default(), Value::Object(config));
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
        for (name, (_, why)) in self.missing(policy, &standing) {
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
        // Over whoever has that name.
        if let Some(why) = standing.unanswered.clone() {
            voters.insert(VoterName::from(&folders()), barred(why));
        }
        if let Some(why) = standing.leaves.clone() {
            let instance = VoterName::INSTANCE.parse().expect("it is a voter's name");
            voters.insert(instance, barred(why));
        }
        voters
    }

    /// Takes note that a look does not end, for this reason. Until one does, nobody knows who should vote besides.
    pub(crate) fn suspend(&self, why: String) {
        self.changing().unanswered = Some(why);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Takes note that the cloud takes the instance away, for this reason, or that nobody says so any more.
    pub(crate) fn leaves(&self, why: Option<String>) {
        let is_news = {
            let mut standing = self.changing();
            let is_news = standing.leaves != why;
            standing.leaves = why;
            is_news
        };
        if is_news {
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// How those are that should be there and are not.
    #[must_use]
    pub(crate) fn missing_ones(&self, policy: &PolicyInForce) -> Vec<PluginStatus> {
        let standing = self.standing();
        let roll = &standing.roll;
        let status = |(name, (state, why)): (PluginName, (&str, String))| {
            let manifest = roll.manifests.get(&name);
            let mut status = plugin::missing(&name, state, why, manifest.map(Arc::as_ref));
            let missed = roll.missed.get(&name);
            status.rights = missed.and_then(|missed| missed.rights.as_deref().cloned());
            status
        };
        let unanswered = standing.unanswered.iter();
        let unanswered =
            unanswered.map(|why| plugin::missing(&folders(), Cause::Unread.as_str(), why.clone(), None));
        let missing = self.missing(policy, &standing).into_iter().map(status);
        missing.chain(unanswered).collect()
    }

    /// Those that should be there and are not, how that is called, and why. Without a vote of theirs nobody would
    /// notice.
    pub(super) fn missing(
        &self,
        policy: &PolicyInForce,
        standing: &Standing,
    ) -> BTreeMap<PluginName, (&'static str, String)> {
        let Standing { roll, on_bus, .. } = standing;
        let is_there = |name: &PluginName| roll.hosted.contains_key(name) || on_bus.contains_key(name);
        let configured = self.own.configured.iter();
        let configured =
            configured.map(|name| (name, ("missing", "it is configured, and missing".to_owned())));
        // One that nobody has looked for yet.
        let installed = packages::installed(policy).into_keys();
        let installed: Vec<PluginName> = installed.filter(|_| self.own.has_folders).collect();
        let installed = installed.iter();
        let installed =
            installed.map(|name| (name, ("missing", "it is installed, and being fetched".to_owned())));
        let missed = roll.missed.iter();
        let missed = missed.map(|(name, missed)| (name, (missed.cause.as_str(), missed.why.clone())));
        configured
            .chain(installed)
            .chain(missed)
            .filter(|(name, _)| !is_there(name) && self.is_enabled(policy, name))
            .map(|(name, told)| (name.clone(), told))
            .collect()
    }
}

/// Who votes for whoever may be there and cannot be seen.
fn folders() -> PluginName {
    FOLDERS.parse().expect("it is a plugin's name")
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

/// Terms without their text: configurations hold secrets, and the runs are written to a file.
pub(crate) fn fingerprint(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
