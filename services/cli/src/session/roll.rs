//! The names of all hosts, page by page as the executors tell them. It asks nothing else, and never passes over a host
//! in silence: where somebody is left out, that is known.

use super::Session;
use snooze_schemas::{
    HostId,
    ops::{HostReport, Query, QueryResult},
};
use snooze_service_runtime::Failure;
use std::time::Duration;
use tokio::time::Instant;

/// After this no further page is asked for. A page of a thousand hosts takes a fraction of a second, so a hundred
/// thousand are named within it.
const PAGES_WITHIN: Duration = Duration::from_secs(60);

/// Who is known.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    /// In the order of their names.
    pub(crate) hosts: Vec<Known>,
    /// Whether these are all.
    pub(crate) is_whole: bool,
}

/// A host, as far as a roll needs to know it: what a whole report says is a thousand times as long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) host: HostId,
    pub(crate) group: String,
    pub(crate) is_enrolled: bool,
}

impl Roll {
    pub(super) async fn call(session: &Session) -> Result<Roll, Failure> {
        let until = Instant::now() + PAGES_WITHIN;
        pages(until, async |query| session.query_by(query).await).await
    }

    /// Those of which the roster says which instance they are.
    pub(crate) fn enrolled(&self) -> impl Iterator<Item = &Known> {
        self.hosts.iter().filter(|known| known.is_enrolled)
    }
}

/// Every page is of names after those of the one before, so there is an end to them.
async fn pages(
    until: Instant,
    ask: impl AsyncFn(Query) -> Result<QueryResult, Failure>,
) -> Result<Roll, Failure> {
    let mut roll = Roll::default();
    let mut after: Option<HostId> = None;
    loop {
        let page = ask(Query {
            after: after.clone(),
            ..Query::default()
        })
        .await?;
        // An executor that knows no pages begins anew.
        let is_known = |report: &HostReport| after.as_ref().is_some_and(|after| report.host <= *after);
        let is_another = !page.hosts.iter().any(is_known);
        let news = page.hosts.into_iter().filter(|report| !is_known(report));
        roll.hosts.extend(news.map(Known::from));
        let next = page
            .next
            .filter(|next| after.as_ref().is_none_or(|after| after < next));
        roll.is_whole = is_another && !page.truncated;
        match next {
            Some(next) if is_another && page.truncated && Instant::now() < until => after = Some(next),
            Some(_) | None => return Ok(roll),
        }
    }
}

impl From<HostReport> for Known {
    fn from(report: HostReport) -> Known {
        Known {
            is_enrolled: is_enrolled(&report),
            host: report.host,
            group: report.group,
        }
    }
}

/// Whether the roster says which instance it is. An executor answers for a host that it knows nothing of as
/// well: that nothing was heard from it.
pub(crate) fn is_enrolled(report: &HostReport) -> bool {
    !report.provider.is_empty()
}

#[cfg(test)]
mod tests;
