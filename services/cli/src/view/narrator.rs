//! The same as the live view for an output that is no terminal: a line for what changed, and some every few
//! seconds for how things stand. Pure: the lines come back, nothing is printed here.

use super::{
    model::{BusState, Model, News, Preface},
    text,
};
use snooze_schemas::{
    HostId, VoterName,
    verdict::{Role, Vote, VoteState},
};
use std::{collections::BTreeMap, time::Duration};

/// Turns news into lines.
#[derive(Debug)]
pub struct Narrator {
    model: Model,
    votes: BTreeMap<VoterName, VoteState>,
    standing: Option<(String, String)>,
    told_at: Option<Duration>,
    standing_every: Duration,
}

impl Narrator {
    /// One that knows nothing yet, and says so often how things stand though nothing changed.
    #[must_use]
    pub fn new(host: HostId, standing_every: Duration) -> Narrator {
        Narrator {
            model: Model::new(host, Preface::default(), ""),
            votes: BTreeMap::new(),
            standing: None,
            told_at: None,
            standing_every,
        }
    }

    /// The lines for something that was heard.
    #[must_use]
    pub fn hear(&mut self, news: News, now: Duration) -> Vec<String> {
        let first_sample = matches!(news, News::Sample(_)) && self.model.sample.is_none();
        let mut lines = match &news {
            News::Audit(record) => vec![format!("audit    {}", text::audit(record))],
            News::Note(note) => vec![format!("note     {}", text::printable(note))],
            News::Preface(preface) => preface.lines().cloned().collect(),
            News::Bus(bus) if *bus != self.model.bus => vec![bus_line(*bus)],
            News::NoReport(why) if self.model.no_report.as_ref() != Some(why) => {
                vec![format!("executor {}", text::printable(why))]
            }
            News::Verdict(_) | News::Sample(_) | News::Report(_) | News::Bus(_) | News::NoReport(_) => {
                Vec::new()
            }
        };
        let was_frozen = self.model.frozen.is_some();
        self.model.hear(news, now);
        if first_sample {
            lines.extend(self.readings());
        }
        lines.extend(self.changed_votes());
        lines.extend(self.changed_standing(now));
        match (&self.model.frozen, was_frozen) {
            (Some(frozen), false) => {
                let (by, reason) = (text::printable(&frozen.by), text::printable(&frozen.reason));
                lines.push(format!("frozen   by {by}: {reason}"));
            }
            (None, true) => lines.push("frozen   no longer".to_owned()),
            (Some(_), true) | (None, false) => {}
        }
        lines
    }

    /// The lines for time that passed.
    #[must_use]
    pub fn tick(&mut self, now: Duration) -> Vec<String> {
        if self
            .told_at
            .is_some_and(|told| now.saturating_sub(told) < self.standing_every)
        {
            return Vec::new();
        }
        let mut lines: Vec<String> = self.readings().into_iter().collect();
        if lines.is_empty() {
            return lines;
        }
        lines.extend(self.votes(now));
        lines.extend(self.standing_line(now));
        self.told_at = Some(now);
        lines
    }

    /// What every voter says and for how long, those that count first.
    fn votes(&self, now: Duration) -> Option<String> {
        let verdict = &self.model.verdict.as_ref()?.what;
        let votes = verdict.votes.iter();
        let (advisory, counted): (Vec<&Vote>, Vec<&Vote>) =
            votes.partition(|vote| vote.role == Role::Advisory);
        let told = |votes: Vec<&Vote>| {
            let votes = votes.into_iter();
            let told = votes.map(|vote| text::vote(vote, self.model.said_for(vote, now)));
            told.collect::<Vec<_>>().join(", ")
        };
        let line = match (told(counted), told(advisory)) {
            (counted, advisory) if advisory.is_empty() => counted,
            (counted, advisory) if counted.is_empty() => format!("advisory: {advisory}"),
            (counted, advisory) => format!("{counted}; advisory: {advisory}"),
        };
        Some(format!("votes    {line}"))
    }

    fn readings(&self) -> Option<String> {
        let sample = &self.model.sample.as_ref()?.what;
        let readings: Vec<String> = text::readings(sample)
            .into_iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        Some(format!("readings {}", readings.join(", ")))
    }

    fn changed_votes(&mut self) -> Vec<String> {
        let Some(verdict) = &self.model.verdict else {
            return Vec::new();
        };
        let verdict = &verdict.what;
        let mut lines = Vec::new();
        for vote in &verdict.votes {
            if self.votes.insert(vote.voter.clone(), vote.state) != Some(vote.state) {
                let (state, role) = (text::state(vote.state), text::role(vote.role));
                lines.push(format!(
                    "vote     {} is {state} ({role}): {}",
                    vote.voter,
                    text::printable(&vote.reason)
                ));
            }
        }
        self.votes
            .retain(|voter, _| verdict.votes.iter().any(|vote| vote.voter == *voter));
        lines
    }

    /// The decision and the claim's phase, said when one of them is another one.
    fn changed_standing(&mut self, now: Duration) -> Option<String> {
        let report = &self.model.report.as_ref()?.what;
        let standing = (
            report.decision.decision.clone(),
            format!("{} {}", report.phase, report.progress),
        );
        if self.standing.as_ref() == Some(&standing) {
            return None;
        }
        self.standing = Some(standing);
        self.told_at = Some(now);
        self.standing_line(now)
    }

    fn standing_line(&self, now: Duration) -> Option<String> {
        let heard = self.model.report.as_ref()?;
        let report = &heard.what;
        let decision = &report.decision;
        let summary = text::printable(&decision.summary);
        let mut line = format!(
            "verdict  {}: {}",
            decision.decision,
            summary.trim_end_matches('.')
        );
        if let Some((idle, naptime)) = self.model.idle(now) {
            line.push_str(&format!(
                "; idle {} of {}",
                text::duration(idle),
                text::duration(naptime)
            ));
        }
        line.push_str(&format!("; executor: {}", report.phase));
        if !report.progress.is_empty() {
            line.push_str(&format!(", {}", text::printable(&report.progress)));
        }
        if let Some(next) = report.next_in_ms {
            let left = Duration::from_millis(next).saturating_sub(heard.age(now));
            line.push_str(&format!(", next step in {}", text::duration(left)));
        }
        Some(line)
    }
}

fn bus_line(bus: BusState) -> String {
    match bus {
        BusState::Connected => "bus      is there again".to_owned(),
        BusState::Away => "bus      is away; trying again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::examples;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn narrator() -> Narrator {
        Narrator::new(examples::host(), at(5))
    }

    #[test]
    fn every_vote_is_told_with_for_how_long_it_has_been_so() {
        let mut narrator = narrator();
        let told = narrator.hear(News::Sample(Box::new(examples::sample())), at(1));
        assert_eq!(told.len(), 1, "the first readings: {told:?}");
        for (second, changed) in [(1, 2), (3, 0)] {
            let idle = News::Verdict(Box::new(examples::verdict(VoteState::Idle)));
            assert_eq!(narrator.hear(idle, at(second)).len(), changed);
        }
        let lines = narrator.tick(at(5));
        let votes = "votes    cpu idle 14 s; advisory: memory busy 4 s";
        assert!(lines.iter().any(|line| line == votes), "{lines:?}");
    }

    #[test]
    fn whoever_freezes_cannot_steer_the_terminal() {
        let mut result = examples::query_result("");
        result.frozen = Some(snooze_schemas::ops::Frozen {
            reason: "\u{1b}[2Jincident".to_owned(),
            by: "ada\nbob".to_owned(),
            since: "2026-01-31T12:00:00Z".parse().expect("a time"),
        });
        let lines = narrator().hear(News::Report(Box::new(result)), at(1));
        let frozen = lines
            .iter()
            .find(|line| line.starts_with("frozen"))
            .expect("it is told");
        assert_eq!(frozen, "frozen   by ada bob:  [2Jincident");
    }

    #[test]
    fn a_vote_is_told_once_until_it_changes() {
        let mut narrator = narrator();
        let busy = || News::Verdict(Box::new(examples::verdict(VoteState::Busy)));
        let first = narrator.hear(busy(), at(1));
        assert_eq!(first.len(), 2, "{first:?}");
        assert!(
            first[0].starts_with("vote     cpu is busy (required)"),
            "{first:?}"
        );
        assert_eq!(narrator.hear(busy(), at(2)), Vec::<String>::new());
        let idle = narrator.hear(News::Verdict(Box::new(examples::verdict(VoteState::Idle))), at(3));
        assert_eq!(idle.len(), 1, "only cpu changed: {idle:?}");
    }

    #[test]
    fn without_a_change_it_speaks_every_five_seconds() {
        let mut narrator = narrator();
        assert_eq!(narrator.tick(at(0)), Vec::<String>::new(), "nothing is known yet");
        assert!(
            !narrator
                .hear(News::Sample(Box::new(examples::sample())), at(1))
                .is_empty()
        );
        assert!(!narrator.tick(at(1)).is_empty());
        assert!(narrator.tick(at(5)).is_empty());
        assert!(!narrator.tick(at(6)).is_empty());
    }

    #[test]
    fn the_audit_trail_is_told_as_it_comes() {
        let lines = narrator().hear(News::Audit(Box::new(examples::record())), at(1));
        assert_eq!(
            lines,
            ["audit    12:00:01 intent    web is to be stopped: idle for 15 s [claim 7]"]
        );
    }

    #[test]
    fn the_step_of_a_claim_is_told_when_it_changes() {
        let mut narrator = narrator();
        let report = |progress: &str| News::Report(Box::new(examples::query_result(progress)));
        assert_eq!(narrator.hear(report("notice"), at(1)).len(), 1);
        assert_eq!(narrator.hear(report("notice"), at(2)).len(), 0);
        let told = narrator.hear(report("settling"), at(3));
        assert_eq!(told.len(), 1);
        assert!(
            told[0].contains("claimed, settling, next step in 4 s"),
            "{told:?}"
        );
    }
}
