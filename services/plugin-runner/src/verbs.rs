//! What a host's runner can be asked on the bus, and by whom it is answered.
//!
//! Every request is answered, failures included, within the verbs' limit. What takes longer is carried on
//! all the same: a promise may be on the disk already. Each kind of request has places of its own, so that
//! a flood of events turns away no `verify`, and one of the lower severities none of the higher (E3).

use crate::{
    events::Desk,
    inspect::Inspector,
    prepare::Preparations,
    set::{self, Order},
    verify::Verifier,
};
use serde::{Serialize, de::DeserializeOwned};
use snooze_bus::{BusError, Delivery, RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, Message, PluginName, Refusal,
    event::{HandleEvent, ReadProgress, Severity},
    host::{Cancel, ListPlugins, Prepare, Verify},
    plugin::management::{LoadPlugin, ReloadPlugins, UnloadPlugin},
    reply::Empty,
};
use snooze_service_runtime::exit::one_line;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tracing::Instrument;

/// So many questions about plugins are answered at once; each asks every plugin on the bus.
const LISTS: usize = 4;

/// So many people may have plugins asked at once. One that hangs takes as long as a verb may, and all the while others
/// are to see how plugins are.
const CHECKS: usize = 4;

/// So many orders about plugins are carried out at once; a person gives one at a time.
const ARRANGEMENTS: usize = 4;

/// So many of `prepare`, `verify` and `cancel` are answered at once: a stop needs one.
const STOPS: usize = 16;

/// So many events of one severity wait for the journal at once.
const EVENTS: usize = 16;

/// The places of each kind of request.
#[derive(Debug)]
pub(crate) struct Places {
    lists: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    arrangements: Arc<Semaphore>,
    stops: Arc<Semaphore>,
    events: [Arc<Semaphore>; Severity::DESCENDING.len()],
}

impl Default for Places {
    fn default() -> Self {
        Places {
            lists: Arc::new(Semaphore::new(LISTS)),
            checks: Arc::new(Semaphore::new(CHECKS)),
            arrangements: Arc::new(Semaphore::new(ARRANGEMENTS)),
            stops: Arc::new(Semaphore::new(STOPS)),
            events: std::array::from_fn(|_| Arc::new(Semaphore::new(EVENTS))),
        }
    }
}

/// What the verbs work with.
#[derive(Debug)]
pub(crate) struct Verbs {
    /// Every verb is answered within this, whatever it waits for.
    pub limit: Duration,
    /// So many at once.
    pub places: Places,
    /// Where events are handled.
    pub desk: Arc<Desk>,
    /// Prepares for a stop.
    pub preparations: Arc<Preparations>,
    /// Looks afresh.
    pub verifier: Arc<Verifier>,
    /// Starts and ends plugins.
    pub house: set::Desk,
    /// Tells people of the plugins.
    pub inspector: Arc<Inspector>,
}

impl Verbs {
    /// Answers one request.
    pub(crate) async fn answer(self: Arc<Self>, delivery: Delivery) {
        let Subject::Runner { verb, .. } = delivery.subject() else {
            return;
        };
        let verb = *verb;
        let answered = self.dispatch(verb, &delivery).await;
        if let Err(error) = answered {
            tracing::warn!(
                verb = verb.as_str(),
                error = one_line(&error),
                "an answer was not sent"
            );
        }
    }

    async fn dispatch(self: Arc<Self>, verb: RunnerVerb, delivery: &Delivery) -> Result<(), BusError> {
        let stops = &self.places.stops;
        match verb {
            RunnerVerb::Prepare => {
                let prepared = match delivery.read::<Prepare>() {
                    Ok(request) => {
                        let preparations = self.preparations.clone();
                        within_limit(self.limit, verb, stops, async move {
                            preparations.prepare(request).await
                        })
                        .await
                    }
                    Err(refusal) => Err(refusal),
                };
                delivery.answer(prepared).await
            }
            RunnerVerb::Cancel => {
                let cancelled = match delivery.read::<Cancel>() {
                    Ok(request) => {
                        let preparations = self.preparations.clone();
                        within_limit(self.limit, verb, stops, async move {
                            preparations.cancel(&request).await
                        })
                        .await
                    }
                    Err(refusal) => Err(refusal),
                };
                delivery.answer(cancelled.map(|()| Empty {})).await
            }
            RunnerVerb::Verify => {
                let verified = match delivery.read::<Verify>() {
                    Ok(question) => {
                        let verifier = self.verifier.clone();
                        within_limit(self.limit, verb, stops, async move {
                            verifier.verify(&question).await
                        })
                        .await
                    }
                    Err(refusal) => Err(refusal),
                };
                delivery.answer(verified).await
            }
            RunnerVerb::HandleEvent => {
                let accepted = match delivery.read::<HandleEvent>() {
                    Ok(request) => {
                        let places = &self.places.events[usize::from(u8::from(request.event.severity))];
                        let desk = self.desk.clone();
                        let left = request.left_ms.map(Duration::from_millis);
                        let accept = async move { desk.accept(request.event, left).await };
                        within_limit(self.limit, verb, places, accept).await
                    }
                    Err(refusal) => Err(refusal),
                };
                delivery.answer(accepted).await
            }
            RunnerVerb::Plugins => self.inspect(verb, delivery, Inspector::list).await,
            RunnerVerb::Check => self.inspect(verb, delivery, Inspector::check).await,
            RunnerVerb::Logs => self.inspect(verb, delivery, Inspector::log).await,
            RunnerVerb::Stats => self.inspect(verb, delivery, Inspector::stats).await,
            RunnerVerb::Progress => {
                let told = match delivery.read::<ReadProgress>() {
                    Ok(asked) => {
                        let told = self.desk.clone().progress(asked);
                        within_limit(self.limit, verb, &self.places.lists, told).await
                    }
                    Err(refusal) => Err(refusal),
                };
                delivery.answer(told).await
            }
            RunnerVerb::Validate => self.inspect(verb, delivery, Inspector::validate).await,
            RunnerVerb::Load => {
                self.arrange(verb, delivery, |asked: LoadPlugin| {
                    let name = asked.plugin;
                    (Order::Load(name.clone()), Some(name))
                })
                .await
            }
            RunnerVerb::Unload => {
                self.arrange(verb, delivery, |asked: UnloadPlugin| {
                    let name = asked.plugin;
                    (Order::Unload(name.clone()), Some(name))
                })
                .await
            }
            RunnerVerb::Reload => {
                self.arrange(verb, delivery, |asked: ReloadPlugins| {
                    let name = asked.plugin;
                    (Order::Reload(name.clone()), name)
                })
                .await
            }
        }
    }

    /// Has something done about a plugin, or all, and answers with how they are then.
    async fn arrange<M: Message + DeserializeOwned>(
        &self,
        verb: RunnerVerb,
        delivery: &Delivery,
        order: impl FnOnce(M) -> (Order, Option<PluginName>),
    ) -> Result<(), BusError> {
        let answer = match delivery.read::<M>() {
            Ok(asked) => {
                let (order, plugin) = order(asked);
                let (house, inspector) = (self.house.clone(), self.inspector.clone());
                let work = async move {
                    house.order(order).await?;
                    inspector.list(ListPlugins { plugin }).await
                };
                within_limit(self.limit, verb, &self.places.arrangements, work).await
            }
            Err(refusal) => Err(refusal),
        };
        delivery.answer(answer).await
    }

    /// Answers a question that changes nothing.
    async fn inspect<M, R, F>(
        &self,
        verb: RunnerVerb,
        delivery: &Delivery,
        look: impl FnOnce(Arc<Inspector>, M) -> F,
    ) -> Result<(), BusError>
    where
        M: Message + DeserializeOwned,
        R: Serialize + Send + 'static,
        F: Future<Output = Result<R, Refusal>> + Send + 'static,
    {
        let answer = match delivery.read::<M>() {
            Ok(question) => {
                let look = look(self.inspector.clone(), question);
                let places = match verb {
                    RunnerVerb::Check => &self.places.checks,
                    _ => &self.places.lists,
                };
                within_limit(self.limit, verb, places, look).await
            }
            Err(refusal) => Err(refusal),
        };
        delivery.answer(answer).await
    }
}

/// Does this where there is a place for it, in a task of its own: who waits for it is answered within the
/// limit, and what it has begun it ends.
async fn within_limit<T: Send + 'static>(
    limit: Duration,
    verb: RunnerVerb,
    places: &Arc<Semaphore>,
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let Ok(place) = places.clone().try_acquire_owned() else {
        return Err(Refusal::new(
            ErrorCode::RateLimited,
            format!("too many requests to {verb} are being handled; ask again later"),
        ));
    };
    let work = tokio::spawn(
        async move {
            let done = work.await;
            drop(place);
            done
        }
        .in_current_span(),
    );
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(done)) => done,
        Ok(Err(cause)) => {
            tracing::error!(verb = verb.as_str(), %cause, "a request was not handled to its end");
            Err(Refusal::new(ErrorCode::Internal, format!("{verb} failed")))
        }
        Err(_) => Err(Refusal::new(ErrorCode::Timeout, format!("{verb} took too long"))),
    }
}

#[cfg(test)]
mod tests;
