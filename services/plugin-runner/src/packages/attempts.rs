//! When a package is fetched again: at first at once, and later the later the more often it failed or was lost.
//!
//! It fetches nothing.

use crate::backoff::{Backoff, Restarts};
use snooze_schemas::{PluginName, plugin::approval::Installed};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// What was tried, and how it went.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<PluginName, Attempt>);

#[derive(Debug)]
struct Attempt {
    sha256: String,
    backoff: Backoff,
    again: Instant,
    /// Since when it has been here, as far as is known.
    here_since: Option<Instant>,
}

impl Attempts {
    /// Those of other packages count for nothing.
    pub(super) fn forget_all_but(&mut self, wanted: &BTreeMap<PluginName, Installed>) {
        let is_wanted = |name: &PluginName, attempt: &Attempt| {
            let package = wanted.get(name);
            package.is_some_and(|package| package.sha256 == attempt.sha256)
        };
        self.0.retain(|name, attempt| is_wanted(name, attempt));
    }

    /// When it is time again, where it is not yet.
    pub(super) fn is_too_early(&self, name: &PluginName) -> Option<Instant> {
        let again = self.0.get(name)?.again;
        (again > Instant::now()).then_some(again)
    }

    /// It is here.
    pub(super) fn succeeded(&mut self, name: &PluginName, package: &Installed) {
        self.of(name, package).here_since = Some(Instant::now());
    }

    /// It was here and is not any more as it was: what spoils it does so again, and must not have it fetched all the time.
    pub(super) fn lost(&mut self, name: &PluginName, restarts: &Restarts) {
        if let Some(attempt) = self.0.get_mut(name)
            && let Some(since) = attempt.here_since.take()
        {
            attempt.again = Instant::now() + attempt.backoff.failed_after(since.elapsed(), restarts);
        }
    }

    /// It could not be had; says when it is time again.
    pub(super) fn failed(&mut self, name: &PluginName, package: &Installed, restarts: &Restarts) -> Instant {
        let attempt = self.of(name, package);
        attempt.again = Instant::now() + attempt.backoff.failed_after(Duration::ZERO, restarts);
        attempt.again
    }

    fn of(&mut self, name: &PluginName, package: &Installed) -> &mut Attempt {
        self.0.entry(name.clone()).or_insert_with(|| Attempt {
            sha256: package.sha256.clone(),
            backoff: Backoff::default(),
            again: Instant::now(),
            here_since: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_package_that_is_damaged_again_and_again_is_fetched_ever_less_often() {
        let restarts = Restarts::default();
        let name: PluginName = "redis".parse().expect("a name");
        let package = Installed {
            version: "1.0.0".to_owned(),
            sha256: "0a".repeat(32),
        };
        let mut attempts = Attempts::default();
        attempts.lost(&name, &restarts);
        assert_eq!(
            attempts.is_too_early(&name),
            None,
            "an earlier runner unpacked it"
        );
        for doubled in [1, 2, 4] {
            attempts.succeeded(&name, &package);
            attempts.lost(&name, &restarts);
            // Looked at again before its time it is still the same loss.
            attempts.lost(&name, &restarts);
            let again = attempts.is_too_early(&name).expect("it was here a moment ago");
            assert_eq!(again - Instant::now(), restarts.first * doubled);
            tokio::time::advance(restarts.first * doubled).await;
            assert_eq!(attempts.is_too_early(&name), None);
        }
        attempts.succeeded(&name, &package);
        tokio::time::advance(restarts.forgiven_after).await;
        attempts.lost(&name, &restarts);
        let again = attempts.is_too_early(&name).expect("it waits a little");
        assert_eq!(again - Instant::now(), restarts.first, "it was here for long");
        attempts.forget_all_but(&BTreeMap::new());
        assert_eq!(attempts.is_too_early(&name), None);
    }
}
