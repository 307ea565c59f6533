//! Whether an event was handled before its deadline, and when each of its steps was. Pure.
//!
//! All clocks of a play are those of one machine, so that their times may be subtracted from one another.

use crate::view::event::{Ending, How, Story};
use serde::Serialize;
use snooze_schemas::{
    HostId, Timestamp,
    event::{EventOutcome, HandlerOutcome},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What came of a play.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// The hosts, and when each was told.
    pub(super) announced: BTreeMap<HostId, Timestamp>,
    /// Every event that was filed.
    pub(super) stories: Vec<Story>,
    /// How many of them the centre has given to their hosts as well, and how long after the first was announced all were.
    pub(super) dispatched: (usize, Option<Duration>),
}

/// How one step went on all hosts, counted from when each was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// What.
    pub(super) step: &'static str,
    /// On how many.
    pub(super) hosts: usize,
    /// The first of them.
    pub(super) first_ms: u64,
    /// Half of them by then.
    pub(super) half_ms: u64,
    /// 99 of 100 by then.
    pub(super) p99_ms: u64,
    /// All of them by then.
    pub(super) last_ms: u64,
}

/// Of each host that was not helped in time, why not.
pub(super) type NotInTime = BTreeMap<HostId, String>;

impl Played {
    /// Which hosts were not helped in time.
    pub(super) fn not_in_time(&self) -> NotInTime {
        let mut by_host: BTreeMap<&HostId, Vec<&Story>> = BTreeMap::new();
        for story in &self.stories {
            if let Some(host) = story.event.host.host() {
                by_host.entry(host).or_default().push(story);
            }
        }
        let hosts = self.announced.keys().filter_map(|host| {
            let stories = by_host.get(host).map_or(&[][..], Vec::as_slice);
            let why = match stories {
                [] => Some("nobody noticed it".to_owned()),
                [story] => judge(story).err(),
                several => Some(format!("it was told of {} times and not once", several.len())),
            };
            Some((host.clone(), why?))
        });
        hosts.collect()
    }

    /// The least time that was left when all handlers of a host had ended.
    pub(super) fn least_spare(&self) -> Option<Duration> {
        self.stories.iter().filter_map(|story| judge(story).ok()).min()
    }

    /// The steps, one after the other.
    pub(super) fn steps(&self) -> Vec<Step> {
        type At = fn(&Story) -> Option<Timestamp>;
        let steps: [(&'static str, At); 6] = [
            ("noticed", |story| Some(story.event.noticed_at)),
            ("filed", |story| Some(story.filed_at)),
            ("accepted", |story| outcome(story)?.accepted_at),
            ("handler asked", |story| {
                outcome(story)?
                    .handlers
                    .iter()
                    .filter_map(|handler| handler.started_at)
                    .min()
            }),
            ("handlers ended", |story| {
                outcome(story)?.handlers.iter().filter_map(ended).max()
            }),
            ("reported", |story| story.endings.first().map(|ending| ending.at)),
        ];
        let of = |(step, at): (&'static str, At)| {
            let mut after: Vec<u64> = self
                .stories
                .iter()
                .filter_map(|story| self.after(story, at(story)?))
                .collect();
            after.sort_unstable();
            let (first, last) = (*after.first()?, *after.last()?);
            // The smallest that this part of them does not exceed.
            let by = |percent: usize| after[(after.len() * percent).div_ceil(100).saturating_sub(1)];
            Some(Step {
                step,
                hosts: after.len(),
                first_ms: first,
                half_ms: by(50),
                p99_ms: by(99),
                last_ms: last,
            })
        };
        steps.into_iter().filter_map(of).collect()
    }

    fn after(&self, story: &Story, at: Timestamp) -> Option<u64> {
        let announced = self.announced.get(story.event.host.host()?)?;
        let ms = at.as_millisecond() - announced.as_millisecond();
        Some(u64::try_from(ms).unwrap_or(0))
    }
}

/// What was left of the time when the last handler had ended, or why nobody was in time.
fn judge(story: &Story) -> Result<Duration, String> {
    let outcomes: Vec<&EventOutcome> = story.endings.iter().filter_map(reported).collect();
    let outcome = match (outcomes.as_slice(), story.endings.first()) {
        ([first, others @ ..], _) if others.iter().all(|other| other == first) => first,
        ([_, ..], _) => return Err("it was handled more than once".to_owned()),
        ([], None) => return Err("its handlers had not ended when its time was over".to_owned()),
        ([], Some(ending)) => {
            let reason = match &ending.how {
                How::Dead(reason) => reason.as_str(),
                How::Reported(_) => unreachable!("it is among those that were reported"),
            };
            return Err(format!("it ended in DEAD: {reason}"));
        }
    };
    let names: BTreeSet<_> = outcome.handlers.iter().map(|handler| &handler.plugin).collect();
    if names.len() < outcome.handlers.len() {
        return Err("a handler was asked more than once".to_owned());
    }
    let failed = outcome.handlers.iter().find(|handler| !handler.result.succeeded);
    if let Some(failed) = failed {
        return Err(format!("{} failed: {}", failed.plugin, failed.result.message));
    }
    if !outcome.handlers.iter().any(|handler| handler.result.handled) {
        return Err(outcome
            .not_asked
            .clone()
            .unwrap_or_else(|| "no plugin handles it".to_owned()));
    }
    let last = outcome.handlers.iter().filter_map(ended).max();
    let (Some(deadline), Some(last)) = (story.event.deadline, last) else {
        return Err("nobody knows whether that was in time".to_owned());
    };
    let left_ms = deadline.as_millisecond() - last.as_millisecond();
    match u64::try_from(left_ms) {
        Ok(left_ms) => Ok(Duration::from_millis(left_ms)),
        Err(_) => Err(format!("its handlers ended {} ms after its deadline", -left_ms)),
    }
}

fn outcome(story: &Story) -> Option<&EventOutcome> {
    story.endings.iter().find_map(reported)
}

fn reported(ending: &Ending) -> Option<&EventOutcome> {
    match &ending.how {
        How::Reported(outcome) => Some(outcome),
        How::Dead(_) => None,
    }
}

/// When a handler had ended, where it was asked.
fn ended(handler: &HandlerOutcome) -> Option<Timestamp> {
    let began = handler.started_at?;
    began.checked_add(Duration::from_millis(handler.took_ms)).ok()
}

#[cfg(test)]
mod tests;
