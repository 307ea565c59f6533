//! A library that is loaded once, stays loaded, and is searched for again now and then.

use crate::Unreadable;

/// A driver may be installed while the collector runs; until then the loader searches this rarely, and a
/// library that is of no use is started again this rarely.
const SEARCH_AGAIN_MS: u64 = 300_000;

/// Something that is loaded once, and again when it turned out to be of no use.
#[derive(Debug)]
pub(crate) struct Kept<N> {
    loaded: Option<N>,
    /// When it was last loaded, or found not to be there.
    searched_at: Option<u64>,
}

impl<N> Default for Kept<N> {
    fn default() -> Kept<N> {
        Kept {
            loaded: None,
            searched_at: None,
        }
    }
}

impl<N> Kept<N> {
    /// It, loaded now if it was not and the last search is long enough ago; nothing where there is none.
    /// A failure to load is tried again at the next call.
    pub(crate) fn get(
        &mut self,
        now_ms: u64,
        load: impl FnOnce() -> Result<Option<N>, Unreadable>,
    ) -> Result<Option<&N>, Unreadable> {
        if self.loaded.is_none() && !self.was_searched_lately(now_ms) {
            self.loaded = load()?;
            self.searched_at = Some(now_ms);
        }
        Ok(self.loaded.as_ref())
    }

    /// Lets go of it, unless it was loaded only lately.
    pub(crate) fn is_of_no_use(&mut self, now_ms: u64) {
        if !self.was_searched_lately(now_ms) {
            *self = Kept::default();
        }
    }

    fn was_searched_lately(&self, now_ms: u64) -> bool {
        self.searched_at
            .is_some_and(|at| now_ms.saturating_sub(at) < SEARCH_AGAIN_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_of_no_use_is_started_again_but_not_at_every_look() {
        let mut kept = Kept::default();
        let mut starts = 0;
        for minute in 0..=12 {
            let now = minute * 60_000;
            let found = kept.get(now, || {
                starts += 1;
                Ok(Some(starts))
            });
            assert!(found.is_ok_and(|found| found.is_some()));
            kept.is_of_no_use(now);
        }
        assert_eq!(starts, 3, "at the start, after five minutes, and after ten");
    }

    #[test]
    fn a_library_that_is_not_there_is_searched_for_again() {
        let mut kept: Kept<u8> = Kept::default();
        assert!(kept.get(0, || Ok(None)).is_ok_and(|found| found.is_none()));
        let lately = kept.get(SEARCH_AGAIN_MS - 1, || Ok(Some(1)));
        assert!(lately.is_ok_and(|found| found.is_none()));
        let found = kept.get(SEARCH_AGAIN_MS, || Ok(Some(1)));
        assert!(found.is_ok_and(|found| found == Some(&1)));
    }
}
