//! `snooze explain`: why a host is or is not being stopped, every vote, and what is missing.

use super::host::{one_host, query_one};
use crate::{arguments::Explain, print, session::Session, view::text};
use snooze_schemas::{
    ops::{HostReport, QueryResult},
    verdict::Vote,
};
use snooze_service_runtime::Failure;

/// Explains one host.
pub(super) async fn explain(session: &Session, arguments: Explain) -> Result<(), Failure> {
    let host = one_host(session, arguments.host).await?;
    let result = query_one(session, &host).await?;
    if arguments.output.json {
        return print::json(&result);
    }
    let reports = result.hosts.iter();
    print::lines(reports.flat_map(|report| explained(&result, report)))
}

fn explained(result: &QueryResult, report: &HostReport) -> Vec<String> {
    let decision = &report.decision;
    let mut lines = vec![format!("{}: {}", report.host, text::printable(&decision.summary))];
    if let Some(frozen) = &result.frozen {
        let (by, reason) = (text::printable(&frozen.by), text::printable(&frozen.reason));
        lines.push(format!("Nothing is stopped anywhere: frozen by {by} ({reason})."));
    }
    lines.push(format!(
        "Idle for {} of the {} that the policy asks for.",
        text::millis(decision.idle_ms),
        text::millis(decision.naptime_ms),
    ));
    if report.phase != "free" {
        let claim = report.claim.map(|claim| format!(" {claim}")).unwrap_or_default();
        let progress = match report.progress.as_str() {
            "" => String::new(),
            progress => format!(": {}", text::printable(progress)),
        };
        lines.push(format!("Claim{claim} is {}{progress}.", report.phase));
    }
    section(
        &mut lines,
        "What keeps it up",
        decision.obstacles.iter().map(|line| text::printable(line)),
    );
    section(
        &mut lines,
        "What keeps it awake",
        report.keeps_awake.iter().map(|line| text::printable(line)),
    );
    match &report.verdict {
        Some(verdict) => {
            let heard = report.verdict_age_ms.map(|age| format!(", heard {} ago", text::millis(age)));
            let title = format!("Votes (policy {}{})", verdict.policy_revision, heard.unwrap_or_default());
            section(&mut lines, &title, verdict.votes.iter().map(vote));
        }
        None => lines.push(
            "No verdict of this host was heard: its collector and its plugin-runner must run, and reach the bus.".to_owned(),
        ),
    }
    lines
}

fn section(lines: &mut Vec<String>, title: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        lines.push(format!("{title}:"));
        lines.extend(items.map(|item| format!("  - {item}")));
    }
}

fn vote(vote: &Vote) -> String {
    let since = match vote.idle_ms {
        0 => String::new(),
        ms => format!(" for {}", text::millis(ms)),
    };
    let mut line = format!(
        "{} is {}{since} ({}): {}",
        vote.voter,
        text::state(vote.state),
        text::role(vote.role),
        text::printable(&vote.reason),
    );
    if vote.raw != vote.state {
        line.push_str(&format!("; by this sample alone {}", text::state(vote.raw)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::examples;
    use snooze_schemas::verdict::VoteState;

    #[test]
    fn s23_every_vote_and_every_obstacle_is_named() {
        let mut result = examples::query_result("");
        let report = &mut result.hosts[0];
        report.verdict = Some(examples::verdict(VoteState::Busy));
        report.verdict_age_ms = Some(2_000);
        report.decision.obstacles = vec!["The required voter cpu is busy.".to_owned()];
        let text = explained(&result, &result.hosts[0]).join("\n");
        for part in [
            "  - The required voter cpu is busy.",
            "  - cpu is busy (required): 5.2 % of at most 25.0 %",
            "  - memory is busy (advisory)",
            "heard 2 s ago",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn a_host_that_was_never_heard_is_told_what_is_missing() {
        let result = examples::query_result("");
        let text = explained(&result, &result.hosts[0]).join("\n");
        assert!(text.contains("No verdict of this host was heard"), "{text}");
    }
}
