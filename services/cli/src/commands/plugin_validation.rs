//! Asks hosts whether a plugin could be configured so, before that is written.
//!
//! Only a host knows its plugin's manifest. A host that is away takes nothing amiss: its runner refuses later what
//! its plugin cannot take, and the configuration that runs stays.

use crate::{print, session::Session};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, GroupName, HostId, PluginName,
    host::{Validate, Validated},
    plugin::management::ConfigLevel,
};
use snooze_service_runtime::{Exit, Failure};
use std::time::Duration;

/// So many hosts are asked at once.
pub(super) const AT_ONCE: usize = 64;
/// A host that is on answers within milliseconds, and a fleet is not to be waited for at length.
pub(super) const WITHIN: Duration = Duration::from_secs(3);

/// Whose plugin it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose<'a> {
    Host(&'a HostId),
    Group(&'a GroupName),
    Fleet,
}

impl Whose<'_> {
    fn level(self) -> ConfigLevel {
        match self {
            Self::Host(_) => ConfigLevel::Host,
            Self::Group(_) => ConfigLevel::Group,
            Self::Fleet => ConfigLevel::Fleet,
        }
    }
}

/// What a host said.
enum Said {
    /// It could be configured so, or the host has no such plugin.
    Nothing,
    /// These are the mistakes.
    Mistakes(String),
    /// Nobody answered.
    Away,
}

/// Refuses what one of these hosts says that its plugin cannot take.
pub(super) async fn refuse_mistakes(
    session: &Session,
    whose: Whose<'_>,
    plugin: &PluginName,
    config: &Map<String, Value>,
    unset: &[String],
) -> Result<(), Failure> {
    let hosts = match hosts(session, whose).await {
        Ok(hosts) => hosts,
        // Only executors know who is enrolled; that they are away keeps nobody from changing the configuration.
        Err(failure) => {
            print::talk(&format!(
                "no host was asked whether {plugin} can be configured so: {}",
                failure.line
            ));
            return Ok(());
        }
    };
    let question = Validate {
        plugin: plugin.clone(),
        config: config.clone(),
        unset: unset.to_vec(),
        level: Some(whose.level()),
    };
    let (question, asked) = (&question, hosts.len());
    let answers = hosts
        .into_iter()
        .map(|host| async move { (ask(session, &host, question).await, host) });
    let mut answers = stream::iter(answers).buffer_unordered(AT_ONCE);
    let mut away = 0;
    while let Some((said, host)) = answers.next().await {
        match said {
            Said::Nothing => {}
            Said::Mistakes(mistakes) => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{mistakes} (said by the host {host})"),
                ));
            }
            Said::Away => away += 1,
        }
    }
    if away > 0 {
        let text = format!(
            "{away} of {asked} hosts did not say whether {plugin} can be configured so; they will when they take it"
        );
        print::talk(&text);
    }
    Ok(())
}

/// The hosts whose plugin it is.
pub(super) async fn hosts(session: &Session, whose: Whose<'_>) -> Result<Vec<HostId>, Failure> {
    let of = async |group: Option<&GroupName>| {
        let known = session.roll().await?.enrolled();
        let wanted = known.filter(|known| group.is_none_or(|group| known.group == group.as_str()));
        Ok(wanted.map(|known| known.host.clone()).collect())
    };
    match whose {
        Whose::Host(host) => Ok(vec![host.clone()]),
        Whose::Group(group) => of(Some(group)).await,
        Whose::Fleet => of(None).await,
    }
}

async fn ask(session: &Session, host: &HostId, question: &Validate) -> Said {
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::Validate,
    };
    let answer = session
        .bus
        .request::<_, Validated>(&subject, question, WITHIN)
        .await;
    match answer {
        Ok(Validated { .. }) => Said::Nothing,
        Err(error) => match error.refusal() {
            Some(refusal) if refusal.code == ErrorCode::BadRequest => Said::Mistakes(refusal.message.clone()),
            Some(refusal) if refusal.code == ErrorCode::NotFound => Said::Nothing,
            Some(_) | None => Said::Away,
        },
    }
}
