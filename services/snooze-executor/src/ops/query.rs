//! What is known of a host, or of all: everything that says why it is or is not being stopped.
//!
//! A question changes nothing. It is answered from this executor's copy of the keys and from the last
//! verdicts that the bus keeps, so any executor answers alike.

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
        None => of_all(context).await.map_err(unavailable)?,
    };
    let reports = verdicts
        .into_iter()
        .map(|(host, stored)| report(context, host, stored));
    let (hosts, more) = fit::fit(reports, more);
    let gate = context.mirror.gate().ok();
    let frozen = gate.and_then(|gate| gate.value.frozen.clone());
    Ok(QueryResult {
        frozen: frozen.map(|frozen| Frozen {
            reason: frozen.reason,
            by: frozen.by,
            since: convert::timestamp(frozen.since),
        }),
        hosts,
        truncated: more == fit::More::LeftOut,
    })
}

/// A host, and the last verdict that was heard of it.
type Last = (HostId, Option<Stored<Verdict>>);

async fn last(context: &Context, host: HostId) -> Result<Last, snooze_bus::BusError> {
    let subject = Subject::Verdict(host.clone());
    let stored = context.bus.last(Stream::Verdicts, &subject).await?;
    Ok((host, stored))
}

/// The first hosts of the roster; in a fleet that fits into one answer, those as well that speak and are not
/// in it. Of a larger one no more verdicts are read than are shown.
async fn of_all(context: &Context) -> Result<(Vec<Last>, fit::More), snooze_bus::BusError> {
    let mut hosts = context.mirror.hosts();
    if hosts.len() > HOSTS_LIMIT {
        hosts.truncate(HOSTS_LIMIT);
        let reads = stream::iter(hosts).map(|host| last(context, host));
        let read: Vec<_> = reads.buffered(READS_AT_ONCE).collect().await;
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        return Ok((read, fit::More::LeftOut));
    }
    let mut verdicts: BTreeMap<HostId, Option<Stored<Verdict>>> =
        hosts.into_iter().map(|host| (host, None)).collect();
    let heard = context
        .bus
        .history::<Verdict>(Stream::Verdicts, &SubjectFilter::AllVerdicts, 2 * HOSTS_LIMIT)
        .await?;
    for stored in heard {
        if let Some(host) = stored.subject.host().cloned() {
            verdicts.insert(host, Some(stored));
        }
    }
    let more = match verdicts.len() {
        0..=HOSTS_LIMIT => fit::More::None,
        _ => fit::More::LeftOut,
    };
    Ok((verdicts.into_iter().take(HOSTS_LIMIT).collect(), more))
}
