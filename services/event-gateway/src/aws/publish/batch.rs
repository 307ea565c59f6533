//! As many entries as go into one call: ten at most, and 256 KiB together (API reference, `PutEvents`).

/// The most entries of one call.
pub(super) const MOST_ENTRIES: usize = 10;
/// What all entries of one call have to stay below.
pub(super) const MOST_BYTES: usize = 256 * 1024;

/// Some of them; never none, and never more than go.
#[derive(Debug)]
pub(super) struct Batch<T> {
    items: Vec<T>,
    bytes: usize,
}

impl<T> Batch<T> {
    /// One of so many bytes.
    pub(super) fn of(bytes: usize, first: T) -> Batch<T> {
        Batch {
            items: vec![first],
            bytes,
        }
    }

    /// Whether no other goes in.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= MOST_ENTRIES
    }

    /// Adds one; gives it back where it does not go in.
    pub(super) fn add(&mut self, bytes: usize, next: T) -> Option<T> {
        if self.is_full() || self.bytes + bytes >= MOST_BYTES {
            return Some(next);
        }
        self.bytes += bytes;
        self.items.push(next);
        None
    }

    /// What is in it, in the order in which it came.
    pub(super) fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_go_into_a_call_and_no_more() {
        let mut batch = Batch::of(1, 0);
        for number in 1..MOST_ENTRIES {
            assert_eq!(batch.add(1, number), None);
        }
        assert!(batch.is_full());
        assert_eq!(batch.add(1, 10), Some(10));
        assert_eq!(batch.into_items(), Vec::from_iter(0..10));
    }

    #[test]
    fn what_would_be_too_large_together_goes_into_the_next_call() {
        let mut batch = Batch::of(MOST_BYTES - 100, "large");
        assert_eq!(batch.add(100, "too much"), Some("too much"));
        assert_eq!(batch.add(99, "just fits"), None);
        assert_eq!(batch.add(1, "nothing more"), Some("nothing more"));
        assert_eq!(batch.into_items(), ["large", "just fits"]);
    }
}
