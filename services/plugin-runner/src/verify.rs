//! "Measure anew and ask every voter again" (P3): a sample and votes begun after the request arrived.
//!
//! **Invariant:** without this claim's preparation in force, when the question came and when the
//! answer goes, no vote in the answer is idle.

use crate::{
    engine::{Look, Request, opinion_of},
    moment::Moment,
    plugin::AskError,
    plugins::Plugins,
    policy::PolicyInForce,
    prepare::Preparations,
    stdio::Limits,
    tally::{Anew, Fresh, ms},
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

/// How long a plugin may be busy with another question before it is asked this one. An ordinary one is
/// answered within milliseconds; one that lasts longer would make the answer too old to be of use.
const QUEUE_LIMIT: Duration = Duration::from_secs(1);

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
        let look = self.look(policy, arrived).await;
        let verdict = self.ask_loop(|reply| Request::Fresh { look, reply }).await?;
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
    async fn look(&self, policy: Arc<PolicyInForce>, arrived: Moment) -> Look {
        let mut said = BTreeMap::new();
        let mut sample_begun_ms = None;
        let metrics = match self.sample(&policy, arrived).await {
            Ok(sample) => {
                for vote in built_in(&sample, &policy.policy) {
                    said.insert(vote.voter, Anew::built_in(Fresh::Said(vote.opinion)));
                }
                sample_begun_ms = Some(sample.ends_boottime_ms.saturating_sub(sample.covers_ms));
                Metrics::from(&sample)
            }
            Err(why) => {
                // Whoever is missing here is unknown anyway; this says why.
                for name in VoterName::BUILT_IN {
                    let voter = name.parse().expect("a built-in name is valid");
                    said.insert(voter, Anew::built_in(Fresh::Unheard(why.clone())));
                }
                Metrics::default()
            }
        };
        let own = Duration::from_millis(ms(policy.policy.plugin_timeout_seconds));
        let limits = Limits {
            queue: QUEUE_LIMIT.min(own),
            own,
        };
        let asked = self.plugins.voters(&policy).into_iter().map(|(name, voter)| {
            let (metrics, host) = (&metrics, &self.host);
            async move {
                let terms = Some(voter.asked.terms);
                let fresh = match (voter.plugin, voter.asked.barred) {
                    (None, why) => Fresh::Said(Opinion::unknown(
                        why.unwrap_or_else(|| "it is missing".to_owned()),
                    )),
                    (Some(plugin), _) => match plugin.check_afresh(metrics, host, limits).await {
                        Ok(opinion) => Fresh::Said(opinion_of(opinion)),
                        // Whether it is only away for a moment shows in the regular rounds.
                        Err(error) if error.is_unheard() || matches!(error, AskError::Absent) => {
                            Fresh::Unheard(error.to_string())
                        }
                        Err(error) => Fresh::Said(Opinion::unknown(plugin.unknown(&error))),
                    },
                };
                (name, Anew { terms, fresh })
            }
        });
        said.extend(join_all(asked).await);
        Look {
            policy,
            said,
            sample_begun_ms,
        }
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
