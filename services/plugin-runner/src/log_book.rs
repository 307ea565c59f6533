//! The newest lines of a plugin's log, for people who ask. Bounded by lines and by bytes; never on the disk.

use snooze_schemas::{
    Timestamp,
    plugin::inspection::{LogLine, PluginLog},
};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};
use tokio::time::Instant;

/// So many lines are kept; a few tracebacks fit in.
const LINES: usize = 500;
/// So many bytes of them, so that fifty plugins with long lines cost 3 MiB and no more.
const BYTES: usize = 64 * 1024;

/// The newest lines of one plugin.
#[derive(Debug, Default)]
pub(crate) struct LogBook {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<(Instant, String)>,
    bytes: usize,
    dropped: u64,
}

impl LogBook {
    /// Keeps a line, and drops the oldest where there is no room.
    pub(crate) fn add(&self, text: &str) {
        let mut kept = self.kept();
        kept.bytes += text.len();
        kept.lines.push_back((Instant::now(), text.to_owned()));
        while kept.lines.len() > LINES || kept.bytes > BYTES {
            let Some((_, oldest)) = kept.lines.pop_front() else {
                break;
            };
            kept.bytes -= oldest.len();
            kept.dropped += 1;
        }
    }

    /// Counts a line that is not kept.
    pub(crate) fn skip(&self) {
        self.kept().dropped += 1;
    }

    /// The newest lines, the oldest of them first. It is `now`, on the clock by which people live.
    pub(crate) fn newest(&self, count: usize, now: Timestamp) -> PluginLog {
        let kept = self.kept();
        let older = kept.lines.len().saturating_sub(count);
        let lines = kept.lines.range(older..).map(|(read, text)| LogLine {
            // The longest time that a timestamp may be moved by is longer than any process lives.
            at: now.checked_sub(read.elapsed()).unwrap_or(now),
            text: text.clone(),
        });
        PluginLog {
            lines: lines.collect(),
            dropped: kept.dropped + u64::try_from(older).expect("a few hundred"),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().expect("a time")
    }

    fn texts(log: &PluginLog) -> Vec<&str> {
        log.lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn the_newest_lines_are_kept_and_what_is_not_is_counted() {
        let book = LogBook::default();
        for number in 0..LINES + 7 {
            book.add(&number.to_string());
        }
        book.skip();
        let log = book.newest(2, now());
        assert_eq!(texts(&log), [(LINES + 5).to_string(), (LINES + 6).to_string()]);
        assert_eq!(log.dropped, 7 + 1 + u64::try_from(LINES).expect("few") - 2);
        assert_eq!(book.newest(usize::MAX, now()).lines.len(), LINES);
    }

    #[test]
    fn long_lines_cost_no_more_memory_than_short_ones() {
        let book = LogBook::default();
        for _ in 0..1000 {
            book.add(&"x".repeat(2_000));
        }
        let bytes: usize = texts(&book.newest(LINES, now()))
            .iter()
            .map(|text| text.len())
            .sum();
        assert!((BYTES - 2_000..=BYTES).contains(&bytes), "{bytes}");
    }
}
