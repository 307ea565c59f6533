//! What a process says for people, of which the last is kept. It understands none of it.

use super::Running;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt};

/// So much of what a process said last is kept: enough for a traceback.
const LIMIT: usize = 8 * 1024;

/// The last of what a process said.
#[derive(Debug, Default, Clone)]
pub(super) struct Words(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    /// How many went before them.
    dropped: u64,
}

impl Words {
    /// Hears a pipe until it is closed.
    pub(super) async fn listen(self, mut pipe: impl AsyncRead + Unpin) {
        let mut said = Vec::new();
        while let Ok(1..) = pipe.read_buf(&mut said).await {
            self.add(&mut said);
        }
    }

    fn add(&self, said: &mut Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.append(said);
        let over = kept.bytes.len().saturating_sub(LIMIT);
        kept.bytes.drain(..over);
        kept.dropped = kept.dropped.saturating_add(size(over));
    }

    pub(super) fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept.bytes).into_owned()
    }

    /// The whole lines after so many bytes, which are counted on. Of what is not kept any more nothing is told.
    pub(super) fn lines_since(&self, seen: &mut u64) -> Vec<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(seen.saturating_sub(kept.dropped)).unwrap_or(usize::MAX);
        let new = kept.bytes.get(from..).unwrap_or_default();
        let Some(end) = new.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        *seen = kept.dropped.saturating_add(size(from + end + 1));
        let lines = String::from_utf8_lossy(&new[..end]).into_owned();
        lines.lines().map(str::to_owned).collect()
    }
}

impl Running {
    /// Hears its standard output as its standard error: one that is asked on the bus says no lines there, and would
    /// wait for ever where nobody reads what it prints.
    pub fn listen_to_output(&mut self) {
        if let Some(stdout) = self.stdout.take() {
            self.listening
                .push(tokio::spawn(self.words.clone().listen(stdout)));
        }
    }

    /// The last of what it wrote to its standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.words.text()
    }

    /// The whole lines of that which came after those that were seen, as far as they are kept.
    pub fn lines_since(&self, seen: &mut u64) -> Vec<String> {
        self.words.lines_since(seen)
    }
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whole_lines_are_told_once_and_the_last_of_all_are_kept() {
        let (words, mut seen) = (Words::default(), 0);
        words.clone().listen(&b"one\ntwo\nthr"[..]).await;
        assert_eq!(words.lines_since(&mut seen), ["one", "two"]);
        assert_eq!(words.lines_since(&mut seen), [""; 0], "half a line is none");
        words.clone().listen(&b"ee\n"[..]).await;
        assert_eq!(words.lines_since(&mut seen), ["three"]);
        assert_eq!(words.text(), "one\ntwo\nthree\n");
        let flood = "x".repeat(2 * LIMIT) + "\nlast\n";
        words.clone().listen(flood.as_bytes()).await;
        assert_eq!(words.text().len(), LIMIT);
        let told = words.lines_since(&mut seen);
        assert_eq!(told.last().map(String::as_str), Some("last"));
        assert_eq!(words.lines_since(&mut seen), [""; 0]);
    }
}
