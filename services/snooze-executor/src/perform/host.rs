//! What a claim asks of its host's runner: to prepare, to verify, to take the preparation back.

use super::{Performer, answered, chain};
use crate::convert;
use snooze_bus::{RequestError, RunnerVerb, Stream, Subject};
use snooze_decision::claim::{Answer, PrepareState};
use snooze_schemas::{
    Message,
    host::{Action, Prepare, Prepared, Verified, Verify},
    verdict::Verdict,
};
use std::time::Duration;

impl Performer {
    pub(super) async fn ask<M, R>(&self, verb: RunnerVerb, message: &M, within: Duration) -> Result<R, String>
    where
        M: Message,
        R: serde::de::DeserializeOwned,
    {
        let subject = Subject::Runner {
            host: self.host.clone(),
            verb,
        };
        let answer = self.bus.request::<M, R>(&subject, message, within).await;
        answer.map_err(|error| chain(&error))
    }

    /// The host is told what will really be done: an instance that cannot hibernate is stopped.
    pub(super) async fn prepare(&self, mut prepare: Prepare, within: Duration) -> Answer {
        if prepare.action == Action::Hibernate {
            match self.can_hibernate().await {
                Ok(true) => {}
                Ok(false) => prepare.action = Action::Stop,
                Err(reason) => {
                    return Answer::Failed {
                        reason: format!("whether it can hibernate is not known: {reason}"),
                    };
                }
            }
        }
        self.learn(|learnt| learnt.action = Some(prepare.action));
        let subject = Subject::Runner {
            host: self.host.clone(),
            verb: RunnerVerb::Prepare,
        };
        let answer = self.bus.request::<_, Prepared>(&subject, &prepare, within).await;
        match answer {
            Ok(prepared) if prepared.claim == prepare.claim => Answer::Prepared {
                state: convert::prepare_state(prepared.state),
                message: prepared.message,
            },
            Ok(prepared) => Answer::Failed {
                reason: format!("the host answered about claim {}", prepared.claim),
            },
            // The host heard it and will not do it: that is an answer, and no reason to ask again.
            Err(RequestError::Refused { source, .. }) => Answer::Prepared {
                state: PrepareState::Failed,
                message: source.message,
            },
            Err(error) => Answer::Failed {
                reason: chain(&error),
            },
        }
    }

    pub(super) async fn verify(&self, verify: &Verify, within: Duration) -> Answer {
        let (answer, last) = tokio::join!(
            self.ask::<_, Verified>(RunnerVerb::Verify, verify, within),
            self.last_heard_agent(),
        );
        let answer = answer.and_then(|verified| {
            // The body names a host as well: one that names another is not this host's answer (I1, I3).
            if verified.verdict.host != self.host {
                return Err(format!("the answer is the verdict of {}", verified.verdict.host));
            }
            // I2: where two agents live under one id only the quicker one's answer is seen here. What the
            // other one publishes is seen as well; where it cannot be read, the question is asked again.
            Ok((verified, last?))
        });
        answered(answer, |(verified, last)| {
            self.learn(|learnt| learnt.verdict = Some(verified.verdict.clone()));
            Answer::Verified(convert::verified(verified, last))
        })
    }

    /// The agent whose verdict was the last to be published under this host's id.
    async fn last_heard_agent(&self) -> Result<Option<String>, String> {
        let subject = Subject::Verdict(self.host.clone());
        let last = self.bus.last::<Verdict>(Stream::Verdicts, &subject).await;
        let last = last.map_err(|error| chain(&error))?;
        Ok(last.map(|stored| stored.message.agent))
    }
}
