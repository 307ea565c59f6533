//! `snooze status` and `snooze hosts`.

use super::host::{one_host, query_one, refuse_unknown};
use crate::{
    arguments::{Output, Status},
    print,
    session::{Session, of_bus},
    view::{
        feed,
        model::{Model, Preface},
        show::{self, Ended, Show},
        terminal::TerminalLook,
        text,
    },
};
use snooze_schemas::{
    HostId,
    ops::{HostReport, QueryResult},
};
use snooze_service_runtime::{CancellationToken, Clocks, Exit, Failure};
use std::{io, ops::ControlFlow, time::Duration};
use tokio::sync::mpsc;

/// Keys that nobody took yet; a person does not type faster.
const KEYS: usize = 8;
/// How often `--watch --json` says how things stand.
const EVERY: Duration = Duration::from_secs(1);

/// What the machines are doing and what would be done to them.
pub(super) async fn status(session: &Session, arguments: Status) -> Result<(), Failure> {
    let result = ask(session, arguments.host).await?;
    match arguments.output.json {
        true => print::json(&result),
        false => print::lines(text_of(&result)),
    }
}

/// The same, until shutdown. Whatever ends it, the terminal is given back first, so it must not be dropped:
/// neither for a signal nor for what is denied.
pub(super) async fn watch(
    session: &Session,
    arguments: Status,
    look: TerminalLook,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    if arguments.output.json {
        return session
            .unless_denied(watch_json(session, arguments.host, shutdown))
            .await;
    }
    // Nothing is shown yet: a question that is given up is asked by nobody any more.
    let host = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        host = session.unless_denied(watched(session, arguments.host)) => host?,
    };
    show(session, host, look, shutdown).await
}

/// The host to be watched. It is shown as well where no executor says whether it is enrolled: people look where
/// something does not work.
async fn watched(session: &Session, named: Option<HostId>) -> Result<HostId, Failure> {
    let host = one_host(session, named).await?;
    refuse_unknown(session, &host).await?;
    Ok(host)
}

/// What the executors know; a host that was named has to be one that they know.
async fn ask(session: &Session, host: Option<HostId>) -> Result<QueryResult, Failure> {
    match host {
        Some(host) => query_one(session, &host).await,
        None => session.query(None).await,
    }
}

/// An object a line, until shutdown or until nobody reads any more.
async fn watch_json(
    session: &Session,
    host: Option<HostId>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // A question that is given up at the end is asked by nobody any more.
        let result = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            result = async { tick.tick().await; ask(session, host.clone()).await } => result?,
        };
        if let ControlFlow::Break(()) = print::json_line(&result)? {
            return Ok(());
        }
    }
}

async fn show(
    session: &Session,
    host: HostId,
    look: TerminalLook,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let (sender, news) = feed::channel();
    let feed = feed::feed(session.bus.clone(), host.clone(), sender)
        .await
        .map_err(|error| of_bus(&error))?;
    let (keys, _no_keys) = mpsc::channel(KEYS);
    let show = Show {
        model: Model::new(host, Preface::default(), "q quit"),
        news,
        keys,
        clocks: Clocks::real(),
        look,
        standing_every: show::STANDING,
    };
    let over = shutdown.child_token();
    let view = show.run(over.clone());
    tokio::pin!(view);
    let why = tokio::select! {
        ended = &mut view => return close(ended).await,
        Err(deaf) = feed => Failure::from_error(Exit::Failed, &deaf),
        denied = session.denied() => denied,
    };
    over.cancel();
    close(view.await).await?;
    Err(why)
}

/// Waits until the terminal has what was written to it, its return included.
async fn close(ended: io::Result<Ended>) -> Result<(), Failure> {
    let ended = ended.map_err(|error| Failure::new(Exit::Failed, format!("show: {error}")))?;
    ended.close().await;
    Ok(())
}

/// The hosts, one a line.
pub(super) async fn hosts(session: &Session, output: Output) -> Result<(), Failure> {
    let result = session.query(None).await?;
    if output.json {
        return print::json(&result);
    }
    let rows: Vec<[String; 6]> = result
        .hosts
        .iter()
        .map(|report| {
            [
                report.host.to_string(),
                report.group.clone(),
                report.provider.clone(),
                report.instance.clone(),
                report.phase.clone(),
                report.decision.decision.clone(),
            ]
        })
        .collect();
    print::lines(print::table(
        ["HOST", "GROUP", "CLOUD", "INSTANCE", "CLAIM", "DECISION"],
        &rows,
    ))?;
    if result.truncated {
        print::talk(MORE);
    }
    Ok(())
}

fn text_of(result: &QueryResult) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(frozen) = &result.frozen {
        lines.push(format!(
            "FROZEN by {} since {}: {}. Nothing is stopped until `snooze thaw`.",
            text::printable(&frozen.by),
            frozen.since.strftime("%Y-%m-%d %H:%M:%SZ"),
            text::printable(&frozen.reason),
        ));
    }
    if result.hosts.is_empty() {
        lines.push("No host is enrolled.".to_owned());
    }
    lines.extend(result.hosts.iter().flat_map(of_host));
    if result.truncated {
        lines.push(MORE.to_owned());
    }
    lines
}

const MORE: &str = "there are more hosts than one answer holds; name one to see it";

fn of_host(report: &HostReport) -> Vec<String> {
    let decision = &report.decision;
    let mut lines = vec![
        format!(
            "{} ({} {}, group {})",
            report.host, report.provider, report.instance, report.group
        ),
        format!(
            "  decision  {}: {}",
            decision.decision,
            text::printable(&decision.summary)
        ),
        format!(
            "  idle      {} of {}",
            text::millis(decision.idle_ms),
            text::millis(decision.naptime_ms)
        ),
    ];
    let mut claim = report.phase.clone();
    if !report.progress.is_empty() {
        claim.push_str(&format!(", {}", text::printable(&report.progress)));
    }
    if let Some(next) = report.next_in_ms {
        claim.push_str(&format!(", next step in {}", text::millis(next)));
    }
    lines.push(format!("  claim     {claim}"));
    if let Some(age) = report.verdict_age_ms {
        lines.push(format!("  heard     {} ago", text::millis(age)));
    }
    if let Some(stop) = &report.last_stop {
        let at = stop.at.strftime("%Y-%m-%d %H:%M:%SZ");
        lines.push(format!("  last stop {at}: {}", text::printable(&stop.reason)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::examples;

    #[test]
    fn s23_status_says_what_would_be_done_and_when() {
        let lines = text_of(&examples::query_result("notice"));
        assert_eq!(
            lines,
            [
                "web (simulated sim-web, group default)",
                "  decision  claimed: It is being stopped (claimed): idle for 15 s.",
                "  idle      15 s of 15 s",
                "  claim     claimed, notice, next step in 4 s",
            ]
        );
    }

    #[test]
    fn hosts_that_are_left_out_are_not_left_unsaid() {
        let mut result = examples::query_result("");
        result.truncated = true;
        assert_eq!(text_of(&result).last().map(String::as_str), Some(MORE));
    }

    #[test]
    fn s22_a_closed_kill_switch_stands_above_everything() {
        let mut result = examples::query_result("");
        result.frozen = Some(snooze_schemas::ops::Frozen {
            reason: "incident".to_owned(),
            by: "ada".to_owned(),
            since: "2026-01-31T12:00:00Z".parse().expect("a time"),
        });
        assert!(text_of(&result)[0].starts_with("FROZEN by ada since 2026-01-31 12:00:00Z: incident"));
    }
}
