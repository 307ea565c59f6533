//! One question to the runners of a group's hosts or the fleet's, at once, and what each of them said.
//!
//! Nothing is kept for a host that is away, and none is passed over in silence: who did not answer, and who was not
//! asked, is told.

mod table;

pub(super) use table::{beside_hosts, by_host};

use super::{
    host::{ask_of, one_host},
    plugin_hosts::names,
    plugin_validation::AT_ONCE,
};
use crate::{
    arguments::Level,
    session::{ANSWER_WITHIN, Known, Session},
    unanswered,
};
use futures_util::{StreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use snooze_bus::{RequestError, RunnerVerb, Subject};
use snooze_schemas::{ErrorCode, GroupName, HostId, Message, PluginName};
use snooze_service_runtime::{Exit, Failure};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// After this nobody else is asked: with the time that the last one may take a command ends within two minutes.
const ASKING_WITHIN: Duration = Duration::from_secs(120).saturating_sub(ANSWER_WITHIN);

/// Who is asked.
#[derive(Debug)]
pub(super) enum Reach {
    /// The host that was named, or the only one that there is.
    One(HostId),
    /// The hosts of a group, or all.
    Many(Hosts),
}

/// Some hosts, at least one.
#[derive(Debug)]
pub(super) struct Hosts {
    names: Vec<HostId>,
    /// Whether the executors named all that they know.
    are_all: bool,
}

impl Reach {
    pub(super) async fn of(session: &Session, level: Level) -> Result<Reach, Failure> {
        match (level.fleet, level.group) {
            (false, None) => Ok(Reach::One(one_host(session, level.host).await?)),
            (_, group) => Ok(Reach::Many(Hosts::of(session, group.as_ref()).await?)),
        }
    }
}

impl Hosts {
    async fn of(session: &Session, group: Option<&GroupName>) -> Result<Hosts, Failure> {
        let roll = session.roll().await?;
        let is_meant = |known: &&Known| group.is_none_or(|group| known.group == group.as_str());
        let names: Vec<HostId> = roll
            .enrolled()
            .filter(is_meant)
            .map(|known| known.host.clone())
            .collect();
        if names.is_empty() {
            let groups = roll.enrolled().map(|known| known.group.as_str()).collect();
            return Err(nobody(group, groups, roll.is_whole));
        }
        Ok(Hosts {
            names,
            are_all: roll.is_whole,
        })
    }
}

fn nobody(group: Option<&GroupName>, groups: BTreeSet<&str>, are_all: bool) -> Failure {
    let Some(group) = group.filter(|_| !groups.is_empty()) else {
        return Failure::new(Exit::Failed, "no host is enrolled");
    };
    let among = match are_all {
        true => "",
        false => " among those that the executors named",
    };
    let groups: Vec<&str> = groups.into_iter().collect();
    let text = format!(
        "no host{among} is in the group {group}; the hosts are in {}",
        groups.join(", ")
    );
    Failure::new(Exit::Refused, text)
}

/// What a host said.
#[derive(Debug)]
pub(super) enum Said<R> {
    /// This.
    Answer(R),
    /// It has no such plugin, in its own words.
    Without(String),
    /// Nobody answered there.
    Away(String),
    /// It could not, or would not.
    Failed(String),
    /// It was too late to ask.
    NotAsked,
}

impl<R> Said<R> {
    /// The answer, or why there is none.
    pub(super) fn answer(&self) -> Result<&R, &str> {
        match self {
            Self::Answer(answer) => Ok(answer),
            Self::Without(why) | Self::Away(why) | Self::Failed(why) => Err(why),
            Self::NotAsked => Err("not asked: the time was over"),
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answered",
            Self::Without(_) => "without",
            Self::Away(_) => "away",
            Self::Failed(_) => "failed",
            Self::NotAsked => "not_asked",
        }
    }
}

/// What all of them said, in the order of their names.
#[derive(Debug)]
pub(super) struct Answers<R> {
    pub(super) hosts: Vec<(HostId, Said<R>)>,
    are_all: bool,
}

/// Asks one host.
pub(super) async fn ask_one<M: Message, R: DeserializeOwned>(
    session: &Session,
    host: HostId,
    verb: RunnerVerb,
    question: &M,
) -> Result<R, Failure> {
    let subject = Subject::Runner {
        host: host.clone(),
        verb,
    };
    ask_of(session, &host, &subject, question).await
}

/// Asks them, a bounded number at once and for a bounded time. Who has no such plugin is told from who failed only
/// where one plugin is asked about.
pub(super) async fn ask_many<M: Message, R: DeserializeOwned>(
    session: &Session,
    hosts: Hosts,
    verb: RunnerVerb,
    question: &M,
    plugin: Option<&PluginName>,
) -> Answers<R> {
    let until = Instant::now() + ASKING_WITHIN;
    let ask = async |host: HostId| {
        let subject = Subject::Runner { host, verb };
        match session.request(&subject, question).await {
            Ok(answer) => Said::Answer(answer),
            Err(error) => silence(&subject, &error, plugin),
        }
    };
    Answers {
        hosts: each(hosts.names, until, ask).await,
        are_all: hosts.are_all,
    }
}

fn silence<R>(subject: &Subject, error: &RequestError, plugin: Option<&PluginName>) -> Said<R> {
    let why = unanswered::failure(subject, error).line;
    match error {
        RequestError::NoResponders { .. } | RequestError::TimedOut { .. } => Said::Away(why),
        other => match other.refusal() {
            Some(refusal) if plugin.is_some() && refusal.code == ErrorCode::NotFound => Said::Without(why),
            Some(_) | None => Said::Failed(why),
        },
    }
}

async fn each<R>(
    hosts: Vec<HostId>,
    until: Instant,
    ask: impl AsyncFn(HostId) -> Said<R>,
) -> Vec<(HostId, Said<R>)> {
    let ask = &ask;
    let asked = hosts.into_iter().map(|host| async move {
        let said = match Instant::now() < until {
            true => ask(host.clone()).await,
            false => Said::NotAsked,
        };
        (host, said)
    });
    let mut said: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    said.sort_by(|(one, _), (other, _)| one.cmp(other));
    said
}

impl<R: Serialize> Answers<R> {
    /// For programs.
    pub(super) fn as_json(&self) -> Value {
        let hosts = self.hosts.iter().map(|(host, said)| match said.answer() {
            Ok(answer) => json!({"host": host, "said": said.as_str(), "answer": answer}),
            Err(why) => json!({"host": host, "said": said.as_str(), "error": why}),
        });
        json!({"hosts": hosts.collect::<Vec<_>>()})
    }
}

impl<R> Answers<R> {
    /// How the command ends that is called so. A host without the plugin is no failure where another has it.
    ///
    /// The remark is about those that are lacking.
    pub(super) fn outcome(&self, command: &str, remark: &str) -> Result<(), Failure> {
        let whose = |state: &str| {
            let hosts = self.hosts.iter().filter(|(_, said)| said.as_str() == state);
            hosts.map(|(host, _)| host).collect::<Vec<_>>()
        };
        let ways = [
            ("away", "no answer from"),
            ("failed", "refused or failed on"),
            ("not_asked", "not asked for want of time:"),
        ];
        let lacking = ways.map(|(state, told)| (told, whose(state)));
        let count: usize = lacking.iter().map(|(_, hosts)| hosts.len()).sum();
        let mut parts: Vec<String> = lacking
            .into_iter()
            .filter(|(_, hosts)| !hosts.is_empty())
            .map(|(told, hosts)| format!("{told} {}", names(hosts)))
            .collect();
        if !self.are_all {
            let more = "there are more hosts than the executors named, and the others were not asked";
            parts.push(more.to_owned());
        }
        if !parts.is_empty() {
            let (all, parts) = (self.hosts.len(), parts.join("; "));
            let text = format!("{command} is lacking on {count} of {all} hosts: {parts}{remark}");
            return Err(Failure::new(Exit::Failed, text));
        }
        let without = whose("without");
        if !without.is_empty() && without.len() == self.hosts.len() {
            let text = format!("there is no such plugin on {}", names(without));
            return Err(Failure::new(Exit::Refused, text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
