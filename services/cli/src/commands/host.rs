//! The host that a command is about: which one is meant, and whether there is such a host.
//!
//! A host that is not enrolled is refused in the same words by every command. Silence of the executors is never
//! taken for the word that there is no such host.

use crate::{
    session::{Session, is_enrolled},
    unanswered,
};
use serde::de::DeserializeOwned;
use snooze_bus::{RequestError, Subject};
use snooze_schemas::{
    ErrorCode, HostId, Message,
    ops::{HostReport, QueryResult},
};
use snooze_service_runtime::{Exit, Failure};

/// The host that is meant: the one that was named, or the only one that there is.
pub(crate) async fn one_host(session: &Session, named: Option<HostId>) -> Result<HostId, Failure> {
    if let Some(host) = named {
        return Ok(host);
    }
    let known = enrolled(session).await?;
    match known.as_slice() {
        [only] => Ok(only.host.clone()),
        [] => Err(Failure::new(Exit::Failed, "no host is enrolled")),
        several => {
            let text = format!("there are several hosts; name one of them: {}", names(several));
            Err(Failure::new(Exit::Usage, text))
        }
    }
}

/// What the executors know of one host, which has to be enrolled.
pub(super) async fn query_one(session: &Session, host: &HostId) -> Result<QueryResult, Failure> {
    let result = session.query(Some(host.clone())).await?;
    if result.hosts.iter().any(is_enrolled) {
        return Ok(result);
    }
    let text = match enrolled(session).await?.as_slice() {
        [] => format!("{host} is not enrolled, and no other host is"),
        known => format!("{host} is not enrolled; these are: {}", names(known)),
    };
    Err(Failure::new(Exit::Refused, text))
}

/// Refuses a host of which the executors say that it is not enrolled. Where they say nothing, that is not told.
pub(super) async fn refuse_unknown(session: &Session, host: &HostId) -> Result<(), Failure> {
    match query_one(session, host).await {
        Err(unknown) if unknown.exit == Exit::Refused => Err(unknown),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Asks whoever answers for a host. Of one that is not enrolled that is said, and not that nobody answers.
pub(super) async fn ask_of<M: Message, R: DeserializeOwned>(
    session: &Session,
    host: &HostId,
    subject: &Subject,
    message: &M,
) -> Result<R, Failure> {
    match session.request(subject, message).await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            if may_be_unknown(&error) {
                refuse_unknown(session, host).await?;
            }
            Err(unanswered::failure(subject, &error))
        }
    }
}

fn may_be_unknown(error: &RequestError) -> bool {
    match error {
        RequestError::NoResponders { .. } => true,
        other => other
            .refusal()
            .is_some_and(|refusal| refusal.code == ErrorCode::NotFound),
    }
}

/// The hosts that are enrolled, as far as one answer holds them.
async fn enrolled(session: &Session) -> Result<Vec<HostReport>, Failure> {
    let mut known = session.query(None).await?.hosts;
    known.retain(is_enrolled);
    Ok(known)
}

/// The first of them, on one line.
fn names(hosts: &[HostReport]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = hosts
        .iter()
        .take(SHOWN)
        .map(|report| report.host.as_str())
        .collect();
    let more = if hosts.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
