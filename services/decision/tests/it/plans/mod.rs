//! The checker refuses every plan that breaks a rule: one test for each rule, on a claim that is right up to
//! the very plan that is spoilt.

mod calls;
mod writes;

use crate::bench::{Bench, Logged, Step};
use snooze_decision::claim::{Action, Answer, Batch, Entry, Input, Planned, Ticket, Verified};
use snooze_decision::{Checker, Violation};

/// A checker that has seen all of a claim up to this step, the step's plan, and when it was made.
struct Before {
    checker: Checker,
    bench: Bench,
    planned: Planned,
}

fn before(step: Step) -> Before {
    before_with(Bench::at(step), step, |_| {})
}

/// The same, with the answers of verifications changed on the way to the checker.
fn before_with(bench: Bench, step: Step, change: impl Fn(&mut Verified)) -> Before {
    let key = Entry::default();
    let mut checker = Checker::new(&bench.terms(), "holder-1".to_owned(), key);
    for (now, line) in bench.log.clone() {
        match line {
            Logged::Told(mut input) => {
                if let Input::Answer {
                    answer: Answer::Verified(answer),
                    ..
                } = &mut input
                {
                    change(answer);
                }
                checker.heard(now, &input);
            }
            Logged::Planned(planned) if step.is(&planned.action) => {
                assert_eq!(now, bench.now, "the step is next");
                return Before {
                    checker,
                    bench,
                    planned,
                };
            }
            Logged::Planned(planned) => checker.inspect(now, &planned).expect("right up to here"),
        }
    }
    panic!("{step:?} was never planned");
}

impl Before {
    fn inspect(&mut self, planned: &Planned) -> Result<(), Violation> {
        self.checker.inspect(self.bench.now, planned)
    }

    /// What the checker says of the step's plan.
    fn step(&mut self) -> Result<(), Violation> {
        let planned = self.planned.clone();
        self.inspect(&planned)
    }

    /// Spoils the batch of the step's plan.
    fn spoilt(&mut self, spoil: impl FnOnce(&mut Batch)) -> Result<(), Violation> {
        let mut planned = self.planned.clone();
        let Action::Write(batch) = &mut planned.action else {
            panic!("not a write: {planned:?}")
        };
        spoil(batch);
        self.inspect(&planned)
    }

    /// The step's plan once more, with a ticket of its own.
    fn again(&mut self) -> Result<(), Violation> {
        let mut planned = self.planned.clone();
        planned.ticket = Ticket(planned.ticket.0 + 1);
        self.inspect(&planned)
    }

    fn hear(&mut self, answer: Answer) {
        let ticket = self.planned.ticket;
        self.checker
            .heard(self.bench.now, &Input::Answer { ticket, answer });
    }
}

/// The plan of a step that the claim never came to, taken from another run.
fn plan_of(step: Step) -> Planned {
    let mut planned = before(step).planned;
    planned.ticket = Ticket(u64::MAX);
    planned
}
