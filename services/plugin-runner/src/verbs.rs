//! What a host's runner can be asked on the bus, and by whom it is answered.
//!
//! Every request is answered, failures included, within the verbs' limit. A verb that this version
//! does not offer is answered with `not_found`.

use crate::{engine::Request, events::Desk, plugins::Plugins, prepare::Preparations, verify::Verifier};
use futures_util::future::join_all;
use serde::Serialize;
use snooze_bus::{BusError, Delivery, RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, Refusal, VoterName,
    event::HandleEvent,
    host::{Cancel, ListPlugins, PluginList, Prepare, Verify},
    reply::Empty,
    verdict::Vote,
};
use snooze_service_runtime::exit::one_line;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Every verb answers within this, whatever it waits for.
const VERB_LIMIT: Duration = Duration::from_secs(15);

/// How long a plugin on the bus may take to say who it is, for the list.
const INFO_LIMIT: Duration = Duration::from_secs(2);

/// How long the loop may take to say how the votes stand.
const LOOP_LIMIT: Duration = Duration::from_secs(2);

/// What the verbs work with.
#[derive(Debug)]
pub(crate) struct Verbs {
    /// Where events are handled.
    pub desk: Arc<Desk>,
    /// Prepares for a stop.
    pub preparations: Arc<Preparations>,
    /// Looks afresh.
    pub verifier: Verifier,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// The loop that keeps the votes.
    pub engine: mpsc::Sender<Request>,
}

impl Verbs {
    /// Answers one request.
    pub(crate) async fn answer(self: Arc<Self>, delivery: Delivery) {
        let Subject::Runner { verb, .. } = delivery.subject() else {
            return;
        };
        let verb = *verb;
        let answered = tokio::time::timeout(VERB_LIMIT, self.dispatch(verb, &delivery)).await;
        let answered = match answered {
            Ok(answered) => answered,
            Err(_) => {
                let refusal = Refusal::new(ErrorCode::Timeout, format!("{verb} took too long"));
                delivery.answer::<Empty>(Err(refusal)).await
            }
        };
        if let Err(error) = answered {
            tracing::warn!(
                verb = verb.as_str(),
                error = one_line(&error),
                "an answer was not sent"
            );
        }
    }

    async fn dispatch(&self, verb: RunnerVerb, delivery: &Delivery) -> Result<(), BusError> {
        match verb {
            RunnerVerb::Prepare => {
                let prepared = match delivery.read::<Prepare>() {
                    Ok(request) => self.preparations.prepare(request).await,
                    Err(refusal) => Err(refusal),
                };
                send(delivery, prepared).await
            }
            RunnerVerb::Cancel => {
                let cancelled = match delivery.read::<Cancel>() {
                    Ok(request) => self.preparations.cancel(&request).await,
                    Err(refusal) => Err(refusal),
                };
                send(delivery, cancelled.map(|()| Empty {})).await
            }
            RunnerVerb::Verify => {
                let verified = match delivery.read::<Verify>() {
                    Ok(question) => self.verifier.verify(&question).await,
                    Err(refusal) => Err(refusal),
                };
                send(delivery, verified).await
            }
            RunnerVerb::HandleEvent => {
                let accepted = match delivery.read::<HandleEvent>() {
                    Ok(request) => {
                        let left = request.left_ms.map(Duration::from_millis);
                        self.desk.accept(request.event, left).await
                    }
                    Err(refusal) => Err(refusal),
                };
                send(delivery, accepted).await
            }
            RunnerVerb::Plugins => {
                let list = match delivery.read::<ListPlugins>() {
                    Ok(request) => self.list(&request).await,
                    Err(refusal) => Err(refusal),
                };
                send(delivery, list).await
            }
            RunnerVerb::Check
            | RunnerVerb::Logs
            | RunnerVerb::Stats
            | RunnerVerb::Validate
            | RunnerVerb::Reload
            | RunnerVerb::Load
            | RunnerVerb::Unload => {
                let refusal = Refusal::new(ErrorCode::NotFound, format!("this runner does not offer {verb}"));
                send::<Empty>(delivery, Err(refusal)).await
            }
        }
    }

    async fn list(&self, request: &ListPlugins) -> Result<PluginList, Refusal> {
        let mut wanted = self.plugins.all();
        if let Some(name) = &request.plugin {
            wanted.retain(|plugin| plugin.name() == *name);
            if wanted.is_empty() {
                return Err(Refusal::new(
                    ErrorCode::NotFound,
                    format!("there is no plugin {name} on this host"),
                ));
            }
        }
        let votes = self.standing().await;
        let mut plugins = join_all(wanted.iter().map(|plugin| plugin.status(INFO_LIMIT))).await;
        for (status, plugin) in plugins.iter_mut().zip(&wanted) {
            let voter = VoterName::from(&plugin.name());
            status.vote = votes.iter().find(|vote| vote.voter == voter).cloned();
        }
        plugins.sort_by(|one, other| one.info.name.cmp(&other.info.name));
        Ok(PluginList { plugins })
    }

    async fn standing(&self) -> Vec<Vote> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.engine.send(Request::Standing { reply }).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(LOOP_LIMIT, asked)
            .await
            .ok()
            .flatten()
            .unwrap_or_default()
    }
}

async fn send<T: Serialize>(delivery: &Delivery, answer: Result<T, Refusal>) -> Result<(), BusError> {
    delivery.answer(answer).await
}
