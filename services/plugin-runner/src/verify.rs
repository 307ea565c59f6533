//! "Measure anew and ask every voter again" (P3): a sample and votes begun after the request arrived.
//!
//! **Invariant:** without this claim's preparation in force, when the question came and when the
//! answer goes, no vote in the answer is idle.

use crate::{
    engine::{Request, opinion_of},
    moment::Moment,
    plugins::Plugins,
    policy::PolicyInForce,
    prepare::Preparations,
    tally::ms,
    votes::{Opinion, built_in},
};
use futures_util::future::join_all;
use snooze_bus::{Bus, Subject};
use snooze_schemas::{
    ErrorCode, HostId, Refusal, VoterName,
    host::{TakeSample, Verified, Verify},
    metrics::Metrics,
    sample::Sample,
    verdict::{Role, Verdict, VoteState},
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// How much longer than its window the collector may take: some readings of hung devices end only at
/// their own limit.
const SAMPLE_SLACK: Duration = Duration::from_secs(3);

/// The loop answers between two messages; longer means that it is gone.
const LOOP_LIMIT: Duration = Duration::from_secs(2);

/// What a verification works with.
#[derive(Debug)]
pub(crate) struct Verifier {
    /// The host that it runs on.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The bus.
    pub bus: Bus,
    /// The clocks.
    pub clocks: Clocks,
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// The loop that keeps the votes.
    pub engine: mpsc::Sender<Request>,
    /// What is in force.
    pub preparations: Arc<Preparations>,
}

impl Verifier {
    /// Looks afresh, and prolongs the preparation where everybody who is required is idle.
    ///
    /// # Errors
    /// When the votes cannot be had from the loop.
    pub(crate) async fn verify(&self, question: &Verify) -> Result<Verified, Refusal> {
        let arrived = Moment::from(self.clocks.look());
        if let Err(why) = self.preparations.in_force(question.claim).await {
            return self.refused(question, why).await;
        }
        let policy = self.policy.borrow().clone();
        let opinions = self.fresh(&policy, arrived).await;
        let verdict = self.ask_loop(|reply| Request::Fresh { opinions, reply }).await?;
        let idle = is_idle(&verdict);
        let held = if idle {
            self.preparations
                .prolong(question.claim, question.prolong_ms)
                .await
        } else {
            self.preparations.in_force(question.claim).await
        };
        match held {
            Ok(()) => Ok(answer(question, Prepared::InForce, verdict)),
            Err(why) => self.refused(question, why).await,
        }
    }

    async fn refused(&self, question: &Verify, why: String) -> Result<Verified, Refusal> {
        let verdict = self
            .ask_loop(|reply| Request::Nobody { reason: why, reply })
            .await?;
        Ok(answer(question, Prepared::Not, verdict))
    }

    /// What every voter says to a question of its own.
    async fn fresh(&self, policy: &PolicyInForce, arrived: Moment) -> BTreeMap<VoterName, Opinion> {
        let mut opinions = BTreeMap::new();
        let metrics = match self.sample(policy, arrived).await {
            Ok(sample) => {
                for vote in built_in(&sample, &policy.policy) {
                    opinions.insert(vote.voter, vote.opinion);
                }
                Metrics::from(&sample)
            }
            Err(why) => {
                // Whoever is missing here is unknown anyway; this says why.
                for name in VoterName::BUILT_IN.iter().filter(|name| **name != "gpu") {
                    let voter = name.parse().expect("a built-in name is valid");
                    if *name != "input" || policy.policy.input_idle_threshold_secs > 0 {
                        opinions.insert(voter, Opinion::unknown(why.clone()));
                    }
                }
                Metrics::default()
            }
        };
        let within = Duration::from_millis(ms(policy.policy.plugin_timeout_seconds));
        let asked = self.plugins.voters(policy).into_iter().map(|(name, voter)| {
            let (metrics, host) = (&metrics, &self.host);
            async move {
                let opinion = match (voter.plugin, voter.asked.barred) {
                    (None, why) => Opinion::unknown(why.unwrap_or_else(|| "it is missing".to_owned())),
                    (Some(plugin), _) => match plugin.check_idle(metrics, host, within).await {
                        Ok(said) => opinion_of(said),
                        Err(error) => Opinion::unknown(error.to_string()),
                    },
                };
                (name, opinion)
            }
        });
        opinions.extend(join_all(asked).await);
        opinions
    }

    /// A sample that begins after the question arrived, on the host's own monotonic clock.
    async fn sample(&self, policy: &PolicyInForce, arrived: Moment) -> Result<Sample, String> {
        let window_ms = ms(policy.policy.verify_window_seconds);
        let subject = Subject::CollectorSample(self.host.clone());
        let within = Duration::from_millis(window_ms) + SAMPLE_SLACK;
        let answer = self
            .bus
            .request(&subject, &TakeSample { window_ms }, within)
            .await;
        let sample: Sample = answer.map_err(|error| format!("no fresh sample: {}", one_line(&error)))?;
        let begins_ms = sample.ends_monotonic_ms.saturating_sub(sample.covers_ms);
        let now = Moment::from(self.clocks.look());
        if sample.host != self.host || sample.boot_id != self.boot_id {
            return Err("the fresh sample came from another machine".to_owned());
        }
        if begins_ms < arrived.monotonic_ms || sample.ends_monotonic_ms > now.monotonic_ms {
            return Err("the sample that came is not of the time after the question".to_owned());
        }
        Ok(sample)
    }

    async fn ask_loop(
        &self,
        request: impl FnOnce(oneshot::Sender<Verdict>) -> Request,
    ) -> Result<Verdict, Refusal> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.engine.send(request(reply)).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(LOOP_LIMIT, asked).await {
            Ok(Some(verdict)) => Ok(verdict),
            Ok(None) | Err(_) => Err(Refusal::new(ErrorCode::Unavailable, "the runner ends")),
        }
    }
}

#[derive(Clone, Copy)]
enum Prepared {
    InForce,
    Not,
}

fn answer(question: &Verify, prepared: Prepared, verdict: Verdict) -> Verified {
    Verified {
        claim: question.claim,
        nonce: question.nonce.clone(),
        prepared: matches!(prepared, Prepared::InForce),
        verdict,
    }
}

/// Whether everybody who is required is idle, raw and smoothed.
fn is_idle(verdict: &Verdict) -> bool {
    let mut required = verdict.votes.iter().filter(|vote| vote.role == Role::Required);
    required.all(|vote| vote.state == VoteState::Idle && vote.raw == VoteState::Idle)
}
