//! A verdict fits into one message, whatever plugins put into their votes.

use snooze_schemas::verdict::Vote;

/// So many bytes of evidence may all votes carry together, written as JSON. With the longest reasons of as
/// many plugins as may run, four bytes a character, a verdict stays below the bus's limit of 1 MiB.
const EVIDENCE_BUDGET: usize = 256 * 1024;

/// Leaves out the evidence of those who carry more than their share, where all together carry too much.
pub(super) fn keep_within(votes: &mut [Vote]) {
    let sizes: Vec<usize> = votes.iter().map(size_of_evidence).collect();
    if sizes.iter().sum::<usize>() <= EVIDENCE_BUDGET {
        return;
    }
    let share = EVIDENCE_BUDGET / votes.len().max(1);
    for (vote, size) in votes.iter_mut().zip(sizes) {
        if size > share {
            vote.evidence.clear();
        }
    }
}

fn size_of_evidence(vote: &Vote) -> usize {
    vote.evidence
        .iter()
        .map(|(name, value)| name.len() + value.to_string().len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::verdict::{Role, Verdict, VoteState};

    #[test]
    fn a_verdict_of_the_most_talkative_plugins_fits_into_a_message() {
        let evidence = |count: usize| {
            (0..count)
                .map(|n| (format!("{n:064}"), "x".repeat(500).into()))
                .collect()
        };
        let mut votes: Vec<Vote> = (0..263)
            .map(|n| Vote {
                voter: format!("plugin-{n:050}").parse().expect("a voter name"),
                role: Role::Required,
                state: VoteState::Idle,
                raw: VoteState::Idle,
                reason: "\u{10ffff}".repeat(500),
                evidence: evidence(if n == 0 { 1 } else { 32 }),
                idle_ms: 1,
            })
            .collect();
        keep_within(&mut votes);
        assert_eq!(votes[0].evidence.len(), 1, "who says little keeps it");
        let verdict = Verdict {
            host: "h1".parse().expect("a host id"),
            boot_id: String::new(),
            agent: String::new(),
            seq: 1,
            policy_revision: String::new(),
            sample_age_ms: 0,
            uptime_ms: 0,
            boot_grace_left_ms: 0,
            votes,
        };
        let bytes = serde_json::to_vec(&verdict).expect("writes").len();
        assert!(bytes < 1024 * 1024, "{bytes} bytes");
    }
}
