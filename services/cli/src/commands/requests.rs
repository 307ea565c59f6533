//! Requests to the executors: the kill switch, leases, postponements and wakes.

use super::host::ask_of;
use crate::{
    arguments::{Freeze, Lease, Postpone, Wake},
    print,
    session::Session,
    view::text,
};
use snooze_bus::{OpsVerb, Subject};
use snooze_schemas::{
    ops::{FreezeRequest, LeaseRequest, PostponeRequest, ThawRequest, WakeRequest, WakeResult},
    reply::Empty,
};
use snooze_service_runtime::Failure;
use std::time::Duration;

/// Closes the kill switch.
pub(super) async fn freeze(session: &Session, arguments: Freeze) -> Result<(), Failure> {
    let request = FreezeRequest {
        reason: arguments.reason,
        by: session.user.to_string(),
    };
    let Empty {} = session.ask(&Subject::Ops(OpsVerb::Freeze), &request).await?;
    print::lines(["Frozen: nothing is stopped until `snooze thaw`."])
}

/// Opens it again.
pub(super) async fn thaw(session: &Session) -> Result<(), Failure> {
    let request = ThawRequest {
        by: session.user.to_string(),
    };
    let Empty {} = session.ask(&Subject::Ops(OpsVerb::Thaw), &request).await?;
    print::lines(["Thawed: idle hosts are stopped again."])
}

/// Keeps a host awake.
pub(super) async fn lease(session: &Session, arguments: Lease) -> Result<(), Failure> {
    let request = LeaseRequest {
        host: arguments.host.clone(),
        id: arguments.id,
        duration_ms: millis(arguments.duration),
        reason: arguments.reason,
        holder: session.user.to_string(),
    };
    let subject = Subject::Ops(OpsVerb::Lease);
    let Empty {} = ask_of(session, &arguments.host, &subject, &request).await?;
    print::lines([format!(
        "{} is kept awake for {}.",
        arguments.host,
        text::duration(arguments.duration)
    )])
}

/// Puts off the stop of a host.
pub(super) async fn postpone(session: &Session, arguments: Postpone) -> Result<(), Failure> {
    let request = PostponeRequest {
        host: arguments.host.clone(),
        duration_ms: millis(arguments.duration),
        reason: arguments.reason,
    };
    let subject = Subject::Ops(OpsVerb::Postpone);
    let Empty {} = ask_of(session, &arguments.host, &subject, &request).await?;
    let duration = text::duration(arguments.duration);
    print::lines([format!("{} is not stopped for {duration}.", arguments.host)])
}

/// Starts a host, or keeps it from being stopped.
pub(super) async fn wake(session: &Session, arguments: Wake) -> Result<(), Failure> {
    let request = WakeRequest {
        host: arguments.host.clone(),
        reason: arguments.reason,
        by: session.user.to_string(),
    };
    let subject = Subject::Ops(OpsVerb::Wake);
    let answer: WakeResult = ask_of(session, &arguments.host, &subject, &request).await?;
    print::lines([match answer.waits_since {
        None => format!("{} is being woken.", arguments.host),
        Some(since) => {
            let since = since.strftime("%H:%M:%SZ");
            format!(
                "{} is on its way down since {since}; it is started as soon as it is stopped.",
                arguments.host
            )
        }
    }])
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
