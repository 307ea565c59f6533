//! A reader that may hang gets a thread of its own and a limit, so that it costs only itself.
//!
//! A lane never has more than one thread. While its reader hangs it is not asked again: every
//! question is answered with "unknown" at once, until the reader comes back.

use crate::{Unreadable, took::Stopwatch};
use snooze_service_runtime::{Clocks, clocks::Look};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// The regular series and one sample on demand may ask at the same time.
const WAITING: usize = 2;

/// The readers need a few pages; a library of a driver may need more.
const STACK: usize = 512 << 10;

/// A reader on its own thread.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    name: &'static str,
    limit: Duration,
    clocks: Clocks,
    /// When the question that is being answered was begun, in monotonic ms plus one; 0 for none.
    busy_since: Arc<AtomicU64>,
    orders: Option<SyncSender<oneshot::Sender<Answer<T>>>>,
}

/// What a reader found, and how long it took.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What it found.
    pub(crate) found: T,
    /// How long that took, rounded up.
    pub(crate) took_ms: u64,
}

impl<T: Send + 'static> Lane<T> {
    /// Starts the thread. Where none can be started every question is answered with "unknown".
    pub(crate) fn start(
        name: &'static str,
        limit: Duration,
        clocks: &Clocks,
        read: impl FnMut(Look) -> T + Send + 'static,
    ) -> Lane<T> {
        let (orders, queue) = sync_channel(WAITING);
        let busy_since = Arc::new(AtomicU64::new(0));
        let (busy, own) = (Arc::clone(&busy_since), clocks.clone());
        let thread = thread::Builder::new()
            .name(format!("read-{name}"))
            .stack_size(STACK)
            .spawn(move || work(&queue, &busy, &own, read));
        if let Err(error) = &thread {
            tracing::warn!(reader = name, %error, "no thread for this reader");
        }
        Lane {
            name,
            limit,
            clocks: clocks.clone(),
            busy_since,
            orders: thread.is_ok().then_some(orders),
        }
    }

    /// Asks the reader, and waits for its answer within the limit. What it answers was begun after this call.
    ///
    /// # Errors
    /// When it does not answer in time, hangs since an earlier question, or has no thread.
    pub(crate) async fn ask(&self) -> Result<Answer<T>, Unreadable> {
        let orders = self
            .orders
            .as_ref()
            .ok_or(Unreadable::NoThread { reader: self.name })?;
        if let Some(since) = self.hangs_since() {
            return Err(Unreadable::Hangs {
                reader: self.name,
                since,
            });
        }
        let (reply, answer) = oneshot::channel();
        match orders.try_send(reply) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(Unreadable::Late {
                    reader: self.name,
                    limit: self.limit,
                });
            }
            Err(TrySendError::Disconnected(_)) => return Err(Unreadable::NoThread { reader: self.name }),
        }
        // Cancelling this wait leaves an order that the thread drops unread.
        match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Unreadable::NoThread { reader: self.name }),
            Err(_) => Err(Unreadable::Late {
                reader: self.name,
                limit: self.limit,
            }),
        }
    }

    fn hangs_since(&self) -> Option<Duration> {
        let begun = self.busy_since.load(Ordering::Acquire).checked_sub(1)?;
        let since = Duration::from_millis(self.clocks.monotonic_ms().saturating_sub(begun));
        (since >= self.limit).then_some(since)
    }
}

fn work<T>(
    queue: &Receiver<oneshot::Sender<Answer<T>>>,
    busy_since: &AtomicU64,
    clocks: &Clocks,
    mut read: impl FnMut(Look) -> T,
) {
    while let Ok(reply) = queue.recv() {
        if reply.is_closed() {
            continue;
        }
        let look = clocks.look();
        busy_since.store(look.monotonic_ms + 1, Ordering::Release);
        let watch = Stopwatch::start();
        let found = read(look);
        busy_since.store(0, Ordering::Release);
        let answer = Answer {
            found,
            took_ms: watch.took_ms(),
        };
        if reply.send(answer).is_err() {
            tracing::debug!("a reader answered after its limit");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, sync::atomic::AtomicUsize};

    #[tokio::test]
    async fn a_reader_that_hangs_is_not_started_again_while_it_hangs() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        let calls = Arc::new(AtomicUsize::new(0));
        let (counted, path) = (Arc::clone(&calls), pipe.clone());
        let lane = Lane::start("pipe", Duration::from_millis(50), &Clocks::real(), move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::fs::read_to_string(&path).expect("reads")
        });
        assert!(matches!(lane.ask().await, Err(Unreadable::Late { .. })));
        for _ in 0..100 {
            assert!(matches!(lane.ask().await, Err(Unreadable::Hangs { .. })));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let mut writer = std::fs::File::options().write(true).open(&pipe).expect("opens");
        writer.write_all(b"back").expect("writes");
        drop(writer);
        snooze_test_harness::wait_until(Duration::from_secs(10), "the first read ends", async || {
            lane.hangs_since().is_none()
        })
        .await;
        // The next question opens the pipe again; give it its writer, and it answers.
        let feeder = thread::spawn(move || std::fs::write(&pipe, "again").expect("writes"));
        snooze_test_harness::wait_until(Duration::from_secs(10), "the reader answers again", async || {
            lane.ask().await.is_ok_and(|answer| answer.found == "again")
        })
        .await;
        feeder.join().expect("the feeder ends");
    }

    #[tokio::test]
    async fn an_answer_says_how_long_it_took_rounded_up() {
        let lane = Lane::start("quick", Duration::from_secs(5), &Clocks::real(), |_| 7);
        let answer = lane.ask().await.expect("answers");
        assert_eq!(answer.found, 7);
        assert!(answer.took_ms >= 1);
    }
}
