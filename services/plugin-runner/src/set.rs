//! Which plugin processes this host is to have, and what has to be done so that it has them.
//!
//! Here they are only compared: `look` says what there is, `house` starts and ends.

mod contents;
mod digests;
mod grant;
mod house;
mod known;
mod look;
mod orders;
mod tenant;
mod unchecked;
mod unfit;
mod watch;

pub(crate) use digests::Digests;
pub(crate) use grant::Grant;
pub use house::HouseError;

pub(crate) use house::{House, Parts};
pub(crate) use known::Known;
pub(crate) use look::{Cause, Looked, Missed, Orders, look};
pub(crate) use orders::{Desk, Order};
pub(crate) use unfit::fit_to_start;

use crate::{discovery::Found, file_identity::FileIdentity};
use contents::Contents;
use snooze_schemas::PluginName;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};
use unfit::Unfit;

/// So often is a plugin started anew for the sake of files beside its entry point and its manifest alone. One that
/// writes them itself, where nothing keeps it from that, would start itself anew for ever.
const STIRS: u32 = 10;

/// A plugin that is to run as a process here.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What was found of it.
    pub found: Found,
    /// What it may do.
    pub grant: Grant,
    /// What makes another plugin of it.
    pub identity: Identity,
    /// How often it was started anew in a row for the sake of its contents alone.
    stirs: u32,
}

impl Member {
    /// One that was not run before.
    pub(crate) fn new(found: Found, grant: Grant, identity: Identity) -> Member {
        Member {
            found,
            grant,
            identity,
            stirs: 0,
        }
    }

    /// Whether it has to be started anew to be what that is.
    fn is_to_become(&self, other: &Member) -> bool {
        let (is, is_to_be) = (&self.identity, &other.identity);
        is != is_to_be && (self.stirs < STIRS || !is.has_the_rest_of(is_to_be))
    }

    /// It takes the place of that one, and somebody may have asked for it: says and counts where that is for the sake of
    /// its contents alone.
    pub(crate) fn follow(&mut self, before: &Member, is_asked_for: bool) {
        let (is, was) = (&self.identity, &before.identity);
        if is_asked_for || is == was || !is.has_the_rest_of(was) {
            return;
        }
        self.stirs = before.stirs + 1;
        let (plugin, file) = (&self.found.name, is.contents.differs(&was.contents));
        let file = file.map(|file| file.display().to_string()).unwrap_or_default();
        if self.stirs < STIRS {
            tracing::info!(%plugin, file, "a file of a plugin is another one; it is started anew");
        } else {
            tracing::warn!(
                %plugin, file, times = STIRS,
                "files of a plugin change again and again; it is started anew for them this one more time, and then only \
                 for its entry point, its manifest, or by `snooze plugin reload`"
            );
        }
    }
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
            Some(member) if before.is_to_become(member) || anew.contains(*name) => {
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
        Member::new(found, Grant::default(), identity)
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

    /// What lies there instead is taken for what runs, where it has to be.
    fn looks_again(running: &mut BTreeMap<PluginName, Member>, file: &str, asked_for: bool) -> usize {
        let only = name("only");
        let mut after = running.clone();
        let member = after.get_mut(&only).expect("it is there");
        (member.identity.contents, member.stirs) = (Arc::new(Contents::made_up(file)), 0);
        let anew = if asked_for {
            [only.clone()].into()
        } else {
            BTreeSet::new()
        };
        let steps = steps(&*running, &after, &anew);
        if !steps.is_empty() {
            let member = after.get_mut(&only).expect("it is there");
            member.follow(&running[&only], asked_for);
            *running = after;
        }
        steps.len()
    }

    #[test]
    fn t3_who_changes_its_own_files_starts_itself_anew_a_few_times_and_not_for_ever() {
        let mut running = members(&[("only", "1")]);
        let mut times = 0;
        for number in 0..100 {
            times += looks_again(&mut running, &format!("{number}"), false);
        }
        assert_eq!(times, STIRS as usize);
        assert_eq!(
            looks_again(&mut running, "asked", true),
            1,
            "somebody asked for it"
        );
        assert_eq!(
            looks_again(&mut running, "again", false),
            1,
            "it counts from the beginning"
        );
        for number in 0..100 {
            looks_again(&mut running, &format!("{number}"), false);
        }
        let mut other = running.clone();
        let member = other.get_mut(&name("only")).expect("it is there");
        member.identity.manifest = Some("2".to_owned());
        let steps = steps(&running, &other, &BTreeSet::new());
        assert_eq!(
            steps.len(),
            1,
            "another manifest is another plugin, whatever else"
        );
    }
}
