//! `snooze status` and `snooze hosts`.

use super::one_host;
use crate::{
    arguments::{Output, Status},
    print,
    session::Session,
    view::{
        feed,
        model::{Model, Preface},
        show::Show,
        text,
    },
};
use snooze_schemas::ops::{HostReport, QueryResult};
use snooze_service_runtime::{CancellationToken, Clocks, Exit, Failure};
use tokio::sync::mpsc;

/// Keys that nobody took yet; a person does not type faster.
const KEYS: usize = 8;

/// What the machines are doing and what would be done to them.
pub(super) async fn status(
    session: &Session,
    arguments: Status,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    if arguments.watch {
        return watch(session, arguments, shutdown).await;
    }
    let result = session.query(arguments.host).await?;
    if arguments.output.json {
        return print::json(&result);
    }
    print::lines(text_of(&result))
}

async fn watch(session: &Session, arguments: Status, shutdown: CancellationToken) -> Result<(), Failure> {
    if arguments.output.json {
        return Err(Failure::new(
            Exit::Usage,
            "--watch shows a view; without it --json prints once",
        ));
    }
    let host = one_host(session, arguments.host).await?;
    let (sender, news) = feed::channel();
    let feed = feed::feed(session.bus.clone(), host.clone(), sender)
        .await
        .map_err(|error| crate::session::of_bus(&error))?;
    let (keys, _no_keys) = mpsc::channel(KEYS);
    let show = Show {
        model: Model::new(host, Preface::default(), "q quit"),
        news,
        keys,
        clocks: Clocks::real(),
    };
    tokio::select! {
        ended = show.run(shutdown.clone()) => {
            ended.map(|_| ()).map_err(|error| Failure::new(Exit::Failed, format!("show: {error}")))
        }
        () = feed => Err(Failure::new(Exit::Failed, "the bus connection has ended")),
    }
}

/// The hosts, one a line.
pub(super) async fn hosts(session: &Session, output: Output) -> Result<(), Failure> {
    let result = session.query(None).await?;
    if output.json {
        return print::json(&result.hosts);
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
        eprintln!("snooze: there are more hosts than one answer holds");
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
    lines
}

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
                "  decision  stop: every required voter is idle",
                "  idle      15 s of 15 s",
                "  claim     claimed, notice, next step in 4 s",
            ]
        );
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
