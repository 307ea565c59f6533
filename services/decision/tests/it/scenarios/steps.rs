//! What each step of a scenario does: givens set a host up, whens move its claim and the world, thens look.

use super::words::{self, not_understood};
use crate::bench::{Bench, acting, idle_vote, vote};
use crate::deciding::Desk;
use snooze_decision::claim::{
    Action, Answer, CallOutcome, End, Entry, Frozen, HostRecord, Input, Lease, Outcome, Postponement,
    PrepareState, RequestRefused, Tags, Wake, apply_freeze, apply_lease, apply_postponement, apply_thaw,
    apply_veto, apply_wake, note_running, start_is_due,
};
use snooze_decision::decide::{Identity, Slots};
use snooze_decision::{Decision, Mode, VoterRule, explain};

/// One scenario on its way.
pub(super) struct Scene {
    pub(super) name: String,
    desk: Desk,
    bench: Option<Bench>,
    refused: Option<RequestRefused>,
    broken: bool,
}

type Done = Result<(), String>;

impl Scene {
    pub(super) fn new(name: &str) -> Scene {
        let mut desk = Desk::default();
        // Nobody is at the machine unless the scenario says so.
        desk.votes(vec![idle_vote("people", 24 * 3_600_000)]);
        Scene {
            name: name.to_owned(),
            desk,
            bench: None,
            refused: None,
            broken: false,
        }
    }

    pub(super) fn broken(mut self) -> Scene {
        self.broken = true;
        self
    }

    pub(super) fn given(&mut self, text: &str) -> Done {
        if self.broken {
            return Ok(());
        }
        if let Some(rest) = text.strip_prefix("the policy ") {
            return self.policy(rest);
        }
        if let Some(tag) = text.strip_prefix("the tag ") {
            let (tag, value) = tag.split_once('=').unwrap_or((tag, ""));
            self.desk.tags.insert(tag.to_owned(), value.to_owned());
            return Ok(());
        }
        let wall = self.desk.wall;
        match text {
            "no verdict was heard" => self.desk.verdict = None,
            "nobody looks for people" => {
                let verdict = self.desk.verdict.as_mut().ok_or("no verdict")?;
                verdict.votes.retain(|vote| vote.voter != "people");
            }
            "the host is not enrolled" => self.desk.enrolled = false,
            "the host carries the executor" => self.desk.carries_executor = true,
            "two agents speak for the host" => self.desk.identity = Identity::TwoAgents,
            "the kill switch is closed" => {
                self.desk.gate.frozen = Some(frozen());
            }
            "all slots are taken" => self.desk.slots = Slots::AllTaken { limit: 5 },
            _ => match text.split_once(" for ") {
                Some(("leased", time)) => {
                    let until = wall.plus(words::duration(time)?);
                    self.desk.key.value.leases.push(lease(until));
                }
                Some(("postponed", time)) => {
                    self.desk.key.value.postponement = Some(postponement(wall.plus(words::duration(time)?)));
                }
                Some(("cooling down", time)) => {
                    self.desk.key.value.not_before = Some(wall.plus(words::duration(time)?));
                }
                Some(("nothing heard", time)) => self.desk.heard_ago_ms = words::duration(time)?,
                Some(("up", time)) => {
                    let verdict = self.desk.verdict.as_mut().ok_or("no verdict")?;
                    verdict.uptime_ms = words::duration(time)?;
                }
                _ => return self.vote(text),
            },
        }
        Ok(())
    }

    /// `cpu idle for 40 min`, `people busy`, `database unknown`.
    fn vote(&mut self, text: &str) -> Done {
        let verdict = self
            .desk
            .verdict
            .as_mut()
            .ok_or("no verdict was heard, so nobody votes")?;
        let (voter, said) = text
            .split_once(' ')
            .ok_or_else(|| format!("not understood: {text:?}"))?;
        let one = match said.strip_prefix("idle for ") {
            Some(time) => idle_vote(voter, words::duration(time)?),
            None => vote(voter, words::vote(said)?),
        };
        verdict.votes.retain(|other| other.voter != voter);
        verdict.votes.push(one);
        Ok(())
    }

    fn policy(&mut self, text: &str) -> Done {
        let values = &mut self.desk.values;
        if let Some(mode) = text.strip_prefix("combines ") {
            values.combine = words::combine(mode)?;
        } else if let Some(time) = text.strip_prefix("has a naptime of ") {
            values.naptime_ms = words::duration(time)?;
        } else if let Some(tag) = text.strip_prefix("wants the tag ") {
            values.opt_in_tag = Some(tag.to_owned());
        } else if let Some((voter, role)) = text.strip_prefix("makes ").and_then(|rest| rest.split_once(' '))
        {
            let role = Some(words::role(role)?);
            values
                .voters
                .insert(voter.to_owned(), VoterRule { role, weight: None });
        } else {
            match text {
                "only observes" => values.mode = Mode::Observe,
                "allows self-stop" => values.self_stop = true,
                _ => return not_understood(text),
            }
        }
        Ok(())
    }

    pub(super) fn when(&mut self, text: &str) -> Done {
        if self.broken {
            return Ok(());
        }
        if text == "the host is claimed" {
            return self.claim();
        }
        let bench = self.bench.as_mut().ok_or("the host is not claimed yet")?;
        let now = bench.now.wall;
        if let Some(step) = text.strip_prefix("it comes to ") {
            bench.up_to(words::step(step)?);
        } else if let Some(time) = text.strip_suffix(" pass") {
            bench.pass(words::duration(time)?);
            bench.tell(Input::Tick);
        } else if let Some(reason) = text.strip_prefix("the instance is protected: ") {
            bench.forbids.push(reason.to_owned());
        } else if let Some(state) = text.strip_prefix("the instance is ") {
            bench.instance = words::instance(state)?;
        } else if let Some(tag) = text.strip_prefix("somebody sets the tag ") {
            bench.instance_tags.insert(tag.to_owned(), "true".to_owned());
        } else if let Some((voter, state)) = text
            .strip_prefix("voter ")
            .and_then(|rest| rest.split_once(" is "))
        {
            let state = words::vote(state)?;
            bench.verdict.votes.retain(|one| one.voter != voter);
            bench.verdict.votes.push(vote(voter, state));
        } else {
            match text {
                "it goes on to the end" => bench.finish(),
                "its executor is lost" => bench.lose_holder(),
                "another executor takes over" => bench.take_over(),
                "the host comes up again" => bench.self_boot = Some("boot-2".to_owned()),
                "somebody leases the host" => {
                    return self.request(|key| apply_lease(key, lease(now.plus(3_600_000)), now));
                }
                "somebody postpones the stop" => {
                    return self.request(|key| apply_postponement(key, postponement(now.plus(600_000)), now));
                }
                "somebody vetoes" => return self.request(|key| apply_veto(key, "a veto".to_owned())),
                "somebody wakes the host" => return self.request(|key| Ok(apply_wake(key, wake(now)))),
                "the host is seen running" => return self.request(|key| Ok(note_running(key, now))),
                "somebody freezes" => bench
                    .store
                    .put_gate(apply_freeze(&bench.store.gate.value, frozen())),
                "somebody thaws" => bench.store.put_gate(apply_thaw(&bench.store.gate.value)),
                "the preparation fails" => bench.prepare = PrepareState::Failed,
                "the call is not answered" => bench.outcome = unknown(),
                "the call is refused" => bench.outcome = refused(),
                "the call is not answered and without effect" => {
                    bench.outcome = unknown();
                    bench.after_call = bench.instance;
                }
                "the write is lost on the way" => bench.answer_next(Answer::Ambiguous),
                "only its acknowledgement is lost" => land_without_answer(bench)?,
                _ => return not_understood(text),
            }
        }
        Ok(())
    }

    fn claim(&mut self) -> Done {
        let explained = self.desk.decide();
        if explained.decision != Decision::Claim {
            return Err(format!(
                "it is not to be claimed: {}",
                explain::summary(&explained)
            ));
        }
        let mut values = self.desk.values.clone();
        values.mode = acting().mode;
        let mut bench = Bench::new(values);
        bench.self_boot = self.desk.carries_executor.then(|| "boot-1".to_owned());
        bench.verdict = self.desk.verdict.clone().ok_or("no verdict")?;
        bench.claim();
        self.bench = Some(bench);
        Ok(())
    }

    fn request(
        &mut self,
        change: impl FnOnce(&Entry<HostRecord>) -> Result<HostRecord, RequestRefused>,
    ) -> Done {
        let bench = self.bench.as_mut().ok_or("the host is not claimed yet")?;
        match change(&bench.key()) {
            Ok(record) => {
                bench.change(|_| record);
                self.refused = None;
            }
            Err(why) => self.refused = Some(why),
        }
        Ok(())
    }

    pub(super) fn then(&mut self, text: &str) -> Done {
        if self.broken {
            return Ok(());
        }
        match &self.bench {
            Some(bench) => after_claim(bench, self.refused.as_ref(), text),
            None => decided(&self.desk, text),
        }
    }
}

/// Expectations of a decision.
fn decided(desk: &Desk, text: &str) -> Done {
    let explained = desk.decide();
    let summary = explain::summary(&explained);
    let holds = match (text, explained.decision) {
        ("the host is claimed", decision) => decision == Decision::Claim,
        ("the host stays up", decision) => decision == Decision::Stay,
        ("it would be stopped but is only observed", decision) => decision == Decision::ObserveOnly,
        (text, decision) => {
            if let Some(time) = text.strip_prefix("it waits for ") {
                decision
                    == Decision::Wait {
                        ms: words::duration(time)?,
                    }
            } else if let Some(time) = text.strip_prefix("it has been idle for ") {
                explained.idleness.ms() == words::duration(time)?
            } else if let Some(words) = text.strip_prefix("because ") {
                explain::sentences(&explained)
                    .iter()
                    .any(|sentence| sentence.contains(words))
            } else {
                return not_understood(text);
            }
        }
    };
    let all = explain::sentences(&explained);
    if holds {
        Ok(())
    } else {
        Err(format!("{:?}: {summary} {all:?}", explained.decision))
    }
}

/// Expectations of a claim.
fn after_claim(bench: &Bench, refused: Option<&RequestRefused>, text: &str) -> Done {
    let record = bench.key().value;
    let phase = record.phase_name();
    let cancelled = match &bench.end {
        Some(End::Freed {
            outcome: Outcome::Cancelled { reason },
        }) => Some(reason.as_str()),
        _ => None,
    };
    let holds = match text {
        "it was never called" => bench.calls() == 0,
        "it was called once" => bench.calls() == 1,
        "the stop is confirmed" => {
            bench.end
                == Some(End::Freed {
                    outcome: Outcome::Stopped,
                })
        }
        "the answer is too late" => matches!(refused, Some(RequestRefused::TooLate { .. })),
        "the answer is yes" => refused.is_none(),
        "the slot is free" => bench.store.all_free(),
        "the slot is taken" => !bench.store.all_free(),
        "the tags say stopped" => matches!(bench.tags(), Some(Tags::Stopped { .. })),
        "the tags say running" => bench.tags() == Some(&Tags::Running),
        "the tags say nothing" => bench.tags().is_none(),
        "the host was told" => bench.count(|action| matches!(action, Action::Cancel { .. })) > 0,
        "the machine is to be started" => start_is_due(&record),
        "nothing is to be started" => !start_is_due(&record),
        "it is leased" => !record.leases.is_empty(),
        "it cools down" => record.not_before.is_some(),
        _ => {
            if let Some(expected) = text.strip_prefix("the host is ") {
                phase == expected
            } else if let Some(words) = text.strip_prefix("it was cancelled because ") {
                cancelled.is_some_and(|reason| reason.contains(words))
            } else {
                return not_understood(text);
            }
        }
    };
    let calls = bench.calls();
    if holds {
        Ok(())
    } else {
        Err(format!("the host is {phase}, {calls} calls, end {:?}", bench.end))
    }
}

/// The next write lands, and nobody hears of it.
fn land_without_answer(bench: &mut Bench) -> Done {
    let planned = bench.next().ok_or("nothing is planned")?;
    let Action::Write(batch) = &planned.action else {
        return Err("the next step is not a write".to_owned());
    };
    bench.store.apply(0, batch).ok_or("the write does not land")?;
    let ticket = planned.ticket;
    let answer = Answer::Ambiguous;
    bench.tell(Input::Answer { ticket, answer });
    Ok(())
}

fn unknown() -> CallOutcome {
    let reason = "time-out".to_owned();
    CallOutcome::Unknown { reason }
}

fn refused() -> CallOutcome {
    let reason = "not allowed".to_owned();
    CallOutcome::Refused { reason }
}

fn frozen() -> Frozen {
    Frozen {
        since: snooze_decision::Wall(1),
        reason: "a drill".to_owned(),
        by: "ada".to_owned(),
    }
}

fn lease(until: snooze_decision::Wall) -> Lease {
    Lease {
        id: "job".to_owned(),
        until,
        reason: "a long job".to_owned(),
        holder: "ada".to_owned(),
    }
}

fn postponement(until: snooze_decision::Wall) -> Postponement {
    let reason = "later".to_owned();
    Postponement { until, reason }
}

fn wake(at: snooze_decision::Wall) -> Wake {
    Wake {
        at,
        reason: "work".to_owned(),
        by: "ada".to_owned(),
    }
}
