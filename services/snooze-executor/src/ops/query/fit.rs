//! An answer is one message, so it has a bound: sentences are cut, verdicts are left out, and in the end
//! hosts are, which is said. There is always an answer.

use snooze_schemas::ops::HostReport;

/// What all reports together may take when written; the server takes messages of a megabyte.
const ANSWER_BYTES: usize = 700 * 1024;
/// The longest sentence for people.
const SENTENCE_CHARS: usize = 500;
/// The most sentences of one kind.
const SENTENCES: usize = 64;

/// Whether there are hosts that the answer does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// It holds all.
    None,
    LeftOut,
}

/// As many reports as fit, the first ones first.
pub(super) fn fit(reports: impl Iterator<Item = HostReport>, more: More) -> (Vec<HostReport>, More) {
    let mut left = ANSWER_BYTES;
    let mut hosts = Vec::new();
    for mut report in reports {
        shorten(&mut report);
        let mut bytes = weight(&report);
        if bytes > left {
            // Its age stays, so that a reader sees that there is one.
            report.verdict = None;
            bytes = weight(&report);
        }
        if bytes > left {
            return (hosts, More::LeftOut);
        }
        left -= bytes;
        hosts.push(report);
    }
    (hosts, more)
}

/// Written as JSON, which is never shorter than the other format.
fn weight(report: &HostReport) -> usize {
    serde_json::to_vec(report).map_or(usize::MAX, |written| written.len())
}

/// A report without its verdict is then far smaller than an answer may be.
fn shorten(report: &mut HostReport) {
    let decision = &mut report.decision;
    decision.obstacles.truncate(SENTENCES);
    decision.blocking.truncate(SENTENCES);
    report.keeps_awake.truncate(SENTENCES);
    let sentences = decision.obstacles.iter_mut().chain(&mut report.keeps_awake);
    let sentences = sentences.chain([&mut decision.summary, &mut report.progress]);
    let reason = report.last_stop.as_mut().map(|stop| &mut stop.reason);
    for sentence in sentences.chain(reason) {
        cut(sentence);
    }
}

fn cut(sentence: &mut String) {
    if let Some((end, _)) = sentence.char_indices().nth(SENTENCE_CHARS) {
        sentence.truncate(end);
        sentence.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(host: &str, evidence: usize, obstacles: usize) -> HostReport {
        serde_json::from_value(json!({
            "host": host, "group": "default", "instance": "i-1", "provider": "simulated", "phase": "free",
            "decision": {
                "decision": "stay", "summary": "s".repeat(obstacles), "idle_ms": 0, "naptime_ms": 1,
                "obstacles": vec!["ä".repeat(obstacles); 100],
            },
            "verdict": {
                "host": host, "boot_id": "b", "agent": "a", "seq": 1, "policy_revision": "1/0/0",
                "sample_age_ms": 0, "uptime_ms": 1, "votes": [{
                    "voter": "cpu", "role": "required", "state": "idle", "raw": "idle", "reason": "",
                    "evidence": {"long": "x".repeat(evidence)}, "idle_ms": 1,
                }],
            },
            "verdict_age_ms": 5,
        }))
        .expect("a report")
    }

    fn written(hosts: &[HostReport]) -> usize {
        serde_json::to_vec(hosts).expect("reports are written").len()
    }

    #[test]
    fn a_verdict_that_does_not_fit_is_left_out_and_its_host_is_not() {
        let reports = [report("h1", 400_000, 10), report("h2", 400_000, 10)];
        let (hosts, more) = fit(reports.into_iter(), More::None);
        assert_eq!(hosts.len(), 2);
        assert!(hosts[0].verdict.is_some() && hosts[1].verdict.is_none());
        assert_eq!((hosts[1].verdict_age_ms, more), (Some(5), More::None));
    }

    #[test]
    fn whatever_a_host_says_there_is_an_answer_that_fits() {
        let (hosts, more) = fit([report("h1", 900_000, 900_000)].into_iter(), More::None);
        assert_eq!((hosts.len(), more), (1, More::None));
        assert!(written(&hosts) <= ANSWER_BYTES);
        assert!(hosts[0].decision.summary.ends_with('…'));
    }

    #[test]
    fn hosts_that_do_not_fit_are_left_out_and_that_is_said() {
        let reports = (0..1_000).map(|n| report(&format!("h{n}"), 10, 1_000));
        let (hosts, more) = fit(reports, More::None);
        assert!(!hosts.is_empty() && hosts.len() < 1_000);
        assert_eq!(more, More::LeftOut);
        assert!(written(&hosts) <= ANSWER_BYTES + 2 * hosts.len());
    }
}
