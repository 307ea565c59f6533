//! The host's samples in their order, each once, with those that were missed on the way (T2).
//!
//! The runner may come back to the bus later than the collector, and what was published in between
//! reached nobody. So before a sample is passed on that leaves a hole, the collector is asked for what lies
//! between, once. It judges no sample: one that comes twice in every respect is one, and all else is for
//! the intake to say.

use snooze_bus::{Bus, Delivery, Subject, Subscription};
use snooze_schemas::{
    HostId,
    host::{MissedSamples, Samples},
    sample::Sample,
};
use std::{collections::VecDeque, time::Duration};
use tokio::sync::oneshot;

/// A collector on the bus answers within milliseconds; the sample that showed the hole waits meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// So many samples wait behind a hole; more stay in the subscription.
const WAITING: usize = 16;

/// A collector's ring, sent again whole after a flush that was lost.
const REMEMBERED: usize = 256;

/// A sample, and the trace that it came in.
#[derive(Debug)]
pub(crate) struct Heard {
    pub sample: Sample,
    pub traceparent: Option<String>,
}

/// What comes from the collector.
#[derive(Debug)]
pub(crate) struct SampleFeed {
    bus: Bus,
    host: HostId,
    subscription: Subscription,
    order: Order,
    /// The question about a hole, while it is open.
    asking: Option<oneshot::Receiver<Vec<Sample>>>,
}

impl SampleFeed {
    /// The samples of a host that this subscription brings.
    pub(crate) fn new(bus: Bus, host: HostId, subscription: Subscription) -> SampleFeed {
        SampleFeed {
            bus,
            host,
            subscription,
            order: Order::default(),
            asking: None,
        }
    }

    /// The next one; nothing when the connection is gone. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        loop {
            if self.asking.is_none()
                && let Some(heard) = self.order.next()
            {
                return Some(heard);
            }
            if self.asking.is_none()
                && let Some(question) = self.order.question()
            {
                self.asking = Some(self.ask(question));
            }
            let room = self.order.waiting.len() < WAITING;
            // Cancelling any branch loses nothing: the question stays in its place.
            tokio::select! {
                missed = answer_of(&mut self.asking) => {
                    self.asking = None;
                    self.order.fill(missed);
                }
                delivery = self.subscription.next(), if room => self.hear(&delivery?),
            }
        }
    }

    fn hear(&mut self, delivery: &Delivery) {
        match delivery.read() {
            Ok(sample) => self.order.add(Heard {
                sample,
                traceparent: delivery.traceparent(),
            }),
            Err(refusal) => tracing::debug!(why = refusal.message, "a sample was refused"),
        }
    }

    /// Asks in a task of its own, which ends in time by itself.
    fn ask(&self, question: MissedSamples) -> oneshot::Receiver<Vec<Sample>> {
        let (bus, subject) = (self.bus.clone(), Subject::CollectorMissed(self.host.clone()));
        let (reply, answer) = oneshot::channel();
        tokio::spawn(async move {
            match bus
                .request::<_, Samples>(&subject, &question, ANSWER_WITHIN)
                .await
            {
                // At shutdown nobody waits for them any more.
                Ok(missed) => drop(reply.send(missed.samples)),
                Err(error) => {
                    tracing::debug!(%error, "samples were missed, and the collector does not tell them");
                }
            }
        });
        answer
    }
}

/// What the collector still has, once it is known; nothing where it does not say. Waits for ever where
/// nothing was asked.
async fn answer_of(asking: &mut Option<oneshot::Receiver<Vec<Sample>>>) -> Vec<Sample> {
    match asking {
        Some(answer) => answer.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// What makes a sample the one that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    agent: String,
    seq: u64,
    ends_ms: u64,
    covers_ms: u64,
}

impl Mark {
    fn of(sample: &Sample) -> Mark {
        Mark {
            agent: sample.agent.clone(),
            seq: sample.seq,
            ends_ms: sample.ends_monotonic_ms,
            covers_ms: sample.covers_ms,
        }
    }
}

/// The samples on their way through. Pure.
#[derive(Debug, Default)]
struct Order {
    /// Those that came and were not passed on, as they came.
    waiting: VecDeque<Heard>,
    /// Those that were passed on, the newest last.
    passed: VecDeque<Mark>,
    /// Whether the hole before the first that waits was asked about.
    asked: bool,
}

impl Order {
    /// Takes one that came; one that came before is dropped.
    fn add(&mut self, heard: Heard) {
        if !self.is_known(&heard.sample) {
            self.waiting.push_back(heard);
        }
    }

    /// The next to pass on, unless a hole before it has to be asked about.
    fn next(&mut self) -> Option<Heard> {
        if self.question().is_some() {
            return None;
        }
        let heard = self.waiting.pop_front()?;
        self.asked = false;
        if self.passed.len() == REMEMBERED {
            self.passed.pop_front();
        }
        self.passed.push_back(Mark::of(&heard.sample));
        Some(heard)
    }

    /// What to ask about the hole before the next one, where there is one that was not asked about.
    fn question(&self) -> Option<MissedSamples> {
        let (next, last) = (self.waiting.front()?, self.passed.back()?);
        let is_hole = next.sample.agent == last.agent && next.sample.seq > last.seq.saturating_add(1);
        (is_hole && !self.asked).then(|| MissedSamples {
            agent: last.agent.clone(),
            after: last.seq,
        })
    }

    /// Puts what was missed before what waits. Where nothing comes the hole stays one.
    fn fill(&mut self, missed: Vec<Sample>) {
        self.asked = true;
        let Some(first) = self.waiting.front().map(|heard| heard.sample.seq) else {
            return;
        };
        let between = missed.into_iter().rev().filter(|sample| sample.seq < first);
        for sample in between {
            if !self.is_known(&sample) {
                let traceparent = None;
                self.waiting.push_front(Heard { sample, traceparent });
            }
        }
    }

    fn is_known(&self, sample: &Sample) -> bool {
        let mark = Mark::of(sample);
        self.passed.contains(&mark) || self.waiting.iter().any(|heard| Mark::of(&heard.sample) == mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::Timestamp;

    fn sample(agent: &str, seq: u64) -> Sample {
        Sample {
            host: "h1".parse().expect("a host id"),
            boot_id: "b".to_owned(),
            agent: agent.to_owned(),
            seq,
            taken_at: Timestamp::UNIX_EPOCH,
            covers_ms: 1_000,
            ends_monotonic_ms: seq * 1_000,
            ends_boottime_ms: seq * 1_000,
            readings: std::collections::BTreeMap::new(),
            gpus: Vec::new(),
        }
    }

    fn add(order: &mut Order, agent: &str, seqs: &[u64]) {
        for seq in seqs {
            order.add(Heard {
                sample: sample(agent, *seq),
                traceparent: None,
            });
        }
    }

    fn passed(order: &mut Order) -> Vec<u64> {
        std::iter::from_fn(|| order.next())
            .map(|heard| heard.sample.seq)
            .collect()
    }

    fn missed(seqs: &[u64]) -> Vec<Sample> {
        seqs.iter().map(|seq| sample("a", *seq)).collect()
    }

    #[test]
    fn t2_what_was_missed_comes_before_what_showed_the_hole() {
        let mut order = Order::default();
        add(&mut order, "a", &[1, 2, 5, 6]);
        assert_eq!(passed(&mut order), [1, 2]);
        let question = order.question().expect("there is a hole");
        assert_eq!((question.agent.as_str(), question.after), ("a", 2));
        order.fill(missed(&[3, 4, 5, 6]));
        assert_eq!(passed(&mut order), [3, 4, 5, 6]);
    }

    #[test]
    fn t2_a_hole_is_asked_about_once_and_then_stays_one() {
        let mut order = Order::default();
        add(&mut order, "a", &[1, 5]);
        assert_eq!(passed(&mut order), [1]);
        order.fill(missed(&[]));
        assert_eq!(order.question(), None);
        assert_eq!(passed(&mut order), [5]);
        add(&mut order, "a", &[9]);
        assert_eq!(order.question().expect("another hole").after, 5);
        order.fill(missed(&[8]));
        assert_eq!(passed(&mut order), [8, 9], "what there is is better than nothing");
    }

    #[test]
    fn t2_a_sample_that_comes_twice_is_one() {
        let mut order = Order::default();
        add(&mut order, "a", &[1, 2, 2, 1]);
        assert_eq!(passed(&mut order), [1, 2]);
        add(&mut order, "a", &[1, 2, 3, 3]);
        assert_eq!(passed(&mut order), [3]);
    }

    #[test]
    fn i2_a_number_that_comes_again_with_another_sample_is_passed_on_to_be_refused() {
        let mut order = Order::default();
        add(&mut order, "a", &[1, 2]);
        assert_eq!(passed(&mut order), [1, 2]);
        let other = Sample {
            ends_monotonic_ms: 7_777,
            ..sample("a", 2)
        };
        order.add(Heard {
            sample: other,
            traceparent: None,
        });
        assert_eq!(passed(&mut order), [2]);
    }

    #[test]
    fn another_collector_leaves_no_hole() {
        let mut order = Order::default();
        add(&mut order, "a", &[1]);
        add(&mut order, "b", &[7]);
        assert_eq!(passed(&mut order), [1, 7]);
    }
}
