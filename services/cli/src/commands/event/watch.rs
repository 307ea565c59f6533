//! `snooze event watch`: events and their outcomes as they come.
//!
//! An event is heard when it is sent to its stream. One that is reported twice is heard twice and shown once. What is sent
//! while the connection is lost is not heard, and that is said.

use super::{super::host::refuse_unknown, found::ending};
use crate::{
    arguments::EventWatch,
    print,
    session::{Session, of_bus},
    view::event::{ended, noticed},
};
use serde_json::json;
use snooze_bus::{BusStatus, Delivery, SubjectFilter};
use snooze_schemas::{
    EventId,
    audit::{AuditKind, AuditRecord},
    event::{Event, Scope, Severity},
};
use snooze_service_runtime::{CancellationToken, Exit, Failure};
use std::{
    collections::{HashSet, VecDeque},
    ops::ControlFlow,
};

/// So many ids are remembered, to show none twice and the outcomes of those that are shown.
const REMEMBERED: usize = 10_000;

/// Shows them until shutdown, or until nobody reads any more.
pub(crate) async fn watch(
    session: &Session,
    arguments: EventWatch,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let lowest = Severity::try_from(arguments.severity).map_err(|error| Failure::new(Exit::Usage, error))?;
    let mut events = session
        .bus
        .subscribe(&SubjectFilter::AllEvents, None)
        .await
        .map_err(|error| of_bus(&error))?;
    let mut outcomes = session
        .bus
        .subscribe(&SubjectFilter::AuditOfKind(AuditKind::Event), None)
        .await
        .map_err(|error| of_bus(&error))?;
    if let Some(host) = &arguments.host
        && let Err(unknown) = refuse_unknown(session, host).await
    {
        // It may come.
        print::talk(&unknown.line);
    }
    let mut shown = Shown::default();
    let mut status = session.bus.status();
    status.mark_unchanged();
    let concerns = |scope: &Scope| match (&arguments.host, scope) {
        (Some(wanted), Scope::Host(host)) => wanted == host,
        (Some(_), Scope::Fleet) | (None, _) => true,
    };
    loop {
        // Cancelling any branch loses nothing: what was not taken stays in its subscription.
        let next = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            Ok(()) = status.changed() => {
                if let Some(line) = missed(&status.borrow_and_update()) {
                    print::talk(line);
                }
                continue;
            }
            delivery = events.next() => match delivery {
                None => return Ok(()),
                Some(delivery) => match read::<Event>(&delivery) {
                    Some(event) if event.severity >= lowest && concerns(&event.host) && shown.add(&event.id) => {
                        print(&arguments, &json!({"event": event}), || noticed(&event))?
                    }
                    _ => continue,
                },
            },
            delivery = outcomes.next() => match delivery {
                None => return Ok(()),
                Some(delivery) => match read::<AuditRecord>(&delivery)
                    .and_then(|record| ending(delivery.subject(), &record))
                {
                    // What began before the watch is of interest too; what was left out stays so.
                    Some((id, ending)) if concerns(&ending.host) && (lowest == Severity::Info || shown.has(&id)) => {
                        print(&arguments, &json!({"id": id, "ending": ending}), || ended(&id, &ending))?
                    }
                    _ => continue,
                },
            },
        };
        if next.is_break() {
            return Ok(());
        }
    }
}

/// What is said where the connection changes.
fn missed(status: &BusStatus) -> Option<&'static str> {
    match status {
        BusStatus::Disconnected => {
            Some("the connection to the bus is lost; what comes meanwhile is not shown")
        }
        BusStatus::Connected => {
            Some("the connection is back; `snooze event list` shows what came in between")
        }
        // The command ends with that.
        BusStatus::Fatal(_) => None,
    }
}

fn read<M: snooze_schemas::Message>(delivery: &Delivery) -> Option<M> {
    match delivery.read::<M>() {
        Ok(message) => Some(message),
        Err(refusal) => {
            print::talk(&format!("a message cannot be shown: {refusal}"));
            None
        }
    }
}

fn print(
    arguments: &EventWatch,
    value: &serde_json::Value,
    line: impl FnOnce() -> String,
) -> Result<ControlFlow<()>, Failure> {
    match arguments.output.json {
        true => print::json_line(value),
        false => print::line(&line()),
    }
}

/// What was shown; the oldest is forgotten first.
#[derive(Default)]
struct Shown {
    ids: HashSet<EventId>,
    order: VecDeque<EventId>,
}

impl Shown {
    /// Whether it is new.
    fn add(&mut self, id: &EventId) -> bool {
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id.clone());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }

    fn has(&self, id: &EventId) -> bool {
        self.ids.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_shown_once() {
        let id = |number: usize| -> EventId { format!("e{number}").parse().expect("an id") };
        let mut shown = Shown::default();
        for number in 0..REMEMBERED + 10 {
            assert!(shown.add(&id(number)));
            assert!(!shown.add(&id(number)));
        }
        assert_eq!((shown.ids.len(), shown.order.len()), (REMEMBERED, REMEMBERED));
        assert!(shown.has(&id(10)) && !shown.has(&id(9)));
    }
}
