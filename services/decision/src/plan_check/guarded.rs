//! A claim's machine and its checker as one, so that no plan leaves uninspected.

use super::{Checker, Violation};
use crate::claim::{Drawn, Entry, Holder, HostRecord, Input, Opening, Planned, Terms};
use crate::time::Now;
use alloc::vec::Vec;

/// A machine whose every plan is inspected. After a violation it plans nothing more: the claim is left to
/// be taken over.
#[derive(Debug)]
pub struct Guarded {
    holder: Holder,
    checker: Checker,
    broken: Option<Violation>,
}

impl Guarded {
    /// [`Holder::claim`], inspected.
    ///
    /// # Errors
    /// The rule that the first plan breaks.
    pub fn claim(
        terms: Terms,
        drawn: Drawn,
        opening: Opening<'_>,
        now: Now,
    ) -> Result<(Guarded, Vec<Planned>), Violation> {
        let checker = Checker::new(&terms, drawn.holder.clone(), opening.key.clone());
        let (holder, plans) = Holder::claim(terms, drawn, opening, now);
        Guarded::begin(holder, checker, now, plans)
    }

    /// [`Holder::take_over`], inspected.
    ///
    /// # Errors
    /// The rule that the first plan breaks.
    pub fn take_over(
        terms: Terms,
        drawn: Drawn,
        abandoned: &Entry<HostRecord>,
        now: Now,
    ) -> Result<(Guarded, Vec<Planned>), Violation> {
        let checker = Checker::new(&terms, drawn.holder.clone(), abandoned.clone());
        let (holder, plans) = Holder::take_over(terms, drawn, abandoned, now);
        Guarded::begin(holder, checker, now, plans)
    }

    fn begin(
        holder: Holder,
        checker: Checker,
        now: Now,
        plans: Vec<Planned>,
    ) -> Result<(Guarded, Vec<Planned>), Violation> {
        let mut guarded = Guarded {
            holder,
            checker,
            broken: None,
        };
        let plans = guarded.inspected(now, plans)?;
        Ok((guarded, plans))
    }

    /// [`Holder::step`], inspected.
    ///
    /// # Errors
    /// The rule that a plan breaks; then none of them is to be carried out.
    pub fn step(&mut self, now: Now, input: Input) -> Result<Vec<Planned>, Violation> {
        if let Some(violation) = self.broken {
            return Err(violation);
        }
        self.checker.heard(now, &input);
        let plans = self.holder.step(now, input);
        self.inspected(now, plans)
    }

    fn inspected(&mut self, now: Now, plans: Vec<Planned>) -> Result<Vec<Planned>, Violation> {
        for planned in &plans {
            if let Err(violation) = self.checker.inspect(now, planned) {
                self.broken = Some(violation);
                return Err(violation);
            }
        }
        Ok(plans)
    }

    /// The machine inside, to look at.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.holder
    }
}
