//! What there is to ask for, and what is made of the answers: from bytes, and what was read before, to happenings.
//!
//! It asks nobody, and an answer that cannot be read changes nothing in it.

use super::{
    field::Unreadable,
    identity::{self, Identity},
    lifecycle::{self, Lifecycle},
    maintenance::{self, Maintenance},
    spot::{self, Change, Interrupt, Rebalance},
};
use crate::happening::Happening;
use snooze_schemas::Timestamp;

/// One path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Identity,
    Interrupt,
    Rebalance,
    Lifecycle,
    Scheduled,
    History,
}

impl What {
    /// In the order in which they are asked: first what notices name, then what is most urgent.
    pub(super) const ALL: [What; 6] = [
        What::Identity,
        What::Interrupt,
        What::Rebalance,
        What::Lifecycle,
        What::Scheduled,
        What::History,
    ];

    pub(super) fn path(self) -> &'static str {
        match self {
            What::Identity => identity::PATH,
            What::Interrupt => spot::INTERRUPT_PATH,
            What::Rebalance => spot::REBALANCE_PATH,
            What::Lifecycle => lifecycle::PATH,
            What::Scheduled => maintenance::SCHEDULED_PATH,
            What::History => maintenance::HISTORY_PATH,
        }
    }

    /// The type of what is noticed there.
    pub(super) fn event_type(self) -> &'static str {
        match self {
            What::Identity => "",
            What::Interrupt => "cloud.spot.interrupt",
            What::Rebalance => "cloud.spot.rebalance",
            What::Lifecycle => "cloud.autoscaling.scale",
            What::Scheduled | What::History => "cloud.instance.maintenance",
        }
    }
}

/// What is remembered of the answers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    identity: Option<Identity>,
    interrupt: Interrupt,
    rebalance: Rebalance,
    lifecycle: Lifecycle,
    maintenance: Maintenance,
}

impl Memory {
    /// Whether this is to be asked at all.
    pub(super) fn wants(&self, what: What) -> bool {
        match what {
            What::Identity => self.identity.is_none(),
            What::History => self.maintenance.owes_history(),
            _ => true,
        }
    }

    /// What is made of it that the history could not be read now.
    pub(super) fn without_history(&mut self, now: Timestamp) -> Vec<Happening> {
        self.maintenance.without_history(now, self.identity.as_ref())
    }

    /// What an answer says that was not known before, and what of it could not be read. None is a 404.
    pub(super) fn read(
        &mut self,
        what: What,
        answer: Option<&[u8]>,
        now: Timestamp,
    ) -> (Vec<Happening>, Option<Unreadable>) {
        let identity = self.identity.as_ref();
        let read = match what {
            What::Identity => {
                let absent = Err(Unreadable::new("the identity document is not there"));
                let read = answer.map_or(absent, identity::read);
                read.map(|identity| {
                    self.identity = Some(identity);
                    None
                })
            }
            What::Interrupt => self.interrupt.read(answer, now, identity).map(spoken),
            What::Rebalance => self.rebalance.read(answer, identity),
            What::Lifecycle => self.lifecycle.read(answer, identity),
            What::Scheduled => {
                let read = self.maintenance.scheduled(answer, identity);
                return (read.happenings, read.trouble);
            }
            What::History => {
                let read = self.maintenance.history(answer, now, identity);
                return (read.happenings, read.trouble);
            }
        };
        match read {
            Ok(happening) => (happening.into_iter().collect(), None),
            Err(unreadable) => (Vec::new(), Some(unreadable)),
        }
    }
}

/// Says what is no event of its own.
fn spoken(change: Change) -> Option<Happening> {
    match change {
        Change::Nothing => None,
        Change::Announced(happening) => Some(*happening),
        Change::Altered { action, time } => {
            tracing::warn!(action, %time, "the interruption that was announced has changed");
            None
        }
        Change::Withdrawn => {
            tracing::warn!("the interruption that was announced is not announced any more");
            None
        }
    }
}
