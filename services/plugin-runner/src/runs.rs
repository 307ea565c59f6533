//! For how long each voter has been idle without a hole.
//!
//! Pure and free of clocks: times are passed in, in milliseconds of the host's `CLOCK_MONOTONIC`.
//!
//! **Invariant:** what it says is never more than the truth, whatever samples were lost, doubled,
//! late or reordered. A run is the *sum of the time that was observed to be idle*, not the distance
//! between its ends, so a tolerated crack between two samples is not counted either.

use serde::{Deserialize, Serialize};
use snooze_schemas::{
    VoterName,
    verdict::{Role, VoteState},
};
use std::collections::BTreeMap;

/// A span of monotonic time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where it begins.
    pub from_ms: u64,
    /// Where it ends.
    pub to_ms: u64,
}

/// Under which terms somebody votes. Others than before break the run (T3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// How much the vote counts for.
    pub role: Role,
    /// What it votes by: thresholds, or a plugin's configuration and runtime.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    terms: Terms,
    /// Until when something was heard of this voter, whatever it said.
    seen_until_ms: Option<u64>,
    /// Whether the last that it said was idle.
    idle: bool,
    /// For how long it has been observed to be idle.
    idle_ms: u64,
    /// Since it was heard it was at work for us: that time does not count.
    #[serde(default)]
    held: bool,
}

impl Run {
    fn new(terms: Terms) -> Run {
        Run {
            terms,
            seen_until_ms: None,
            idle: false,
            idle_ms: 0,
            held: false,
        }
    }

    /// Ends the run; 1 where there was one.
    fn stop(&mut self) -> u64 {
        self.idle_ms = 0;
        u64::from(std::mem::replace(&mut self.idle, false))
    }
}

/// The runs of all voters of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Runs {
    voters: BTreeMap<VoterName, Run>,
    /// How many runs broke. What is kept over a restart must not be older than the last of them (T4).
    #[serde(skip)]
    breaks: u64,
}

impl Runs {
    /// Says who votes from now on, and by which terms (T3).
    ///
    /// When one that counts is added, removed or changed, every run breaks, and who it was is
    /// returned: under `all` the smallest run decides, and would jump up when its voter leaves.
    /// An advisory voter that comes and goes costs only its own run.
    pub(crate) fn declare(&mut self, voters: &BTreeMap<VoterName, Terms>) -> Vec<VoterName> {
        let first = self.voters.is_empty();
        let mut changed = Vec::new();
        for (name, run) in &self.voters {
            match voters.get(name) {
                Some(terms) if *terms == run.terms => {}
                Some(terms) if counts(&run.terms) || counts(terms) => changed.push(name.clone()),
                None if counts(&run.terms) => changed.push(name.clone()),
                Some(_) | None => {}
            }
        }
        for (name, terms) in voters {
            if !first && !self.voters.contains_key(name) && counts(terms) {
                changed.push(name.clone());
            }
        }
        let before = self.voters.len();
        self.voters
            .retain(|name, run| voters.get(name).is_some_and(|terms| *terms == run.terms));
        self.breaks += u64::from(self.voters.len() < before);
        for (name, terms) in voters {
            self.voters
                .entry(name.clone())
                .or_insert_with(|| Run::new(terms.clone()));
        }
        if !changed.is_empty() {
            self.break_all();
        }
        changed
    }

    /// A voter that observes without interruption said this of the whole span (T2).
    ///
    /// A run goes on when the span begins where the last one ended, give or take `crack_ms`. A span
    /// that ends before something that was heard already is late or doubled: nothing can be built on
    /// it, and the run breaks.
    pub(crate) fn cover(&mut self, voter: &VoterName, span: Span, state: VoteState, crack_ms: u64) {
        let Some(run) = self.voters.get_mut(voter) else {
            return;
        };
        let seen = run.seen_until_ms;
        if span.to_ms < span.from_ms || seen.is_some_and(|seen| span.to_ms <= seen) {
            self.breaks += run.stop();
            return;
        }
        run.seen_until_ms = Some(span.to_ms);
        if state != VoteState::Idle {
            self.breaks += run.stop();
            return;
        }
        let abuts = seen.is_some_and(|seen| span.from_ms <= seen.saturating_add(crack_ms));
        if !(run.idle && abuts) {
            self.breaks += run.stop();
        }
        // Where the span overlaps what was heard before, only the new part counts.
        let new_from_ms = seen.map_or(span.from_ms, |seen| seen.max(span.from_ms));
        run.idle = true;
        run.idle_ms = run.idle_ms.saturating_add(span.to_ms - new_from_ms);
    }

    /// A voter that is asked now and then said this at that time.
    ///
    /// Two idle answers no further apart than `gap_ms` make a run of the time between them; the
    /// first makes one of no length, because nothing is known of the time before it.
    pub(crate) fn point(&mut self, voter: &VoterName, at_ms: u64, state: VoteState, gap_ms: u64) {
        let Some(run) = self.voters.get_mut(voter) else {
            return;
        };
        let seen = run.seen_until_ms;
        let held = std::mem::take(&mut run.held);
        if seen.is_some_and(|seen| at_ms < seen) {
            self.breaks += run.stop();
            return;
        }
        run.seen_until_ms = Some(at_ms);
        if state != VoteState::Idle {
            self.breaks += run.stop();
            return;
        }
        match seen {
            Some(seen) if run.idle && at_ms - seen <= gap_ms => {
                let observed_ms = if held { 0 } else { at_ms - seen };
                run.idle_ms = run.idle_ms.saturating_add(observed_ms);
            }
            Some(_) | None => self.breaks += run.stop(),
        }
        run.idle = true;
    }

    /// A voter that was idle could not be asked at that time, because it is at work for us. Its run goes on
    /// with the next answer as if no time had passed. Returns whether there is such a run.
    pub(crate) fn hold(&mut self, voter: &VoterName, at_ms: u64, gap_ms: u64) -> bool {
        let Some(run) = self.voters.get_mut(voter) else {
            return false;
        };
        match run.seen_until_ms {
            Some(seen) if run.idle && seen <= at_ms && at_ms - seen <= gap_ms => {
                run.seen_until_ms = Some(at_ms);
                run.held = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Breaks one voter's run, because something else showed that it is not idle.
    pub(crate) fn break_one(&mut self, voter: &VoterName) {
        if let Some(run) = self.voters.get_mut(voter) {
            self.breaks += run.stop();
        }
    }

    /// Breaks every run.
    pub(crate) fn break_all(&mut self) {
        for run in self.voters.values_mut() {
            self.breaks += run.stop();
        }
    }

    /// How many runs broke since this was made.
    #[must_use]
    pub(crate) fn breaks(&self) -> u64 {
        self.breaks
    }

    /// Who votes.
    pub(crate) fn voters(&self) -> impl Iterator<Item = &VoterName> {
        self.voters.keys()
    }

    /// For how long this voter has been idle without a hole; 0 for one that is not, or is not known.
    #[must_use]
    pub(crate) fn idle_ms(&self, voter: &VoterName) -> u64 {
        self.voters.get(voter).map_or(0, |run| run.idle_ms)
    }
}

fn counts(terms: &Terms) -> bool {
    terms.role != Role::Advisory
}

#[cfg(test)]
mod tests;
