//! A reader that may hang gets a thread of its own and a limit, so that it costs only itself.
//!
//! A lane never has more than one thread. While its reader hangs it is not asked again: every
//! question is answered with "unknown" at once, until the reader comes back. A lane whose thread is gone,
//! be it by a panic, answers nothing any more: whoever holds it watches for that and ends the service.

use crate::{Unreadable, took::Stopwatch};
use snooze_service_runtime::{CancellationToken, Clocks, clocks::Look};
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

/// A reader on its own thread, which is asked `Q` and answers `T`.
#[derive(Debug)]
pub(crate) struct Lane<Q, T> {
    name: &'static str,
    limit: Duration,
    clocks: Clocks,
    busy: Arc<Busy>,
    /// Cancelled when the thread ends.
    ended: CancellationToken,
    orders: Option<SyncSender<Order<Q, T>>>,
}

#[derive(Debug)]
struct Order<Q, T> {
    question: Q,
    reply: oneshot::Sender<Answer<T>>,
}

/// What a reader found, and how long it took.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What it found.
    pub(crate) found: T,
    /// How long that took, rounded up.
    pub(crate) took_ms: u64,
}

impl<Q: Send + 'static, T: Send + 'static> Lane<Q, T> {
    /// Starts the thread. Where none can be started the lane has ended at once.
    pub(crate) fn start(
        name: &'static str,
        limit: Duration,
        clocks: &Clocks,
        read: impl FnMut(Look, Q) -> T + Send + 'static,
    ) -> Lane<Q, T> {
        let (orders, queue) = sync_channel(WAITING);
        let (busy, ended) = (Arc::new(Busy::default()), CancellationToken::new());
        let thread = thread::Builder::new()
            .name(format!("read-{name}"))
            .stack_size(STACK)
            .spawn({
                // Both are dropped with the thread, whichever way it ends.
                let (busy, ends, clocks) = (Arc::clone(&busy), ended.clone().drop_guard(), clocks.clone());
                move || {
                    let _ends = ends;
                    work(&queue, &busy, &clocks, read);
                }
            });
        if let Err(error) = &thread {
            tracing::warn!(reader = name, %error, "no thread for this reader");
        }
        Lane {
            name,
            limit,
            clocks: clocks.clone(),
            busy,
            ended,
            orders: thread.is_ok().then_some(orders),
        }
    }

    /// Asks the reader, and waits for its answer within the limit. What it answers was begun after this call.
    ///
    /// # Errors
    /// When it does not answer in time, still hangs over an earlier question, or has no thread.
    pub(crate) async fn ask(&self, question: Q) -> Result<Answer<T>, Unreadable> {
        let gone = || Unreadable::NoThread { reader: self.name };
        let late = || Unreadable::Late {
            reader: self.name,
            limit: self.limit,
        };
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        if let Some(since) = self.hangs_since() {
            return Err(Unreadable::Hangs {
                reader: self.name,
                since,
            });
        }
        let (reply, answer) = oneshot::channel();
        match orders.try_send(Order { question, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(late()),
            Err(TrySendError::Disconnected(_)) => return Err(gone()),
        }
        // Cancelling this wait leaves an order that the thread drops unread.
        match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(late()),
        }
    }

    /// Waits until the thread has ended, and says whose it was. Cancelling it loses nothing.
    pub(crate) async fn ended(&self) -> &'static str {
        self.ended.cancelled().await;
        self.name
    }

    fn hangs_since(&self) -> Option<Duration> {
        let begun = self.busy.since()?;
        let since = Duration::from_millis(self.clocks.monotonic_ms().saturating_sub(begun));
        (since >= self.limit).then_some(since)
    }
}

/// When the question that is being answered was begun, in monotonic ms plus one; 0 for none.
#[derive(Debug, Default)]
struct Busy(AtomicU64);

impl Busy {
    fn begin(&self, monotonic_ms: u64) -> Working<'_> {
        self.0.store(monotonic_ms + 1, Ordering::Release);
        Working(self)
    }

    fn since(&self) -> Option<u64> {
        self.0.load(Ordering::Acquire).checked_sub(1)
    }
}

/// For as long as a question is being answered, a panic included.
struct Working<'b>(&'b Busy);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}

fn work<Q, T>(
    queue: &Receiver<Order<Q, T>>,
    busy: &Busy,
    clocks: &Clocks,
    mut read: impl FnMut(Look, Q) -> T,
) {
    while let Ok(Order { question, reply }) = queue.recv() {
        if reply.is_closed() {
            continue;
        }
        let look = clocks.look();
        let working = busy.begin(look.monotonic_ms);
        let watch = Stopwatch::start();
        let found = read(look, question);
        drop(working);
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

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_reader_that_hangs_is_not_started_again_while_it_hangs() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        let calls = Arc::new(AtomicUsize::new(0));
        let (counted, path) = (Arc::clone(&calls), pipe.clone());
        let lane = Lane::start(
            "pipe",
            Duration::from_millis(50),
            &Clocks::real(),
            move |_, ()| {
                counted.fetch_add(1, Ordering::SeqCst);
                std::fs::read_to_string(&path).expect("reads")
            },
        );
        // Where the machine is busy the thread may begin late, and drop what nobody waits for any more.
        snooze_test_harness::wait_until(LIMIT, "the reader hangs", async || {
            matches!(lane.ask(()).await, Err(Unreadable::Hangs { .. }))
        })
        .await;
        for _ in 0..100 {
            assert!(matches!(lane.ask(()).await, Err(Unreadable::Hangs { .. })));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let mut writer = std::fs::File::options().write(true).open(&pipe).expect("opens");
        writer.write_all(b"back").expect("writes");
        drop(writer);
        snooze_test_harness::wait_until(LIMIT, "the first read ends", async || {
            lane.hangs_since().is_none()
        })
        .await;
        // The next question opens the pipe again; give it its writer, and it answers.
        let feeder = thread::spawn(move || std::fs::write(&pipe, "again").expect("writes"));
        snooze_test_harness::wait_until(LIMIT, "the reader answers again", async || {
            lane.ask(()).await.is_ok_and(|answer| answer.found == "again")
        })
        .await;
        feeder.join().expect("the feeder ends");
    }

    #[tokio::test]
    async fn a_reader_that_panics_ends_its_lane_and_hangs_nowhere() {
        let lane: Lane<u8, u8> = Lane::start("broken", LIMIT, &Clocks::real(), |_, question| {
            assert!(question != 7, "broken invariant");
            question
        });
        assert_eq!(lane.ask(1).await.expect("answers").found, 1);
        assert!(matches!(lane.ask(7).await, Err(Unreadable::NoThread { .. })));
        let ended = tokio::time::timeout(LIMIT, lane.ended()).await;
        assert_eq!(ended.expect("its thread is gone"), "broken");
        assert!(lane.hangs_since().is_none());
        assert!(matches!(lane.ask(1).await, Err(Unreadable::NoThread { .. })));
    }

    #[tokio::test]
    async fn an_answer_says_how_long_it_took_rounded_up() {
        let lane = Lane::start("quick", Duration::from_secs(5), &Clocks::real(), |_, ()| 7);
        let answer = lane.ask(()).await.expect("answers");
        assert_eq!(answer.found, 7);
        assert!(answer.took_ms >= 1);
    }
}
