//! The loop that keeps a host's votes: samples and answers in, verdicts out.
//!
//! **Invariant:** nothing slow is awaited here but the next thing that happens. Plugins are asked all
//! at once, each with its own time-out, and one that hangs delays neither a sample nor another plugin.

mod publish;
mod words;

pub(crate) use words::opinion_of;

use crate::{
    keep::Keep,
    moment::Moment,
    plugin::AskError,
    plugins::{PluginVoter, Plugins},
    policy::PolicyInForce,
    publishing::Publishing,
    samples::{Heard, SampleFeed},
    tally::{Tally, interval_ms, ms},
    votes::Opinion,
};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use snooze_bus::{Bus, BusError, BusStatus, Subject};
use snooze_schemas::{
    HostId, VoterName,
    host::Hello,
    verdict::{Verdict, Vote, VoteState},
};
use snooze_service_runtime::Clocks;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use words::log;

/// So many requests of other tasks may wait; there are a handful of verbs at most.
pub(crate) const REQUESTS: usize = 16;

/// The clocks are looked at this often even when nothing else happens (T1).
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// Two looks at what is due are never closer, whatever the arithmetic says.
const SHORTEST_NAP: Duration = Duration::from_millis(5);

/// What other tasks ask of the loop.
#[derive(Debug)]
pub(crate) enum Request {
    /// The verdict of a fresh look: what every voter said to a question of its own (P3).
    Fresh {
        /// By voter; who is missing is unknown.
        opinions: BTreeMap<VoterName, Opinion>,
        /// Where the verdict goes.
        reply: oneshot::Sender<Verdict>,
    },
    /// A verdict in which nobody is idle, with the reason.
    Nobody {
        /// Why nothing may count as idle.
        reason: String,
        /// Where the verdict goes.
        reply: oneshot::Sender<Verdict>,
    },
    /// The votes as they stand.
    Standing {
        /// Where they go.
        reply: oneshot::Sender<Vec<Vote>>,
    },
}

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
    tally: Tally,
    publishing: Publishing,
    voters: BTreeMap<VoterName, PluginVoter>,
    in_flight: BTreeSet<VoterName>,
    /// When plugins were asked last, on the monotonic clock.
    round_at_ms: u64,
    seq: u64,
    traceparent: Option<String>,
    connected: bool,
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
                        state.publishing.forget();
                        self.hello().await;
                    }
                    state.connected = connected;
                }
                heard = self.samples.next() => match heard {
                    None => break,
                    Some(heard) => self.take(&mut state, heard, &mut asking),
                },
                Some(answer) = asking.next(), if !asking.is_empty() => self.hear(&mut state, answer),
                changed = self.policy.changed() => {
                    if changed.is_err() { break }
                    self.adopt_policy(&mut state);
                }
                Some(request) = self.requests.recv() => self.attend(&mut state, request),
                () = tokio::time::sleep(nap) => {}
            }
            self.look_around(&mut state, &mut asking);
            self.publish_if_due(&mut state).await;
        }
        Ok(())
    }

    fn begin(&mut self) -> State {
        let policy = self.policy.borrow_and_update().clone();
        let kept = self
            .keep
            .as_ref()
            .and_then(|keep| keep.load(&self.boot_id, &policy.revision));
        let tally = match kept {
            Some(kept) => {
                tracing::info!("runs of idleness go on from before the restart");
                Tally::resume(self.boot_id.clone(), kept, interval_ms(&policy.policy))
            }
            None => Tally::new(self.boot_id.clone()),
        };
        let mut state = State {
            tally,
            publishing: Publishing::default(),
            voters: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            round_at_ms: 0,
            seq: 0,
            traceparent: None,
            connected: *self.bus.status().borrow() == BusStatus::Connected,
        };
        self.adopt_policy(&mut state);
        state
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

    fn adopt_policy(&mut self, state: &mut State) {
        let policy = self.policy.borrow_and_update().clone();
        for process in self.plugins.apply(&policy) {
            tokio::spawn(async move {
                if let Err(error) = process.reconfigure().await {
                    tracing::warn!(plugin = %process.name(), %error, "a plugin does not take its configuration");
                }
            });
        }
        self.count_voters(state);
    }

    /// Who votes may change with the policy, when a plugin tells its name, and when it turns out that
    /// it only handles events.
    fn count_voters(&self, state: &mut State) {
        let policy = self.policy.borrow().clone();
        state.voters = self.plugins.voters(&policy);
        let asked = state
            .voters
            .iter()
            .map(|(name, voter)| (name.clone(), voter.asked.clone()))
            .collect();
        log(state.tally.ask_these(asked, &policy.policy));
    }

    fn take(
        &self,
        state: &mut State,
        heard: Heard,
        asking: &mut FuturesUnordered<BoxFuture<'static, Answer>>,
    ) {
        let Heard { sample, traceparent } = heard;
        let policy = self.policy.borrow().clone();
        let (taken, remarks) = state.tally.sample(&sample, &policy.policy, self.now());
        log(remarks);
        if taken {
            state.traceparent = traceparent;
            self.ask_all(state, asking);
        }
        if let Some(keep) = &self.keep {
            keep.save(&self.boot_id, &policy.revision, state.tally.keep());
        }
    }

    /// Asks every plugin that is not busy with an earlier question.
    fn ask_all(&self, state: &mut State, asking: &mut FuturesUnordered<BoxFuture<'static, Answer>>) {
        self.count_voters(state);
        let asked_at = self.now();
        state.round_at_ms = asked_at.monotonic_ms;
        let within = Duration::from_millis(ms(self.policy.borrow().policy.plugin_timeout_seconds));
        let metrics = Arc::new(state.tally.metrics());
        for (name, voter) in &state.voters {
            let Some(plugin) = voter.plugin.clone() else {
                continue;
            };
            if !state.in_flight.insert(name.clone()) {
                continue;
            }
            let (name, terms) = (name.clone(), voter.asked.terms.clone());
            let (metrics, host) = (metrics.clone(), self.host.clone());
            asking.push(Box::pin(async move {
                let said = plugin.check_idle(&metrics, &host, within).await;
                (name, terms, asked_at, said.map(opinion_of))
            }));
        }
    }

    fn hear(&self, state: &mut State, (voter, terms, asked_at, said): Answer) {
        state.in_flight.remove(&voter);
        let opinion = match said {
            Ok(opinion) => opinion,
            // Nothing was heard, and nothing was said: the run lives or dies by the time between answers (T2).
            Err(AskError::BusAway) => return,
            Err(AskError::UnknownMethod) => {
                self.count_voters(state);
                Opinion::unknown(AskError::UnknownMethod.to_string())
            }
            Err(error) => Opinion::unknown(error.to_string()),
        };
        let policy = self.policy.borrow().clone();
        state
            .tally
            .answer(&voter, &terms, asked_at, opinion, &policy.policy);
    }

    fn attend(&self, state: &mut State, request: Request) {
        let policy = self.policy.borrow().clone();
        let now = self.now();
        log(state.tally.look(now));
        match request {
            Request::Standing { reply } => {
                // Whoever asked may have given up; then nobody misses the answer.
                drop(reply.send(state.tally.votes(&policy.policy, now)));
            }
            Request::Fresh { opinions, reply } => {
                let votes = state.tally.fresh_votes(&opinions, &policy.policy, now);
                drop(reply.send(self.verdict(state, votes, now)));
            }
            Request::Nobody { reason, reply } => {
                let mut votes = state.tally.votes(&policy.policy, now);
                for vote in &mut votes {
                    (vote.state, vote.raw, vote.idle_ms) = (VoteState::Unknown, VoteState::Unknown, 0);
                    vote.reason.clone_from(&reason);
                }
                drop(reply.send(self.verdict(state, votes, now)));
            }
        }
    }

    /// Looks at the clocks, and asks plugins again where the samples that would have them asked stay away.
    fn look_around(&self, state: &mut State, asking: &mut FuturesUnordered<BoxFuture<'static, Answer>>) {
        let now = self.now();
        log(state.tally.look(now));
        let silent_ms = now.monotonic_ms.saturating_sub(state.round_at_ms);
        if silent_ms >= self.round_limit_ms() {
            self.ask_all(state, asking);
        }
    }

    /// A sample has plugins asked; half an interval later than one should have come, they are asked without.
    fn round_limit_ms(&self) -> u64 {
        interval_ms(&self.policy.borrow().policy).saturating_mul(3) / 2
    }

    /// How long nothing will be due, unless something happens.
    fn nap(&self, state: &State) -> Duration {
        let now = self.now();
        let policy = &self.policy.borrow().policy;
        let silence = Tally::silence_ms(policy);
        let stale_in = silence
            .saturating_add(1)
            .saturating_sub(state.tally.sample_age_ms(now));
        let round_in = state
            .round_at_ms
            .saturating_add(self.round_limit_ms())
            .saturating_sub(now.monotonic_ms);
        let heartbeat_in = if state.connected {
            state
                .publishing
                .heartbeat_in_ms(ms(policy.heartbeat_seconds), now)
        } else {
            u64::MAX
        };
        let grace_in = state.tally.boot_grace_left_ms(policy, now);
        let due = [stale_in, grace_in]
            .into_iter()
            .filter(|ms| *ms > 0)
            .chain([round_in, heartbeat_in]);
        let due = Duration::from_millis(due.min().unwrap_or(u64::MAX));
        due.clamp(SHORTEST_NAP, LONGEST_NAP)
    }
}
