//! The loop that keeps a host's votes: samples and answers in, verdicts out.
//!
//! **Invariant:** nothing slow is awaited here but the next thing that happens. Plugins are asked all
//! at once, each with its own time-out, and one that hangs delays neither a sample nor another plugin.

mod budget;
mod nap;
mod publish;
mod request;
mod round;
mod words;

pub(crate) use request::{Look, Request};
pub(crate) use words::opinion_of;

use crate::{
    keep::Keep,
    moment::Moment,
    plugin::AskError,
    plugins::{PluginVoter, Plugins},
    policy::PolicyInForce,
    publishing::Publishing,
    samples::{Heard, SampleFeed},
    tally::{Tally, interval_ms},
    votes::Opinion,
};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use nap::round_limit_ms;
use snooze_bus::{Bus, BusError, BusStatus, Subject};
use snooze_schemas::{HostId, VoterName, host::Hello};
use snooze_service_runtime::Clocks;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use words::log;

/// So many requests of other tasks may wait; there are a handful of verbs at most.
pub(crate) const REQUESTS: usize = 16;

/// For so long after the connection came back, plugins on the bus may not have come back to it yet: they
/// pause up to four seconds between two attempts.
const RECONNECTING_MS: u64 = 10_000;

/// What the loop works with.
#[derive(Debug)]
pub(crate) struct Engine {
    /// The host that it runs on.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// This start of the runner.
    pub agent: String,
    /// The launch generation of the instance, where there is one.
    pub launch: Option<String>,
    /// The bus.
    pub bus: Bus,
    /// The clocks.
    pub clocks: Clocks,
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// Where runs outlive a restart.
    pub keep: Option<Keep>,
    /// What other tasks ask.
    pub requests: mpsc::Receiver<Request>,
    /// The samples of this host.
    pub samples: SampleFeed,
}

type Answer = (VoterName, String, Moment, Result<Opinion, AskError>);

/// The loop's own state.
struct State {
    /// The policy that all votes, runs and plugins here are under; that of a verdict's revision (I2).
    policy: Arc<PolicyInForce>,
    tally: Tally,
    /// How many runs had broken when they were kept last.
    kept_breaks: u64,
    publishing: Publishing,
    voters: BTreeMap<VoterName, PluginVoter>,
    in_flight: BTreeSet<VoterName>,
    /// When plugins were asked last, on the monotonic clock.
    round_at_ms: u64,
    seq: u64,
    traceparent: Option<String>,
    connected: bool,
    /// When the connection came back the last time, on the monotonic clock.
    reconnected_at_ms: Option<u64>,
}

impl State {
    fn has_just_reconnected(&self, at: Moment) -> bool {
        self.reconnected_at_ms
            .is_some_and(|since| at.monotonic_ms < since.saturating_add(RECONNECTING_MS))
    }
}

impl Engine {
    /// Runs until shutdown.
    ///
    /// # Errors
    /// When the bus is lost for good.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), BusError> {
        let mut state = self.begin();
        let mut status = self.bus.status();
        let mut asking: FuturesUnordered<BoxFuture<'static, Answer>> = FuturesUnordered::new();
        let mut changes = self.plugins.changes();
        self.hello().await;
        loop {
            let nap = self.nap(&state);
            // Cancelling any branch loses nothing: messages, answers and requests stay where they are.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                changed = status.changed() => {
                    if changed.is_err() { break }
                    let connected = *status.borrow_and_update() == BusStatus::Connected;
                    // A blip may be over before it is seen here: any news of a connection is a new one.
                    if connected {
                        state.reconnected_at_ms = Some(self.now().monotonic_ms);
                        state.publishing.forget();
                        self.hello().await;
                    }
                    state.connected = connected;
                }
                heard = self.samples.next() => match heard {
                    None => break,
                    Some(heard) => self.take(&mut state, heard, &mut asking),
                },
                Some(answer) = asking.next(), if !asking.is_empty() => {
                    let is_news = self.hear(&mut state, answer);
                    // Of answers that change nothing the last one of a round is worth a look at all votes.
                    if !is_news && !state.in_flight.is_empty() { continue }
                }
                changed = self.policy.changed() => {
                    if changed.is_err() { break }
                    state.policy = self.policy.borrow_and_update().clone();
                    self.apply_policy(&mut state);
                }
                // Plugins came, went or are others now.
                Ok(()) = changes.changed() => self.count_voters(&mut state),
                Some(request) = self.requests.recv() => self.attend(&mut state, request),
                () = tokio::time::sleep(nap) => {}
            }
            self.look_around(&mut state, &mut asking);
            // What broke must be broken for a next runner too, also where this one is killed right now (T4).
            if state.tally.breaks() != state.kept_breaks {
                self.save(&mut state);
            }
            self.publish_if_due(&mut state).await;
        }
        self.save(&mut state);
        Ok(())
    }

    fn begin(&mut self) -> State {
        let policy = self.policy.borrow_and_update().clone();
        let kept = self
            .keep
            .as_ref()
            .and_then(|keep| keep.load(&self.boot_id, &policy.revision));
        let tally = match kept {
            Some((kept, plugins)) => {
                tracing::info!("runs of idleness go on from before the restart");
                self.plugins.recall(&plugins);
                Tally::resume(self.boot_id.clone(), kept, interval_ms(&policy.policy))
            }
            None => Tally::new(self.boot_id.clone()),
        };
        let mut state = State {
            policy,
            kept_breaks: tally.breaks(),
            tally,
            publishing: Publishing::default(),
            voters: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            round_at_ms: 0,
            seq: 0,
            traceparent: None,
            connected: *self.bus.status().borrow() == BusStatus::Connected,
            reconnected_at_ms: None,
        };
        self.apply_policy(&mut state);
        state
    }

    /// Keeps the runs for the next start.
    fn save(&self, state: &mut State) {
        state.kept_breaks = state.tally.breaks();
        if let Some(keep) = &self.keep {
            let revision = &state.policy.revision;
            keep.save(
                &self.boot_id,
                revision,
                state.tally.keep(),
                self.plugins.remember(),
            );
        }
    }

    fn now(&self) -> Moment {
        Moment::from(self.clocks.look())
    }

    /// "I am (back) on the bus."
    async fn hello(&self) {
        let hello = Hello {
            boot_id: self.boot_id.clone(),
            agent: self.agent.clone(),
            launch: self.launch.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        if let Err(error) = self
            .bus
            .publish(&Subject::HostHello(self.host.clone()), &hello)
            .await
        {
            tracing::warn!(
                error = snooze_service_runtime::exit::one_line(&error),
                "hello was not sent"
            );
        }
    }

    fn apply_policy(&self, state: &mut State) {
        self.plugins.apply(&state.policy);
        self.count_voters(state);
    }

    /// Who votes may change with the policy, when plugins come, go or change, and when it turns out that one only
    /// handles events.
    fn count_voters(&self, state: &mut State) {
        state.voters = self.plugins.voters(&state.policy);
        let asked = state
            .voters
            .iter()
            .map(|(name, voter)| (name.clone(), voter.asked.clone()))
            .collect();
        log(state.tally.ask_these(asked, &state.policy.policy));
    }

    fn take(
        &self,
        state: &mut State,
        heard: Heard,
        asking: &mut FuturesUnordered<BoxFuture<'static, Answer>>,
    ) {
        let Heard { sample, traceparent } = heard;
        let (taken, remarks) = state.tally.sample(&sample, &state.policy.policy, self.now());
        log(remarks);
        if taken {
            state.traceparent = traceparent;
            self.ask_all(state, asking);
        }
        self.save(state);
    }

    /// Looks at the clocks, and asks plugins again where the samples that would have them asked stay away.
    fn look_around(&self, state: &mut State, asking: &mut FuturesUnordered<BoxFuture<'static, Answer>>) {
        let now = self.now();
        log(state.tally.look(now));
        let silent_ms = now.monotonic_ms.saturating_sub(state.round_at_ms);
        if silent_ms >= round_limit_ms(state) {
            self.ask_all(state, asking);
        }
    }
}
