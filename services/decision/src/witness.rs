//! Notices that two agents speak under one host's id, or that a verdict came again (I2).
//!
//! An executor keeps one witness a host in memory. It need not be kept across restarts: an agent that is
//! asked to verify must be the one whose verdict opened the claim, whatever a witness has seen.
//!
//! With N executors in a queue group each hears one verdict in N, so it takes each about N times as long to
//! notice a second agent, and what one of them noticed the others do not know. Therefore a conflict
//! that was noticed does not end with time alone, but after many verdicts of one agent in a row as well:
//! of two that speak alternately a replica hears eight of the same in a row once in 128 times.
//! What remains: a second agent is noticed only when the first one speaks again, so for some beats after a
//! clone appears a claim can still be opened by its verdict.

use crate::decide::Identity;
use crate::time::Boot;
use crate::verdict::Verdict;
use alloc::{string::String, vec::Vec};

/// How many agents of a host are told apart. More than these within the memory are a conflict whoever they
/// are: no runner starts that often and measures anything.
const AGENTS: usize = 8;

/// After a conflict, so many verdicts of one agent in a row say that it is alone again.
const ALONE: u32 = 8;

/// What was heard of a host's agents.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    /// The last one first; at most [`AGENTS`].
    heard: Vec<Heard>,
    conflict: Option<Conflict>,
}

#[derive(Debug, Clone)]
struct Heard {
    agent: String,
    seq: u64,
    at: Boot,
}

#[derive(Debug, Clone, Copy)]
struct Conflict {
    /// When it was last noticed.
    at: Boot,
    /// Verdicts of the last agent since another one was heard.
    alone: u32,
}

impl Witness {
    /// Takes a verdict as it was received, and says what it means.
    ///
    /// One agent instance following another is a restart. An instance that speaks again after another one
    /// did is a second one alive. That is held against the host for `memory_ms` after it was last seen,
    /// and until one agent alone has been heard many times in a row.
    pub fn observe(&mut self, verdict: &Verdict, memory_ms: u64, now: Boot) -> Identity {
        let place = self.heard.iter().position(|one| one.agent == verdict.agent);
        let repeated = place == Some(0)
            && self
                .heard
                .first()
                .is_some_and(|current| verdict.seq <= current.seq);
        if repeated {
            // An old verdict come again is nobody's sign of life.
            return match self.conflict {
                Some(_) => Identity::TwoAgents,
                None => Identity::Repeated,
            };
        }
        let second = match place {
            Some(place) => place > 0,
            None => self.is_crowded(memory_ms, now),
        };
        self.note(verdict, place, now);
        if second {
            self.conflict = Some(Conflict { at: now, alone: 0 });
        } else if let Some(conflict) = &mut self.conflict {
            conflict.alone = if place == Some(0) {
                conflict.alone.saturating_add(1)
            } else {
                0
            };
        }
        self.conflict
            .take_if(|conflict| conflict.alone >= ALONE && now.since(conflict.at) >= memory_ms);
        match self.conflict {
            Some(_) => Identity::TwoAgents,
            None => Identity::One,
        }
    }

    /// Whether one more agent is more than there can be.
    fn is_crowded(&self, memory_ms: u64, now: Boot) -> bool {
        let oldest = self.heard.get(AGENTS - 1);
        oldest.is_some_and(|oldest| now.since(oldest.at) < memory_ms)
    }

    fn note(&mut self, verdict: &Verdict, place: Option<usize>, now: Boot) {
        if let Some(place) = place {
            self.heard.remove(place);
        }
        self.heard.truncate(AGENTS - 1);
        let heard = Heard {
            agent: verdict.agent.clone(),
            seq: verdict.seq,
            at: now,
        };
        self.heard.insert(0, heard);
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
        let mut next = 3;
        let mut again = |witness: &mut Witness, at: u64| {
            next += 1;
            witness.observe(&verdict("a", next), 1_000, Boot(at))
        };
        for at in [10, 20, 30, 40, 50, 60, 70, 80, 1_002] {
            assert_eq!(again(&mut witness, at), Identity::TwoAgents, "too early: {at}");
        }
        assert_eq!(again(&mut witness, 1_003), Identity::One);
    }

    #[test]
    fn i2_agents_that_take_turns_are_noticed_however_many_they_are() {
        for agents in 2..40_u64 {
            let mut witness = Witness::default();
            let noticed = (0..agents * 2).any(|turn| {
                let name = alloc::format!("agent-{}", turn % agents);
                let identity = witness.observe(&verdict(&name, turn), 1_000, Boot(turn));
                identity == Identity::TwoAgents
            });
            assert!(noticed, "{agents} agents speak in turn");
            assert!(witness.heard.len() <= AGENTS, "memory is bounded");
        }
    }

    #[test]
    fn i2_a_conflict_does_not_end_while_a_second_agent_is_heard_now_and_then() {
        let mut witness = Witness::default();
        let mut held = 0;
        for turn in 0..200_u64 {
            let name = if turn % 5 == 0 { "clone" } else { "first" };
            // Far apart, as one of many replicas hears them.
            let identity = witness.observe(&verdict(name, turn), 1_000, Boot(turn * 10_000));
            held += u32::from(identity == Identity::TwoAgents);
        }
        assert_eq!(held, 195, "from the clone's second word on");
    }

    #[test]
    fn i2_a_runner_that_starts_now_and_then_is_one_agent() {
        let mut witness = Witness::default();
        for start in 0..40_u64 {
            let name = alloc::format!("agent-{start}");
            let identity = witness.observe(&verdict(&name, 1), 1_000, Boot(start * 1_000));
            assert_eq!(identity, Identity::One, "start {start}");
        }
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
