//! Notices that two agents speak under one host's id, or that a verdict came again (I2).
//!
//! An executor keeps one witness a host in memory. It need not be kept across restarts: an agent that is
//! asked to verify must be the one whose verdict opened the claim, whatever a witness has seen.

use crate::decide::Identity;
use crate::time::Boot;
use crate::verdict::Verdict;
use alloc::string::String;

/// What was heard of a host's agents.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    current: Option<Heard>,
    former: Option<String>,
    conflict_at: Option<Boot>,
}

#[derive(Debug, Clone)]
struct Heard {
    agent: String,
    seq: u64,
}

impl Witness {
    /// Takes a verdict as it was received, and says what it means.
    ///
    /// One agent instance following another is a restart. An instance that speaks again after another one
    /// did is a second one alive; that is held against the host for `memory_ms` after it was last seen.
    pub fn observe(&mut self, verdict: &Verdict, memory_ms: u64, now: Boot) -> Identity {
        let identity = match &self.current {
            Some(heard) if heard.agent == verdict.agent && verdict.seq <= heard.seq => Identity::Repeated,
            Some(heard) if heard.agent == verdict.agent => Identity::One,
            Some(_) if self.former.as_ref() == Some(&verdict.agent) => Identity::TwoAgents,
            _ => Identity::One,
        };
        if identity == Identity::TwoAgents {
            self.conflict_at = Some(now);
        }
        if identity != Identity::Repeated {
            let heard = Heard {
                agent: verdict.agent.clone(),
                seq: verdict.seq,
            };
            if let Some(before) = self.current.replace(heard)
                && before.agent != verdict.agent
            {
                self.former = Some(before.agent);
            }
        }
        match self.conflict_at {
            Some(at) if now.since(at) < memory_ms => Identity::TwoAgents,
            _ => identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(agent: &str, seq: u64) -> Verdict {
        Verdict {
            agent: String::from(agent),
            seq,
            ..Verdict::default()
        }
    }

    #[test]
    fn i2_two_agents_under_one_id_are_noticed_and_a_restart_is_not_held_against_it() {
        let mut witness = Witness::default();
        assert_eq!(witness.observe(&verdict("a", 1), 1_000, Boot(0)), Identity::One);
        assert_eq!(witness.observe(&verdict("b", 1), 1_000, Boot(1)), Identity::One);
        assert_eq!(witness.observe(&verdict("b", 2), 1_000, Boot(2)), Identity::One);
        assert_eq!(
            witness.observe(&verdict("a", 2), 1_000, Boot(3)),
            Identity::TwoAgents
        );
        assert_eq!(
            witness.observe(&verdict("a", 3), 1_000, Boot(900)),
            Identity::TwoAgents
        );
        assert_eq!(
            witness.observe(&verdict("a", 4), 1_000, Boot(1_003)),
            Identity::One
        );
    }

    #[test]
    fn i2_a_sequence_that_comes_again_is_noticed() {
        let mut witness = Witness::default();
        assert_eq!(witness.observe(&verdict("a", 7), 1_000, Boot(0)), Identity::One);
        assert_eq!(
            witness.observe(&verdict("a", 7), 1_000, Boot(1)),
            Identity::Repeated
        );
        assert_eq!(
            witness.observe(&verdict("a", 6), 1_000, Boot(2)),
            Identity::Repeated
        );
        assert_eq!(witness.observe(&verdict("a", 8), 1_000, Boot(3)), Identity::One);
    }
}
