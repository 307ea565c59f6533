//! Rates are what happened between two looks at a counter.
//!
//! A look that failed is forgotten together with the one before it: a rate never covers more than
//! the interval it is reported for.

use crate::Unreadable;

/// The last look at some counters.
#[derive(Debug)]
pub(crate) struct Between<T>(Option<(u64, T)>);

impl<T> Default for Between<T> {
    fn default() -> Self {
        Between(None)
    }
}

impl<T> Between<T> {
    /// What the function makes of the last look, this one and the seconds between them.
    pub(crate) fn step(
        &mut self,
        monotonic_ms: u64,
        now: Result<T, Unreadable>,
        rate: impl FnOnce(&T, &T, f64) -> Result<f64, Unreadable>,
    ) -> Result<f64, Unreadable> {
        let last = self.0.take();
        let now = now?;
        let result = match &last {
            None => Err(Unreadable::FirstLook),
            Some((then, before)) => match monotonic_ms.saturating_sub(*then) {
                0 => Err(Unreadable::NoTimePassed),
                passed => {
                    #[expect(clippy::cast_precision_loss, reason = "an interval is far below 2^52 ms")]
                    let seconds = passed as f64 / 1_000.0;
                    rate(before, &now, seconds)
                }
            },
        };
        self.0 = Some((monotonic_ms, now));
        result
    }
}

/// How far a counter moved.
pub(crate) fn moved(before: u64, now: u64, counter: impl FnOnce() -> String) -> Result<u64, Unreadable> {
    now.checked_sub(before)
        .ok_or_else(|| Unreadable::Backwards { counter: counter() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(before: &u64, now: &u64, seconds: f64) -> Result<f64, Unreadable> {
        Ok((now - before) as f64 / seconds)
    }

    #[test]
    fn the_first_sample_needs_two_looks() {
        let mut between = Between::default();
        assert!(matches!(
            between.step(0, Ok(5), plain),
            Err(Unreadable::FirstLook)
        ));
        assert_eq!(between.step(2_000, Ok(25), plain).expect("a rate"), 10.0);
    }

    #[test]
    fn a_rate_never_covers_a_look_that_failed() {
        let mut between = Between::default();
        assert!(between.step(0, Ok(5), plain).is_err());
        assert!(between.step(1_000, Err(Unreadable::NoTimePassed), plain).is_err());
        assert!(matches!(
            between.step(2_000, Ok(25), plain),
            Err(Unreadable::FirstLook)
        ));
        assert_eq!(between.step(3_000, Ok(26), plain).expect("a rate"), 1.0);
    }

    #[test]
    fn without_time_there_is_no_rate() {
        let mut between = Between::default();
        assert!(between.step(7, Ok(5), plain).is_err());
        assert!(matches!(
            between.step(7, Ok(25), plain),
            Err(Unreadable::NoTimePassed)
        ));
    }
}
