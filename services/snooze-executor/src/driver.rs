//! Drives one claim's machine: carries out what it plans, feeds back what came of it, tells it the time.
//!
//! Beats go on beside slow steps, because the machine plans them side by side. This loop never waits for
//! a step before it hears of something else, and decides nothing.

use crate::{
    mirror::HostWatch,
    perform::{Performer, name, unanswered},
};
use snooze_decision::{
    claim::{Action, Answer, End, Input, Phase, Planned, Ticket},
    plan_check::Guarded,
};
use snooze_service_runtime::CancellationToken;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::task::{Id, JoinSet};

/// The longest nap between two looks at the clock. The machine counts on the boot-time clock and timers
/// run on the monotonic one: after a suspend this is by how much a wake-up can be late.
const LONGEST_NAP: Duration = Duration::from_secs(2);

/// Steps in flight, and what each is to be answered with where its task dies.
struct InFlight {
    tasks: JoinSet<(Ticket, Answer)>,
    tickets: HashMap<Id, (Ticket, Answer)>,
}

impl InFlight {
    fn start(&mut self, performer: &Arc<Performer>, planned: Planned) {
        let ticket = planned.ticket;
        let silence = unanswered(&planned.action)(planned.within_ms);
        let step = name(&planned.action);
        let handle = self.tasks.spawn(tracing::Instrument::in_current_span(
            Arc::clone(performer).perform(planned),
        ));
        tracing::trace!(step, "a step begins");
        self.tickets.insert(handle.id(), (ticket, silence));
    }

    /// The next answer; waits for ever where nothing is in flight. Cancelling loses nothing.
    async fn next(&mut self) -> (Ticket, Answer) {
        loop {
            match self.tasks.join_next_with_id().await {
                Some(Ok((id, answered))) => {
                    self.tickets.remove(&id);
                    return answered;
                }
                Some(Err(died)) => {
                    tracing::error!(error = %died, "a step of a claim died");
                    if let Some(silent) = self.tickets.remove(&died.id()) {
                        return silent;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }
}

/// Runs a machine to its end. When `shutdown` is cancelled the claim is given up where that is still
/// possible; where it is not and nothing is left but to watch, it is left to another executor, and
/// nothing comes back.
pub(crate) async fn drive(
    mut machine: Guarded,
    first: Vec<Planned>,
    performer: Arc<Performer>,
    mut watch: HostWatch,
    shutdown: CancellationToken,
) -> Option<End> {
    let mut in_flight = InFlight {
        tasks: JoinSet::new(),
        tickets: HashMap::new(),
    };
    let mut plans = first;
    let mut told_to_end = false;
    loop {
        for planned in plans {
            if let Action::Finished(end) = planned.action {
                // What is still in flight no longer matters to anybody; dropping it ends it.
                return Some(end);
            }
            in_flight.start(&performer, planned);
        }
        if told_to_end && is_watched(&machine) {
            return None;
        }
        let now = performer.now();
        let nap = machine.holder().wake_at().map_or(LONGEST_NAP, |at| {
            Duration::from_millis(at.since(now.boot)).min(LONGEST_NAP)
        });
        // Cancelling any branch loses nothing: answers stay in the set, watches keep the newest value.
        let input = tokio::select! {
            biased;
            (ticket, answer) = in_flight.next() => Input::Answer { ticket, answer },
            input = watch.changed() => input,
            () = shutdown.cancelled(), if !told_to_end => {
                told_to_end = true;
                Input::GiveUp { reason: "the executor is shutting down".to_owned() }
            }
            () = tokio::time::sleep(nap) => Input::Tick,
        };
        plans = match machine.step(performer.now(), input) {
            Ok(plans) => plans,
            Err(violation) => {
                // Nothing of it is carried out. The claim is left as one whose holder is gone.
                tracing::error!(host = %performer.host, %violation, "a plan broke a rule and was not carried out");
                return None;
            }
        };
    }
}

/// Whether the call is over and its effect is waited for, which any executor can do.
fn is_watched(machine: &Guarded) -> bool {
    let claim = machine.holder().key().value.claim.as_ref();
    claim.is_some_and(|claim| matches!(claim.phase, Phase::Stopping | Phase::Unknown))
}
