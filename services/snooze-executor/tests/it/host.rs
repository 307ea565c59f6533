//! A host on the bus in the place of a runner: it votes, and answers as a test tells it to.

use serde_json::json;
use snooze_bus::{Bus, Delivery, RunnerVerb, Subject, SubjectFilter};
use snooze_schemas::{
    HostId,
    host::{Cancel, Hello, Prepare, PrepareState, Prepared, Verified, Verify},
    reply::Empty,
    verdict::{Role, Verdict, Vote, VoteState},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinHandle;

/// What a host does, to be changed while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) vote: VoteState,
    pub(crate) reason: String,
    /// What it votes when it is asked to verify; as `vote` where absent.
    pub(crate) verify_vote: Option<VoteState>,
    pub(crate) prepare: PrepareState,
    pub(crate) prepare_takes: Duration,
    pub(crate) verify_takes: Duration,
    pub(crate) verifies: Answers,
    pub(crate) cancels: Answers,
    pub(crate) agent: String,
    /// Who it is when it is asked to verify; as `agent` where absent.
    pub(crate) verify_agent: Option<String>,
}

/// Whether a host answers when it is asked something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Yes,
    Never,
}

/// What a host was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    Prepare(Prepare),
    Verify(Verify),
    Cancel(Cancel),
}

/// A host on the bus, in the place of a runner.
pub(crate) struct FakeHost {
    pub(crate) bus: Bus,
    pub(crate) host: HostId,
    inner: Arc<Inner>,
    tasks: Vec<JoinHandle<()>>,
}

struct Inner {
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    seq: Mutex<u64>,
    revision: String,
    host: HostId,
}

impl FakeHost {
    pub(crate) async fn begin(
        bus: Bus,
        host: HostId,
        revision: String,
        change: impl FnOnce(&mut Script),
    ) -> FakeHost {
        let mut script = Script {
            vote: VoteState::Idle,
            reason: "as the test says".to_owned(),
            verify_vote: None,
            prepare: PrepareState::Done,
            prepare_takes: Duration::ZERO,
            verify_takes: Duration::ZERO,
            verifies: Answers::Yes,
            cancels: Answers::Yes,
            agent: "agent-1".to_owned(),
            verify_agent: None,
        };
        change(&mut script);
        let inner = Arc::new(Inner {
            script: Mutex::new(script),
            asked: Mutex::default(),
            seq: Mutex::new(0),
            revision,
            host: host.clone(),
        });
        let mut requests = bus
            .subscribe(&SubjectFilter::RunnerOf(host.clone()), None)
            .await
            .expect("subscribes");
        let answering = {
            let inner = Arc::clone(&inner);
            tokio::spawn(async move {
                while let Some(delivery) = requests.next().await {
                    let inner = Arc::clone(&inner);
                    tokio::spawn(async move { inner.answer(&delivery).await });
                }
            })
        };
        let beating = {
            let (inner, bus) = (Arc::clone(&inner), bus.clone());
            tokio::spawn(async move {
                let mut beat = tokio::time::interval(Duration::from_millis(200));
                loop {
                    beat.tick().await;
                    let vote = inner.lock().vote;
                    let verdict = inner.verdict(vote, 60_000);
                    // While the bus is away a verdict is lost; the next one is not.
                    drop(bus.publish(&Subject::Verdict(inner.host.clone()), &verdict).await);
                }
            })
        };
        FakeHost {
            bus,
            host,
            inner,
            tasks: vec![answering, beating],
        }
    }

    /// Changes what it does from now on.
    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.inner.lock());
    }

    /// Everything that it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().expect("no panic").clone()
    }

    /// Says hello.
    pub(crate) async fn hello(&self) {
        self.hello_of(None).await;
    }

    /// Says hello and of which launch it is, where it knows.
    pub(crate) async fn hello_of(&self, launch: Option<&str>) {
        let hello = Hello {
            boot_id: "boot-1".to_owned(),
            agent: "agent-1".to_owned(),
            launch: launch.map(str::to_owned),
            version: "0.2.0".to_owned(),
        };
        let subject = Subject::HostHello(self.host.clone());
        self.bus
            .publish(&subject, &hello)
            .await
            .expect("a host says hello");
    }

    /// The next verdict that it would publish.
    pub(crate) fn verdict(&self, state: VoteState) -> Verdict {
        self.inner.verdict(state, 60_000)
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().expect("no panic")
    }

    fn verdict(&self, state: VoteState, idle_ms: u64) -> Verdict {
        let mut seq = self.seq.lock().expect("no panic");
        *seq += 1;
        let vote = Vote {
            voter: "cpu".parse().expect("a voter"),
            role: Role::Required,
            state,
            raw: state,
            reason: self.lock().reason.clone(),
            evidence: [("cpu_percent".to_owned(), json!(1.5))].into(),
            idle_ms: if state == VoteState::Idle { idle_ms } else { 0 },
        };
        let people = Vote {
            voter: "people".parse().expect("a voter"),
            role: Role::Required,
            state: VoteState::Idle,
            raw: VoteState::Idle,
            reason: "nobody is here".to_owned(),
            evidence: [].into(),
            idle_ms: 24 * 3_600_000,
        };
        Verdict {
            host: self.host.clone(),
            boot_id: "boot-1".to_owned(),
            agent: self.lock().agent.clone(),
            seq: *seq,
            policy_revision: self.revision.clone(),
            sample_age_ms: 0,
            uptime_ms: 3_600_000,
            boot_grace_left_ms: 0,
            // Somebody who looks for people belongs to every host (S10); here nobody is ever found.
            votes: vec![vote, people],
        }
    }

    async fn answer(&self, delivery: &Delivery) {
        let Subject::Runner { verb, .. } = delivery.subject() else {
            return;
        };
        let script = self.lock().clone();
        let asked = |asked: Asked| self.asked.lock().expect("no panic").push(asked);
        let answered = match verb {
            RunnerVerb::Prepare => {
                let prepare: Prepare = delivery.read().expect("a prepare");
                let claim = prepare.claim;
                asked(Asked::Prepare(prepare));
                tokio::time::sleep(script.prepare_takes).await;
                let prepared = Prepared {
                    claim,
                    state: script.prepare,
                    message: String::new(),
                };
                delivery.answer(Ok(prepared)).await
            }
            RunnerVerb::Verify => {
                let verify: Verify = delivery.read().expect("a verify");
                asked(Asked::Verify(verify.clone()));
                if script.verifies == Answers::Never {
                    return;
                }
                tokio::time::sleep(script.verify_takes).await;
                let mut verdict = self.verdict(script.verify_vote.unwrap_or(script.vote), 60_000);
                verdict.agent = script.verify_agent.unwrap_or(script.agent);
                let verified = Verified {
                    claim: verify.claim,
                    nonce: verify.nonce,
                    prepared: true,
                    verdict,
                };
                delivery.answer(Ok(verified)).await
            }
            RunnerVerb::Cancel => {
                asked(Asked::Cancel(delivery.read().expect("a cancel")));
                if script.cancels == Answers::Never {
                    return;
                }
                delivery.answer(Ok(Empty {})).await
            }
            other => panic!("an executor does not ask {other:?}"),
        };
        answered.expect("an answer is sent");
    }
}
