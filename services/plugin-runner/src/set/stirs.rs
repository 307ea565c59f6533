//! How often plugins are started anew for the sake of files beside their entry point and their manifest alone.
//!
//! **Invariant:** nobody votes by code that is not what lies there. One that writes such files itself, where nothing
//! keeps it from that, would start itself anew for ever; it is held instead, and its vote is unknown until its files have
//! rested. It starts and ends nothing.

use super::{Identity, Member};
use snooze_schemas::PluginName;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

/// So often in a row. Whoever mends a plugin by hand needs a few, and a plugin that writes its own files has them used
/// up within a minute.
const STIRS: u32 = 10;

/// What was last seen of those that are to run.
#[derive(Debug, Default)]
pub(crate) struct Stirs(BTreeMap<PluginName, Stir>);

#[derive(Debug)]
struct Stir {
    /// What it was when it was looked at last.
    is: Identity,
    /// How often it was started anew in a row.
    times: u32,
    /// When its files were last seen to change; nothing where it was never started anew for them, or long ago.
    last: Option<Instant>,
    is_held: bool,
}

impl Stirs {
    /// Why this one is not to run now, where it is not. Who asks for it has it run in any case.
    pub(crate) fn hold(
        &mut self,
        member: &Member,
        is_asked_for: bool,
        now: Instant,
        rest: Duration,
    ) -> Option<String> {
        let (plugin, is) = (&member.found.name, member.identity.clone());
        let before = self.0.remove(plugin);
        let (stir, why) = match before {
            Some(before) if !is_asked_for && is.has_the_rest_of(&before.is) => {
                before.followed_by(plugin, is, now, rest)
            }
            _ => (Stir::of(is), None),
        };
        self.0.insert(plugin.clone(), stir);
        why
    }

    /// Forgets all but those that were found fit to run: who comes back later begins anew.
    pub(crate) fn retain(&mut self, fit: &BTreeSet<PluginName>) {
        self.0.retain(|plugin, _| fit.contains(plugin));
    }

    /// When one that is held may run again, if nothing of it changes until then.
    pub(crate) fn next(&self, rest: Duration) -> Option<Instant> {
        let held = self.0.values().filter(|stir| stir.is_held);
        held.filter_map(|stir| Some(stir.last? + rest)).min()
    }
}

impl Stir {
    fn of(is: Identity) -> Stir {
        Stir {
            is,
            times: 0,
            last: None,
            is_held: false,
        }
    }

    /// That is the same plugin, but for its contents perhaps.
    fn followed_by(
        mut self,
        plugin: &PluginName,
        is: Identity,
        now: Instant,
        rest: Duration,
    ) -> (Stir, Option<String>) {
        if self.last.is_some_and(|last| now >= last + rest) {
            self = Stir::of(self.is);
        }
        if let Some(file) = is.contents.differs(&self.is.contents) {
            let file = file.display().to_string();
            self.last = Some(now);
            if self.times < STIRS {
                self.times += 1;
                tracing::info!(%plugin, file, "a file of a plugin is another one; it is started anew");
            } else if !self.is_held {
                self.is_held = true;
                tracing::warn!(
                    %plugin, file, times = STIRS, rest_seconds = rest.as_secs(),
                    "files of a plugin change again and again; it is not run until they rest or it is reloaded"
                );
            }
        }
        self.is = is;
        let why = self.is_held.then(|| held(plugin, rest));
        (self, why)
    }
}

/// It names no file: the reason would be another one at each look.
fn held(plugin: &PluginName, rest: Duration) -> String {
    format!(
        "it is not run: its files change again and again, and it was started anew for them {STIRS} times; it is again \
         when nothing of them has changed for {} s, or by `snooze plugin reload {plugin}`. What it writes itself belongs \
         into its working folder, or where it is granted to write",
        rest.as_secs()
    )
}

#[cfg(test)]
mod tests;
