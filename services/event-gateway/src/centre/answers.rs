//! How soon hosts answer, and which of them did not a moment ago.
//!
//! A host that hangs or hibernates keeps its subscriptions for a while: it is not away, and never answers. Who waits
//! for it in a lane takes the place of another host's event, so nobody waits there for longer than it usually takes,
//! and for one that is known to be silent not at all. What is usual is measured: when everything is slow, as in a
//! storm, nobody is to be taken for silent.

use snooze_schemas::HostId;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The least that any host is given: many times what an answer takes, and little beside the time that an urgent event
/// has.
const LEAST: Duration = Duration::from_millis(500);
/// So many times what answers take lately is still usual.
const USUAL_TIMES: u32 = 4;
/// One answer moves what they take by this part: a few of them say how things are now.
const WEIGHT: u32 = 8;
/// For how long nobody waits for a host that did not answer. Its answer to whoever goes on asking it ends that, and
/// its hello.
const SILENT_FOR_MS: u64 = 30_000;
/// Hosts that are remembered as silent; forgetting them costs one short wait each.
const REMEMBERED: usize = 65_536;

#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    takes: Duration,
    /// Until when, on the boot-time clock.
    silent: HashMap<HostId, u64>,
}

impl Answers {
    /// How long an answer may take and be a usual one.
    pub(crate) fn usual(&self) -> Duration {
        (self.lock().takes * USUAL_TIMES).max(LEAST)
    }

    /// Whether a host did not answer a moment ago.
    pub(crate) fn is_silent(&self, host: &HostId, now: u64) -> bool {
        self.lock().silent.get(host).is_some_and(|until| now < *until)
    }

    /// A host answered, after so long.
    pub(crate) fn heard(&self, host: &HostId, took: Duration) {
        let mut heard = self.lock();
        heard.takes = (heard.takes * (WEIGHT - 1) + took) / WEIGHT;
        heard.silent.remove(host);
    }

    /// A host did not answer in time.
    pub(crate) fn missed(&self, host: &HostId, now: u64) {
        let mut heard = self.lock();
        if heard.silent.len() >= REMEMBERED {
            heard.silent.retain(|_, until| now < *until);
            if heard.silent.len() >= REMEMBERED {
                heard.silent.clear();
            }
        }
        heard
            .silent
            .insert(host.clone(), now.saturating_add(SILENT_FOR_MS));
    }

    /// A host is waited for again: it left, or said that it is there.
    pub(crate) fn forgive(&self, host: &HostId) {
        self.lock().silent.remove(host);
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostId {
        name.parse().expect("a host")
    }

    #[test]
    fn e3_nobody_waits_for_a_host_that_did_not_answer_until_it_says_something() {
        let answers = Answers::default();
        assert!(!answers.is_silent(&host("h"), 0));
        for says_something in [
            (|answers| answers.heard(&host("h"), Duration::ZERO)) as fn(&Answers),
            |answers| answers.forgive(&host("h")),
        ] {
            answers.missed(&host("h"), 0);
            assert!(answers.is_silent(&host("h"), SILENT_FOR_MS - 1));
            assert!(
                !answers.is_silent(&host("h"), SILENT_FOR_MS),
                "it may be back by now"
            );
            assert!(!answers.is_silent(&host("other"), 0));
            says_something(&answers);
            assert!(!answers.is_silent(&host("h"), 1));
        }
    }

    #[test]
    fn who_is_as_slow_as_all_others_is_not_silent() {
        let answers = Answers::default();
        assert_eq!(answers.usual(), LEAST);
        for _ in 0..100 {
            answers.heard(&host("h"), Duration::from_secs(1));
        }
        assert!(answers.usual() > Duration::from_secs(3));
        for _ in 0..100 {
            answers.heard(&host("h"), Duration::from_millis(1));
        }
        assert_eq!(answers.usual(), LEAST);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let answers = Answers::default();
        for number in 0..=REMEMBERED {
            answers.missed(&host(&format!("h{number}")), 0);
        }
        assert!(answers.lock().silent.len() <= REMEMBERED);
    }
}
