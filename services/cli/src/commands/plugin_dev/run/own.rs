//! A plugin that runs by itself, beside the runner that asks it: started here, or by its author with what is printed.
//!
//! One that ends is not started again before its folder changes: its author wants to see why.

use super::watch::Watch;
use crate::{
    commands::plugin_dev::by_itself::{ByItself, NOT_FENCED, told},
    home::Home,
    up::alone::Admission,
};
use snooze_plugin_runner::PluginManifest;
use snooze_service_runtime::Failure;
use std::{future::pending, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at what it has said.
const LOOK: Duration = Duration::from_millis(200);

/// Who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// This command.
    Here,
    /// Its author.
    ByHand,
}

/// Its process, where there is one.
#[derive(Default)]
pub(super) struct Own(Option<ByItself>);

impl Own {
    /// Starts it, where that is this command's to do, and says where its bus is.
    pub(super) fn begin(
        start: Start,
        manifest: &PluginManifest,
        admission: &Admission,
        home: &Home,
        watch: &Watch,
    ) -> Result<Own, Failure> {
        watch.say(&format!(
            "its bus is {}, its credentials are {}, its host is {}",
            admission.server,
            admission.credentials.display(),
            admission.host
        ))?;
        if start == Start::ByHand {
            watch.say(&format!("start it by hand: {}", by_hand(manifest, admission)))?;
            return Ok(Own::default());
        }
        watch.say(NOT_FENCED)?;
        match ByItself::start(manifest, admission, home) {
            Ok(process) => Ok(Own(Some(process))),
            Err(why) => {
                watch.say(&format!("{why}: it is started again at the next change"))?;
                Ok(Own::default())
            }
        }
    }

    /// Shows what it says, and that it has ended, until it is cancelled. That loses nothing.
    pub(super) async fn follow(&mut self, watch: &Watch) -> Result<(), Failure> {
        let Some(process) = &mut self.0 else {
            return pending().await;
        };
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ended = tokio::select! {
                ended = process.ended() => Some(ended),
                _ = looks.tick() => None,
            };
            watch.log(process.lines())?;
            if let Some(ended) = ended {
                watch.say(&format!("{ended}: it is started again at the next change"))?;
                return pending().await;
            }
        }
    }

    /// Ends it.
    pub(super) async fn end(self, watch: &Watch) -> Result<(), Failure> {
        match self.0 {
            None => Ok(()),
            Some(process) => match process.end().await {
                Ok(()) => Ok(()),
                Err(_) => watch.say("it did not end at SIGTERM and was killed"),
            },
        }
    }
}

/// A line for a shell.
fn by_hand(manifest: &PluginManifest, admission: &Admission) -> String {
    let told = told(admission);
    let told = told
        .iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)));
    let entry = quoted(&manifest.entry_point().display().to_string());
    told.chain([entry]).collect::<Vec<_>>().join(" ")
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:.,_-+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_each_word_for_one() {
        assert_eq!(quoted("/tmp/a-b_c.creds"), "/tmp/a-b_c.creds");
        assert_eq!(quoted("/tmp/a b"), "'/tmp/a b'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
