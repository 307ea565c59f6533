//! What is shown, on its way to stdout: written by a thread of its own, so that an output that takes
//! nothing (a pager that waits, a terminal that is held) delays neither the services nor their end.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// Texts that wait to be written. What comes while so many wait is left out.
const WAITING: usize = 64;
/// For how long the last words may take; an output that takes nothing is left alone then.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// An output, and the thread that writes to it. Dropping it leaves what waits to that thread.
#[derive(Debug)]
pub struct Output {
    texts: SyncSender<String>,
    /// How many texts wait, the one that is being written included.
    waiting: Arc<AtomicUsize>,
    /// How the thread ended; nothing once that was heard.
    ended: Option<oneshot::Receiver<io::Result<()>>>,
    left_out: usize,
}

/// Whether a text waits to be written, or was left out because too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is written in its turn.
    Yes,
    /// It is not.
    No,
}

impl Output {
    /// To stdout.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn stdout() -> io::Result<Output> {
        Output::to(io::stdout())
    }

    /// To anything.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn to(mut writer: impl Write + Send + 'static) -> io::Result<Output> {
        let (texts, queue) = sync_channel::<String>(WAITING);
        let (end, ended) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = waiting.clone();
        let write = move || {
            let written = queue.iter().try_for_each(|text| {
                writer.write_all(text.as_bytes())?;
                writer.flush()?;
                left.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            });
            // Nobody waits any more where the last words took too long.
            end.send(written).ok();
        };
        std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(write)?;
        Ok(Output {
            texts,
            waiting,
            ended: Some(ended),
            left_out: 0,
        })
    }

    /// Hands over a text to be written as it is.
    pub fn write(&mut self, text: String) -> Taken {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        match self.texts.try_send(text) {
            Ok(()) => Taken::Yes,
            // Where the output is gone, `failed` says so.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                Taken::No
            }
        }
    }

    /// Hands over a frame, which takes the place of all before it: while another text still waits it is left
    /// out, because the next one is newer.
    pub fn frame(&mut self, frame: impl FnOnce() -> String) -> Taken {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return Taken::No;
        }
        self.write(frame())
    }

    /// Hands over lines. Those that were left out before are told of by their number.
    pub fn lines(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let mut text = String::new();
        if self.left_out > 0 {
            text = format!(
                "note     {} lines were left out: nobody took them\n",
                self.left_out
            );
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        match self.write(text) {
            Taken::Yes => self.left_out = 0,
            Taken::No => self.left_out += lines.len(),
        }
    }

    /// Waits until the output can no longer be written to, and says why. Cancelling loses nothing.
    pub async fn failed(&mut self) -> io::Error {
        let Some(ended) = &mut self.ended else {
            return io::ErrorKind::BrokenPipe.into();
        };
        let how = ended.await;
        self.ended = None;
        match how {
            Ok(Err(error)) => error,
            // The thread ends without an error only after `texts` was dropped.
            Ok(Ok(())) | Err(_) => io::ErrorKind::BrokenPipe.into(),
        }
    }

    /// Waits until all that was handed over is written, or it is plain that it will not be.
    pub async fn close(self) {
        drop(self.texts);
        if let Some(ended) = self.ended {
            // What is not written by then is written by nobody: it is the end of the process.
            tokio::time::timeout(LAST_WORDS, ended).await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Condvar, Mutex};

    /// An output that takes nothing until it is opened.
    #[derive(Clone, Default)]
    struct Held(Arc<(Mutex<Pipe>, Condvar)>);

    #[derive(Default)]
    struct Pipe {
        is_open: bool,
        taken: Vec<u8>,
    }

    impl Held {
        fn open(&self) {
            self.0.0.lock().expect("no panic").is_open = true;
            self.0.1.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.0.lock().expect("no panic").taken.clone()).expect("text")
        }
    }

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (state, opened) = &*self.0;
            let state = state.lock().expect("no panic");
            let mut state = opened.wait_while(state, |pipe| !pipe.is_open).expect("no panic");
            state.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_output_that_takes_nothing_holds_nobody_up_and_is_told_what_it_missed() {
        let held = Held::default();
        let mut output = Output::to(held.clone()).expect("a thread");
        let line = ["a line".to_owned()];
        // One is being written, so many wait, and the rest is left out.
        let mut handed = 0;
        while output.left_out < 3 {
            output.lines(&line);
            handed += 1;
            assert!(handed < 10 * WAITING, "the queue has no bound");
        }
        held.open();
        while output.left_out > 0 {
            output.lines(&line);
            tokio::task::yield_now().await;
        }
        output.close().await;
        let text = held.text();
        assert!(
            text.contains(" lines were left out: nobody took them\n"),
            "{text}"
        );
        assert!(text.ends_with("a line\n"), "{text}");
    }

    #[tokio::test]
    async fn a_frame_never_waits_behind_another_one() {
        let held = Held::default();
        let mut output = Output::to(held.clone()).expect("a thread");
        assert_eq!(output.frame(|| "1".to_owned()), Taken::Yes);
        assert_eq!(output.frame(|| "2".to_owned()), Taken::No);
        held.open();
        output.close().await;
        assert_eq!(held.text(), "1");
    }

    #[tokio::test]
    async fn an_output_that_is_gone_is_heard_of() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut output = Output::to(Gone).expect("a thread");
        output.lines(&["a line".to_owned()]);
        assert_eq!(output.failed().await.kind(), io::ErrorKind::BrokenPipe);
        output.close().await;
    }
}
