//! What the live view knows: the newest of everything that it heard, and when. No IO, no clock.

use snooze_schemas::{
    HostId, VoterName,
    audit::AuditRecord,
    ops::{Frozen, HostReport, QueryResult},
    sample::Sample,
    verdict::{Verdict, Vote, VoteState},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// How much of the audit trail is kept; no terminal shows more.
const AUDIT_KEPT: usize = 200;

/// Something that was heard.
#[derive(Debug, Clone)]
pub enum News {
    /// A sample of the host.
    Sample(Box<Sample>),
    /// A verdict of the host.
    Verdict(Box<Verdict>),
    /// An entry of the audit trail.
    Audit(Box<AuditRecord>),
    /// What the executors say.
    Report(Box<QueryResult>),
    /// No executor answered, and why.
    NoReport(String),
    /// Whether the bus is there.
    Bus(BusState),
    /// Something that the program itself has to say to the person before it.
    Note(String),
    /// What stands above everything else from now on.
    Preface(Preface),
}

/// What stands above everything else: what this is, what to try, the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preface {
    /// What is shown even where there is little room.
    pub essential: Vec<String>,
    /// What is left out there.
    pub details: Vec<String>,
}

impl Preface {
    /// All of it.
    pub fn lines(&self) -> impl Iterator<Item = &String> {
        self.essential.iter().chain(&self.details)
    }
}

/// Whether the bus is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BusState {
    /// Everything flows.
    #[default]
    Connected,
    /// It is being tried again.
    Away,
}

/// Something, and when it was heard on the viewer's own clock.
#[derive(Debug, Clone)]
pub struct Heard<T> {
    /// What.
    pub what: T,
    /// When.
    pub at: Duration,
}

impl<T> Heard<T> {
    /// How long ago that was.
    #[must_use]
    pub fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.at)
    }
}

/// What the view shows of one host.
#[derive(Debug, Clone)]
pub struct Model {
    /// The host that is watched.
    pub host: HostId,
    /// What stands above everything else.
    pub preface: Preface,
    /// What can be typed.
    pub keys: String,
    /// The newest sample.
    pub sample: Option<Heard<Sample>>,
    /// The newest verdict.
    pub verdict: Option<Heard<Verdict>>,
    /// What each voter says, and since when it was heard to say so.
    since: BTreeMap<VoterName, (VoteState, Duration)>,
    /// What the executors say of this host.
    pub report: Option<Heard<HostReport>>,
    /// Why they say nothing.
    pub no_report: Option<String>,
    /// The kill switch, where it is closed.
    pub frozen: Option<Frozen>,
    /// The newest entries of the audit trail, the oldest first.
    pub audit: VecDeque<AuditRecord>,
    /// What the program itself last said.
    pub note: Option<String>,
    /// Whether the bus is there.
    pub bus: BusState,
}

impl Model {
    /// A view of a host of which nothing is known yet.
    #[must_use]
    pub fn new(host: HostId, preface: Preface, keys: impl Into<String>) -> Model {
        Model {
            host,
            preface,
            keys: keys.into(),
            sample: None,
            verdict: None,
            since: BTreeMap::new(),
            report: None,
            no_report: None,
            frozen: None,
            audit: VecDeque::new(),
            note: None,
            bus: BusState::default(),
        }
    }

    /// Takes in what was heard at a time of the viewer's own clock. News of another host is no news.
    pub fn hear(&mut self, news: News, at: Duration) {
        match news {
            News::Sample(sample) if sample.host == self.host => {
                self.sample = Some(Heard { what: *sample, at });
            }
            News::Verdict(verdict) if verdict.host == self.host => {
                let before = std::mem::take(&mut self.since);
                self.since = verdict
                    .votes
                    .iter()
                    .map(|vote| {
                        let since = match before.get(&vote.voter) {
                            Some((state, since)) if *state == vote.state => *since,
                            Some(_) | None => at,
                        };
                        (vote.voter.clone(), (vote.state, since))
                    })
                    .collect();
                self.verdict = Some(Heard { what: *verdict, at });
            }
            News::Sample(_) | News::Verdict(_) => {}
            News::Audit(record) => {
                if self.audit.len() == AUDIT_KEPT {
                    self.audit.pop_front();
                }
                self.audit.push_back(*record);
            }
            News::Report(result) => {
                let QueryResult { frozen, hosts, .. } = *result;
                self.frozen = frozen;
                self.no_report = None;
                if let Some(what) = hosts.into_iter().find(|report| report.host == self.host) {
                    self.report = Some(Heard { what, at });
                }
            }
            News::NoReport(why) => self.no_report = Some(why),
            News::Bus(bus) => self.bus = bus,
            News::Note(note) => self.note = Some(note),
            News::Preface(preface) => self.preface = preface,
        }
    }

    /// For how long a voter has said what it says, reckoned on to now: by its own word where it is idle, else
    /// for as long as it was heard.
    #[must_use]
    pub fn said_for(&self, vote: &Vote, now: Duration) -> Duration {
        match vote.state {
            VoteState::Idle => {
                let age = self.verdict.as_ref().map(|verdict| verdict.age(now));
                Duration::from_millis(vote.idle_ms) + age.unwrap_or_default()
            }
            VoteState::Busy | VoteState::Unknown => {
                let heard = self.since.get(&vote.voter);
                heard.map_or(Duration::ZERO, |(_, since)| now.saturating_sub(*since))
            }
        }
    }

    /// For how long the host has been idle by the policy's combination, reckoned on to now: a vote that
    /// changed would have been heard.
    #[must_use]
    pub fn idle(&self, now: Duration) -> Option<(Duration, Duration)> {
        let report = self.report.as_ref()?;
        let decision = &report.what.decision;
        let idle = Duration::from_millis(decision.idle_ms);
        let on = if decision.idle_ms > 0 {
            report.age(now)
        } else {
            Duration::ZERO
        };
        Some((idle + on, Duration::from_millis(decision.naptime_ms)))
    }
}
