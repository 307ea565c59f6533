//! A thread of its own for what may hang, so that one disk that does not answer costs only itself.
//!
//! Whatever does not answer within the limit keeps the thread that it hangs, and is not asked again until it has
//! answered; the others go on over a new thread. The number of threads that hang is bounded. None of them is
//! waited for at the end: a thread that the kernel holds would hold the process too.

use super::unreadable::Unreadable;
use std::{
    collections::BTreeMap,
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};
use tokio::sync::oneshot::{self, error::TryRecvError};

/// That many disks of one host do not hang for different reasons; then nothing more is asked.
const MOST_HANGING: usize = 8;

/// The calls need a few pages.
const STACK: usize = 128 << 10;

type Job = Box<dyn FnOnce() + Send>;

/// The thread, and what hangs older ones.
#[derive(Debug)]
pub(super) struct Lane {
    limit: Duration,
    orders: Option<Sender<Job>>,
    /// What has not answered yet; its end of the channel closes when it has.
    hanging: BTreeMap<String, oneshot::Receiver<()>>,
}

impl Lane {
    /// Nothing is started before something is asked.
    pub(super) fn new(limit: Duration) -> Lane {
        Lane {
            limit,
            orders: None,
            hanging: BTreeMap::new(),
        }
    }

    /// Asks, and waits for the answer within the limit. Cancelling the wait loses the answer.
    ///
    /// # Errors
    /// When there is no answer in time, or none yet to an earlier question about the same.
    pub(super) async fn ask<T: Send + 'static>(
        &mut self,
        what: &str,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unreadable> {
        self.hanging
            .retain(|_, done| matches!(done.try_recv(), Err(TryRecvError::Empty)));
        let no_thread = || Unreadable::NoThread {
            what: what.to_owned(),
        };
        let hangs = |limit| Unreadable::Hangs {
            what: what.to_owned(),
            limit,
        };
        if self.hanging.contains_key(what) {
            return Err(hangs(self.limit));
        }
        if self.hanging.len() >= MOST_HANGING {
            return Err(no_thread());
        }
        let (reply, answer) = oneshot::channel();
        let (is_done, done) = oneshot::channel();
        let order: Job = Box::new(move || {
            // Dropped when the job ends, whichever way.
            let _is_done = is_done;
            if reply.send(job()).is_err() {
                tracing::debug!("an answer came after its limit");
            }
        });
        let sent = match self.orders.take() {
            Some(orders) => orders.send(order).ok().map(|()| orders),
            None => start(order),
        };
        self.orders = Some(sent.ok_or_else(no_thread)?);
        match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) => {
                self.orders = None;
                Err(no_thread())
            }
            Err(_) => {
                self.orders = None;
                self.hanging.insert(what.to_owned(), done);
                Err(hangs(self.limit))
            }
        }
    }
}

/// A thread that begins with this order and ends when nobody can give it another.
fn start(first: Job) -> Option<Sender<Job>> {
    let (orders, queue) = channel::<Job>();
    let work = move || {
        first();
        while let Ok(job) = queue.recv() {
            job();
        }
    };
    let thread = thread::Builder::new().name("system-source".to_owned());
    thread.stack_size(STACK).spawn(work).ok().map(|_| orders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_hangs_costs_only_itself_and_is_asked_again_when_it_is_back() {
        let mut lane = Lane::new(Duration::from_millis(30));
        let (let_go, held) = mpsc::channel::<()>();
        let late = lane.ask("dead", move || held.recv().is_err()).await;
        assert!(matches!(late, Err(Unreadable::Hangs { .. })));
        lane.limit = LIMIT;
        assert_eq!(lane.ask("other", || 7).await.ok(), Some(7));
        let again = lane.ask("dead", || panic!("it is asked while it hangs")).await;
        assert!(matches!(again, Err(Unreadable::Hangs { .. })));
        drop(let_go);
        snooze_test_harness::wait_until(LIMIT, "it answers again", async || {
            lane.ask("dead", || 8).await.is_ok_and(|found| found == 8)
        })
        .await;
    }

    #[tokio::test]
    async fn the_number_of_threads_that_hang_is_bounded() {
        let mut lane = Lane::new(Duration::ZERO);
        let mut holds = Vec::new();
        for n in 0..100 {
            let (hold, held) = mpsc::channel::<()>();
            holds.push(hold);
            let answer = lane.ask(&n.to_string(), move || held.recv().is_err()).await;
            assert!(answer.is_err());
            assert!(lane.hanging.len() <= MOST_HANGING);
        }
        assert_eq!(lane.hanging.len(), MOST_HANGING);
    }
}
