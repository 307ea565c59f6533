//! Which path is asked when, and what is said of those that cannot be read.
//!
//! It never lets one path wait for another that fails: see the source's own words on the bound.

use super::{
    Settings,
    memory::{Memory, What},
    session::{Session, SessionError},
};
use crate::{
    happening::Happening,
    source::{
        Notices,
        failing::{Edge, Say},
        http::HttpError,
    },
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer is waited for at most, after it failed some times: a starved machine may be slow for long, and has to be heard too.
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);
/// The longest pause after failures, where a path is not asked even less often: a thirtieth of the two minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// When and how one path is asked.
#[derive(Debug)]
struct Path {
    what: What,
    every: Duration,
    due: Instant,
    edge: Edge,
}

/// All paths of one service.
#[derive(Debug)]
pub(super) struct Paths {
    session: Session,
    clocks: Clocks,
    /// How long a first answer is waited for.
    patience: Duration,
    paths: Vec<Path>,
    memory: Memory,
    /// How the service itself is, beside its paths.
    service: Edge,
    /// Until when nothing is asked, since nothing would be answered.
    quiet_until: Instant,
}

impl Paths {
    pub(super) fn new(settings: &Settings, clocks: Clocks) -> Result<Paths, HttpError> {
        let now = Instant::now();
        let path = |what: What| Path {
            what,
            every: *settings.poll_of.get(what.event_type()).unwrap_or(&settings.poll),
            due: now,
            edge: Edge::patient(),
        };
        Ok(Paths {
            session: Session::at(&settings.endpoint, clocks.clone())?,
            clocks,
            patience: settings.patience,
            paths: What::ALL.into_iter().map(path).collect(),
            memory: Memory::default(),
            service: Edge::patient(),
            quiet_until: now,
        })
    }

    /// When something is to be asked next.
    pub(super) fn next(&self) -> Instant {
        let due = self.paths.iter().filter(|path| self.memory.wants(path.what));
        let due = due.map(|path| path.due).min();
        due.map_or(self.quiet_until, |due| due.max(self.quiet_until))
    }

    /// Asks what is due, and tells what is new. Cancelling it loses nothing that was not told.
    pub(super) async fn round(&mut self, notices: &Notices) {
        let within = patience(self.patience, self.service.failures());
        if let Err(trouble) = self.session.authorize(within).await {
            return self.service_failed(&trouble);
        }
        let mut is_heard = false;
        for index in self.order() {
            let (what, failures) = (self.paths[index].what, self.paths[index].edge.failures());
            // What was asked before in this round may have made it needless, as an answer does the history.
            if !self.memory.wants(what) {
                continue;
            }
            let within = patience(self.patience, failures);
            let (happenings, trouble) = self.ask(what, within).await;
            for happening in happenings {
                notices.tell(happening).await;
            }
            match trouble {
                None => {
                    self.paths[index].answered();
                    is_heard = true;
                }
                Some(trouble) if trouble.is_of_all() => return self.service_failed(&trouble),
                Some(trouble) => self.paths[index].failed(&trouble),
            }
        }
        if is_heard && self.service.answered() == Say::Back {
            tracing::info!("the instance metadata service is back");
        }
    }

    /// Those that are due: all that answer, and of those that fail the one that waits longest.
    fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let due = |index: &usize| self.paths[*index].due <= now;
        let fails = |index: &usize| self.paths[*index].edge.failures() > 0;
        let all = || (0..self.paths.len()).filter(due);
        let mut order: Vec<usize> = all().filter(|index| !fails(index)).collect();
        let failing = all().filter(|index| fails(index) && self.memory.wants(self.paths[*index].what));
        order.extend(failing.min_by_key(|index| self.paths[*index].due));
        order
    }

    async fn ask(&mut self, what: What, within: Duration) -> (Vec<Happening>, Option<SessionError>) {
        let path = what.path();
        let now = || self.clocks.wall();
        match self.session.get(path, within).await {
            Ok(answer) => {
                let (happenings, unreadable) = self.memory.read(what, answer.as_deref(), now());
                let trouble = unreadable.map(|source| SessionError::Unreadable { path, source });
                (happenings, trouble)
            }
            Err(trouble) => {
                let told = match what {
                    What::History => self.memory.without_history(now()),
                    _ => Vec::new(),
                };
                (told, Some(trouble))
            }
        }
    }

    fn service_failed(&mut self, trouble: &SessionError) {
        if self.service.failed() == Say::Failing {
            tracing::warn!(
                error = one_line(trouble),
                "nothing is noticed by the metadata service until it answers again"
            );
        }
        let shortest = self.paths.iter().map(|path| path.every).min().unwrap_or_default();
        self.quiet_until = Instant::now() + pause(shortest, self.service.failures());
    }
}

impl Path {
    fn answered(&mut self) {
        // Kept to the beat; where it was missed, what was missed is not made up for.
        self.due = (self.due + self.every).max(Instant::now());
        if self.edge.answered() == Say::Back {
            tracing::info!(
                path = self.what.path(),
                "what the metadata service answers can be read again"
            );
        }
    }

    fn failed(&mut self, trouble: &SessionError) {
        if self.edge.failed() == Say::Failing {
            tracing::warn!(
                error = one_line(trouble),
                path = self.what.path(),
                "what is announced there is not noticed until it can be read again"
            );
        }
        self.due = Instant::now() + pause(self.every, self.edge.failures());
    }
}

fn patience(first: Duration, failures: u32) -> Duration {
    first
        .saturating_mul(2_u32.pow(failures.min(8)))
        .min(LONGEST_PATIENCE.max(first))
}

fn pause(every: Duration, failures: u32) -> Duration {
    let longest = LONGEST_PAUSE.max(every);
    (every * 2_u32.pow(failures.saturating_sub(1).min(8))).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_and_pauses_grow_with_failures_and_have_a_bound() {
        let (quick, every) = (Duration::from_millis(250), Duration::from_secs(1));
        assert_eq!(patience(quick, 0), quick);
        assert_eq!(patience(quick, 3), LONGEST_PATIENCE);
        assert_eq!(pause(every, 1), every);
        for failures in 0..1_000 {
            assert!(patience(quick, failures) <= LONGEST_PATIENCE);
            assert!(pause(every, failures) <= LONGEST_PAUSE, "it is heard within this");
            assert!(pause(every, failures) >= every);
            assert!(pause(every, failures) <= pause(every, failures + 1));
        }
        let rarely = Duration::from_secs(600);
        assert_eq!(
            pause(rarely, 1_000),
            rarely,
            "what is asked rarely is not asked more rarely"
        );
    }
}
