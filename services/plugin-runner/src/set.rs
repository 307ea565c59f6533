//! Which plugin processes this host is to have, and what has to be done so that it has them.
//!
//! Here they are only compared: `look` says what there is, `house` starts and ends.

mod contents;
mod departed;
mod digests;
mod grant;
mod house;
mod known;
mod look;
mod orders;
mod places;
mod stirs;
mod tenant;
mod unchecked;
mod unfit;
mod watch;
mod whereabouts;

pub(crate) use departed::Departed;
pub(crate) use digests::Digests;
pub(crate) use grant::Grant;
pub use house::HouseError;

pub(crate) use house::{House, Parts};
pub(crate) use known::Known;
pub(crate) use look::{Cause, Looked, Missed, Orders, look};
pub(crate) use orders::{Desk, Order};
pub(crate) use stirs::Stirs;
pub(crate) use unfit::fit_to_start;
pub(crate) use whereabouts::Whereabouts;

use crate::{discovery::Found, file_identity::FileIdentity};
use contents::Contents;
use snooze_schemas::PluginName;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};
use unfit::Unfit;

/// A plugin that is to run as a process here.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What was found of it.
    pub found: Found,
    /// What it may do.
    pub grant: Grant,
    /// What makes another plugin of it.
    pub identity: Identity,
}

/// What a running process was started as; where any of it differs it is another plugin, which has to start anew.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    path: PathBuf,
    entry: FileIdentity,
    manifest: Option<String>,
    contents: Arc<Contents>,
    grant: Grant,
}

impl Identity {
    /// That of what lies there now.
    ///
    /// # Errors
    /// That this cannot be seen.
    pub(crate) fn of(found: &Found, grant: &Grant) -> Result<Identity, Unfit> {
        let entry = FileIdentity::read(&found.path);
        Ok(Identity {
            path: found.path.clone(),
            entry: entry.map_err(|error| Unfit::unread(&found.path, &error))?,
            manifest: found
                .manifest
                .as_ref()
                .map(|manifest| manifest.sha256().to_owned()),
            contents: Arc::new(Contents::of(found, &grant.permissions)),
            grant: grant.clone(),
        })
    }

    /// The folders in which its files lie.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.contents.folders()
    }

    /// Whether all is the same but the contents.
    fn has_the_rest_of(&self, other: &Identity) -> bool {
        let rest = Identity {
            contents: self.contents.clone(),
            ..other.clone()
        };
        *self == rest
    }
}

/// What has to be done about one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It runs, and is to run no more.
    End(PluginName),
    /// It runs, and is to run as something else.
    Anew(PluginName),
    /// It does not run, and is to.
    Start(PluginName),
}

/// What has to be done so that those run that are wanted; these are started anew although they are what they were.
#[must_use]
pub(crate) fn steps<'a>(
    running: impl IntoIterator<Item = (&'a PluginName, &'a Member)>,
    wanted: &BTreeMap<PluginName, Member>,
    anew: &BTreeSet<PluginName>,
) -> Vec<Step> {
    let running: BTreeMap<_, _> = running.into_iter().collect();
    let mut steps = Vec::new();
    for (name, before) in &running {
        match wanted.get(*name) {
            None => steps.push(Step::End((*name).clone())),
            Some(member) if before.identity != member.identity || anew.contains(*name) => {
                steps.push(Step::Anew((*name).clone()));
            }
            Some(_) => {}
        }
    }
    let starts = wanted.keys().filter(|name| !running.contains_key(*name));
    steps.extend(starts.cloned().map(Step::Start));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        text.parse().expect("a name")
    }

    fn member(text: &str, manifest: &str) -> Member {
        let found = Found {
            name: name(text),
            path: "/bin/sh".into(),
            manifest: None,
            package: None,
        };
        let identity = Identity {
            manifest: Some(manifest.to_owned()),
            ..Identity::of(&found, &Grant::default()).expect("it is there")
        };
        Member {
            found,
            grant: Grant::default(),
            identity,
        }
    }

    fn members(all: &[(&str, &str)]) -> BTreeMap<PluginName, Member> {
        all.iter()
            .map(|(text, manifest)| (name(text), member(text, manifest)))
            .collect()
    }

    #[test]
    fn t3_who_came_starts_who_changed_starts_anew_and_who_left_ends() {
        let before = members(&[("changed", "1"), ("gone", "1"), ("same", "1")]);
        let after = members(&[("changed", "2"), ("new", "1"), ("same", "1")]);
        assert_eq!(
            steps(&before, &after, &BTreeSet::new()),
            [
                Step::Anew(name("changed")),
                Step::End(name("gone")),
                Step::Start(name("new"))
            ]
        );
        assert!(steps(&before, &before, &BTreeSet::new()).is_empty());
        assert_eq!(
            steps(&before, &before, &[name("same")].into()),
            [Step::Anew(name("same"))],
            "whoever asks for it has it started anew as it is"
        );
    }

    #[test]
    fn t3_another_grant_makes_another_plugin() {
        let before = members(&[("one", "1")]);
        let mut after = before.clone();
        let grown = after.get_mut(&name("one")).expect("it is there");
        grown.identity.grant.permissions.udp = true;
        assert_eq!(
            steps(&before, &after, &BTreeSet::new()),
            [Step::Anew(name("one"))]
        );
    }
}
