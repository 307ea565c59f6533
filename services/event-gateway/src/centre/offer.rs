//! Offering one event to one host's runner.

use super::answers::Answers;
use snooze_bus::{Bus, BusStatus, RequestError, RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, HostId,
    event::{Accepted, Event, HandleEvent},
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{sync::Arc, time::Duration};

/// A runner journals and answers; it does not handle first.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// Why an event ends that its host never answered to.
pub(crate) const NO_ANSWER: &str = "the runner did not take it in time: it did not answer";

/// What became of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// The runner has it in its journal.
    Accepted,
    /// It will never take it.
    Refused(String),
    /// Its deadline has passed on the host, and it was not accepted before.
    TooLate,
    /// The host is there and does not take it now. Asked again it says.
    Busy(String),
    /// The host is on the bus and did not say whether it took it. Asked again it says.
    Silent,
    /// The host is not on the bus.
    Away,
    /// Nothing was asked: it is not the host's fault.
    NotAsked(String),
}

/// What events are offered with.
#[derive(Debug, Clone)]
pub(crate) struct Offers {
    bus: Bus,
    clocks: Clocks,
    answers: Arc<Answers>,
}

impl Offers {
    pub(crate) fn new(bus: Bus, clocks: Clocks) -> Offers {
        Offers {
            bus,
            clocks,
            answers: Arc::default(),
        }
    }

    /// Asks a host's runner to take an event, and waits only for as long as runners usually take: whoever asks has a
    /// place that other hosts' events need. One that did not answer a moment ago is not asked at all.
    pub(crate) async fn promptly(&self, event: &Arc<Event>, host: &HostId, left: Option<Duration>) -> Offer {
        if self.answers.is_silent(host, self.clocks.boottime_ms()) {
            return Offer::Silent;
        }
        let since = self.clocks.boottime_ms();
        let mut asking = std::pin::pin!(self.patiently(event, host, left));
        loop {
            let waited = Duration::from_millis(self.clocks.boottime_ms().saturating_sub(since));
            let Some(rest) = self
                .answers
                .usual()
                .checked_sub(waited)
                .filter(|rest| !rest.is_zero())
            else {
                return self.unanswered(host, waited);
            };
            // Cancelling the asking loses an answer that comes later: the runner knows the event when asked again.
            tokio::select! {
                offer = &mut asking => return offer,
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    /// Asks a host's runner to take an event, and tells it how much time is left. One whose time is up is offered
    /// all the same: the runner may have accepted it before, and then says so.
    pub(crate) async fn patiently(&self, event: &Arc<Event>, host: &HostId, left: Option<Duration>) -> Offer {
        let subject = Subject::Runner {
            host: host.clone(),
            verb: RunnerVerb::HandleEvent,
        };
        let question = HandleEvent {
            event: Event::clone(event),
            left_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        };
        let within = left
            .filter(|left| !left.is_zero())
            .map_or(ACCEPT_WITHIN, |left| left.min(ACCEPT_WITHIN));
        let since = self.clocks.boottime_ms();
        let answer = self.bus.request::<_, Accepted>(&subject, &question, within).await;
        let took = Duration::from_millis(self.clocks.boottime_ms().saturating_sub(since));
        let offer = match answer {
            Ok(Accepted { accepted: true, .. }) => Offer::Accepted,
            Ok(_) => Offer::Refused("it did not accept".to_owned()),
            Err(RequestError::NoResponders { .. }) => {
                self.answers.forgive(host);
                return Offer::Away;
            }
            Err(RequestError::Refused { source, .. }) => match source.code {
                ErrorCode::BadRequest
                | ErrorCode::UnknownVersion
                | ErrorCode::Forbidden
                | ErrorCode::NotFound => Offer::Refused(source.message),
                ErrorCode::TooLate => Offer::TooLate,
                // The rest may be over at the next try.
                _ => Offer::Busy(source.message),
            },
            Err(RequestError::TimedOut { .. }) => return self.unanswered(host, took),
            Err(RequestError::Bus(error)) => return Offer::NotAsked(one_line(&error)),
            Err(error) => Offer::Busy(one_line(&error)),
        };
        self.answers.heard(host, took);
        offer
    }

    /// A host said by itself that it is there.
    pub(crate) fn said_hello(&self, host: &HostId) {
        self.answers.forgive(host);
    }

    /// Without a server nobody can answer, and who is given less time than others take has missed nothing: neither
    /// says anything of the host.
    fn unanswered(&self, host: &HostId, waited: Duration) -> Offer {
        if *self.bus.status().borrow() != BusStatus::Connected {
            return Offer::NotAsked("the connection was lost while a host was asked".to_owned());
        }
        if waited >= self.answers.usual() {
            self.answers.missed(host, self.clocks.boottime_ms());
        }
        Offer::Silent
    }
}
