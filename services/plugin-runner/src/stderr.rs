//! A plugin's stderr is its log: bounded lines at a bounded rate into our own, and the newest of them into its book.
//!
//! It never lets a plugin fill the disk with its complaints, nor block because nobody reads them.

use crate::log_book::LogBook;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, process::ChildStderr, time::Instant};

/// The longest line that is logged; the rest of a longer one is dropped.
const LINE_LIMIT: usize = 2_000;

/// So many lines are logged in each [`WINDOW`]; a traceback fits in, a flood does not.
const LINES_PER_WINDOW: u32 = 100;

/// The span over which lines are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// Logs what the process complains about, until it closes its stderr.
pub(crate) async fn log(plugin: String, mut stderr: ChildStderr, book: Arc<LogBook>) {
    let mut lines = Lines::default();
    let mut rate = Rate::new();
    // It is held as long as the plugin runs.
    let mut buffer = [0; 1024];
    loop {
        match stderr.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => lines.feed(&buffer[..count], |line| rate.log(&plugin, line, &book)),
            Err(error) => {
                tracing::debug!(plugin, %error, "a plugin's stderr failed");
                break;
            }
        }
    }
    lines.finish(|line| rate.log(&plugin, line, &book));
    rate.close(&plugin);
}

/// Cuts bytes into lines of bounded length.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = LINE_LIMIT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if piece.ends_with(b"\n") {
                each(String::from_utf8_lossy(&self.line).trim_end());
                self.line.clear();
            }
        }
    }

    fn finish(self, mut each: impl FnMut(&str)) {
        if !self.line.is_empty() {
            each(String::from_utf8_lossy(&self.line).trim_end());
        }
    }
}

#[derive(Debug)]
struct Rate {
    since: Instant,
    logged: u32,
    dropped: u64,
}

impl Rate {
    fn new() -> Rate {
        Rate {
            since: Instant::now(),
            logged: 0,
            dropped: 0,
        }
    }

    fn log(&mut self, plugin: &str, line: &str, book: &LogBook) {
        if self.since.elapsed() >= WINDOW {
            self.close(plugin);
            *self = Rate::new();
        }
        if self.logged < LINES_PER_WINDOW {
            self.logged += 1;
            book.add(line);
            tracing::info!(plugin, line, "plugin says");
        } else {
            self.dropped += 1;
            book.skip();
        }
    }

    fn close(&self, plugin: &str) {
        if self.dropped > 0 {
            tracing::warn!(
                plugin,
                dropped = self.dropped,
                "a plugin writes more to its stderr than is logged"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_from_pieces_and_cut() {
        let mut said = Vec::new();
        let mut lines = Lines::default();
        for piece in [b"one\ntw".as_slice(), b"o\n", &[b'x'; 3 * LINE_LIMIT], b"\nlast"] {
            lines.feed(piece, |line| said.push(line.to_owned()));
        }
        lines.finish(|line| said.push(line.to_owned()));
        assert_eq!(said[..2], ["one", "two"]);
        assert_eq!(said[2].len(), LINE_LIMIT);
        assert_eq!(said[3], "last");
    }
}
