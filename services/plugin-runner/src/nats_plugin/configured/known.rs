//! What is known of a plugin's configuration: what it took, when, and what speaks against it.
//!
//! Pure: what happened and moments go in. It takes nothing for known of one that may be another by now.

use super::CONFIRMED;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::Instant;

/// One that was started anew between two questions looks like the one before, and has no configuration. So long
/// its vote may be that of its defaults, which costs nobody a machine: before a stop it is told again.
const AGAIN: Duration = Duration::from_secs(60);

/// What is known of the one that answers.
#[derive(Default)]
pub(super) struct Known {
    /// Counts the times after which it may be another one.
    pub(super) life: u64,
    /// Whether it is being told.
    pub(super) under_way: bool,
    /// What it took last, and when.
    taken: Option<(Map<String, Value>, Instant)>,
    /// How many times in a row nobody listened.
    pub(super) unheard: u32,
    /// Why it did not take what it was told last.
    pub(super) trouble: Option<Trouble>,
    /// Whether it was ever told more than nothing: what it was told has to be taken back then.
    pub(super) has_been_told: bool,
}

/// Why a configuration was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody listens to it.
    Unheard,
    /// The bus was away.
    Away,
    /// It says nothing; it may be at work.
    Silent,
    /// It says no.
    Refused(String),
}

impl Known {
    pub(super) fn has(&self, wanted: &Map<String, Value>) -> bool {
        self.taken.as_ref().is_some_and(|(config, _)| config == wanted)
    }

    pub(super) fn is_fresh(&self, wanted: &Map<String, Value>, now: Instant) -> bool {
        let since = self.taken.as_ref().map(|(_, at)| now.duration_since(*at));
        self.has(wanted) && since.is_some_and(|since| since < AGAIN)
    }

    /// Whether nobody listens to its configuration, though it was there.
    pub(super) fn is_deaf(&self) -> bool {
        self.unheard >= CONFIRMED
    }

    pub(super) fn doubt(&mut self) {
        self.life += 1;
        (self.taken, self.trouble) = (None, None);
    }

    pub(super) fn end(
        &mut self,
        life: u64,
        config: Map<String, Value>,
        outcome: Result<(), Trouble>,
        now: Instant,
    ) {
        self.under_way = false;
        // Where nobody listened there is nobody who has it.
        self.has_been_told |= !config.is_empty() && outcome != Err(Trouble::Unheard);
        // What one took who is gone is nothing that another has.
        if life != self.life {
            return;
        }
        match outcome {
            Ok(()) => {
                self.has_been_told = !config.is_empty();
                self.unheard = 0;
                (self.taken, self.trouble) = (Some((config, now)), None);
            }
            Err(trouble) => {
                self.unheard = if trouble == Trouble::Unheard {
                    self.unheard + 1
                } else {
                    0
                };
                (self.taken, self.trouble) = (None, Some(trouble));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn what_was_taken_counts_for_a_minute_and_is_told_again_then() {
        let (mut known, config, now) = (Known::default(), map(json!({"a": 1})), Instant::now());
        assert!(!known.is_fresh(&config, now), "nothing was told yet");
        known.end(0, config.clone(), Ok(()), now);
        assert!(known.is_fresh(&config, now + AGAIN - Duration::from_millis(1)));
        assert!(
            !known.is_fresh(&config, now + AGAIN),
            "it may be another one by now"
        );
        assert!(
            !known.is_fresh(&map(json!({"a": 2})), now),
            "it is not the newest"
        );
        known.end(0, config.clone(), Err(Trouble::Away), now);
        assert!(!known.has(&config), "it did not take it again");
    }

    #[test]
    fn what_one_took_who_is_gone_does_not_count_for_another() {
        let (mut known, config, now) = (Known::default(), map(json!({"a": 1})), Instant::now());
        known.under_way = true;
        known.doubt();
        known.end(0, config.clone(), Ok(()), now);
        assert!(!known.has(&config) && !known.under_way);
    }

    #[test]
    fn what_was_told_is_taken_back_with_an_empty_configuration() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.end(0, Map::new(), Ok(()), now);
        assert!(!known.has_been_told, "nothing is to be taken back");
        known.end(0, map(json!({"a": 1})), Err(Trouble::Away), now);
        assert!(known.has_been_told, "it may have heard of it");
        known.end(0, Map::new(), Ok(()), now);
        assert!(!known.has_been_told);
    }

    #[test]
    fn t3_silence_is_no_consent_however_often_it_comes() {
        let (mut known, config, now) = (Known::default(), map(json!({"a": 1})), Instant::now());
        for times in 1..=5 {
            known.end(0, config.clone(), Err(Trouble::Unheard), now);
            assert!(!known.has(&config), "{times}");
            assert_eq!(known.is_deaf(), times >= CONFIRMED, "{times}");
        }
        assert!(!known.has_been_told, "nobody is there who has it");
        known.end(0, config.clone(), Ok(()), now);
        assert!(known.has(&config) && !known.is_deaf());
    }
}
