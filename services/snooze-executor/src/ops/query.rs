//! What is known of a host, or of all: everything that says why it is or is not being stopped.
//!
//! A question changes nothing. It is answered from this executor's copy of the keys and from the last
//! verdicts that the bus keeps, so any executor answers alike. It keeps nothing between two pages either: each begins
//! after the name at which the one before ended, so another executor may answer it, and a host that comes meanwhile
//! moves no other one out of the next page.

mod fit;
mod report;

use crate::{context::Context, convert, perform::chain};
use futures_util::{StreamExt, stream};
use report::report;
use snooze_bus::{Delivery, Stored, Stream, Subject, SubjectFilter};
use snooze_schemas::{
    ErrorCode, HostId, Refusal,
    ops::{Frozen, Query, QueryResult},
    verdict::Verdict,
};
use std::collections::BTreeMap;

/// The most hosts in one answer.
const HOSTS_LIMIT: usize = 1_000;
/// Verdicts read at once, where only some of the fleet's are wanted.
const READS_AT_ONCE: usize = 32;

pub(super) async fn query(context: &Context, delivery: &Delivery) -> Result<QueryResult, Refusal> {
    let query: Query = delivery.read()?;
    if !context.mirror.is_ready() {
        return Err(Refusal::new(
            ErrorCode::Unavailable,
            "this executor is still reading what the bus holds; ask again",
        ));
    }
    let unavailable = |error: snooze_bus::BusError| Refusal::new(ErrorCode::Unavailable, chain(&error));
    let (verdicts, more) = match query.host {
        Some(host) => {
            let last = last(context, host).await.map_err(unavailable)?;
            (vec![last], fit::More::None)
        }
        None => {
            let page = Page::of(query.after, query.limit)?;
            of_all(context, &page).await.map_err(unavailable)?
        }
    };
    let reports = verdicts
        .into_iter()
        .map(|(host, stored)| report(context, host, stored));
    let (hosts, more) = fit::fit(reports, more);
    let gate = context.mirror.gate().ok();
    let frozen = gate.and_then(|gate| gate.value.frozen.clone());
    let last = hosts.last().map(|report| report.host.clone());
    Ok(QueryResult {
        frozen: frozen.map(|frozen| Frozen {
            reason: frozen.reason,
            by: frozen.by,
            since: convert::timestamp(frozen.since),
        }),
        hosts,
        truncated: more == fit::More::LeftOut,
        next: last.filter(|_| more == fit::More::LeftOut),
    })
}

/// Which of all hosts are wanted.
struct Page {
    after: Option<HostId>,
    limit: usize,
}

impl Page {
    fn of(after: Option<HostId>, limit: Option<u32>) -> Result<Page, Refusal> {
        let limit = limit.map_or(HOSTS_LIMIT, |limit| usize::try_from(limit).unwrap_or(HOSTS_LIMIT));
        match limit {
            0 => Err(Refusal::new(
                ErrorCode::BadRequest,
                "\"limit\" is 0, and an answer without hosts leads to no other; leave it out, or ask for 1 or more",
            )),
            limit => Ok(Page {
                after,
                limit: limit.min(HOSTS_LIMIT),
            }),
        }
    }

    fn begins_before(&self, host: &HostId) -> bool {
        self.after.as_ref().is_none_or(|after| after < host)
    }
}

/// A host, and the last verdict that was heard of it.
type Last = (HostId, Option<Stored<Verdict>>);

async fn last(context: &Context, host: HostId) -> Result<Last, snooze_bus::BusError> {
    let subject = Subject::Verdict(host.clone());
    let stored = context.bus.last(Stream::Verdicts, &subject).await?;
    Ok((host, stored))
}

/// A page of the roster; in a fleet that fits into one answer, of those as well that speak and are not in it. Of a
/// larger one no more verdicts are read than are shown.
async fn of_all(context: &Context, page: &Page) -> Result<(Vec<Last>, fit::More), snooze_bus::BusError> {
    let mut hosts = context.mirror.hosts();
    let is_large = hosts.len() > HOSTS_LIMIT;
    hosts.retain(|host| page.begins_before(host));
    if is_large {
        let more = more(hosts.len(), page);
        hosts.truncate(page.limit);
        let reads = stream::iter(hosts).map(|host| last(context, host));
        let read: Vec<_> = reads.buffered(READS_AT_ONCE).collect().await;
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        return Ok((read, more));
    }
    let mut verdicts: BTreeMap<HostId, Option<Stored<Verdict>>> =
        hosts.into_iter().map(|host| (host, None)).collect();
    let heard = context
        .bus
        .history::<Verdict>(Stream::Verdicts, &SubjectFilter::AllVerdicts, 2 * HOSTS_LIMIT)
        .await?;
    for stored in heard {
        if let Some(host) = stored
            .subject
            .host()
            .filter(|host| page.begins_before(host))
            .cloned()
        {
            verdicts.insert(host, Some(stored));
        }
    }
    let more = more(verdicts.len(), page);
    Ok((verdicts.into_iter().take(page.limit).collect(), more))
}

fn more(found: usize, page: &Page) -> fit::More {
    match found > page.limit {
        true => fit::More::LeftOut,
        false => fit::More::None,
    }
}
