//! How Azure's service is asked, and what the configuration says of it.
//!
//! It asks nothing.

use super::reported;
use snooze_service_runtime::config::AzureSourceConfig;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A preemption gives 30 seconds: whoever asks less often than this would miss most of them.
const LONGEST_POLL: Duration = Duration::from_secs(10);

/// How the service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: String,
    /// From one question to the next.
    pub poll_interval: Duration,
    /// How long the first answer may take.
    pub first_answer_within: Duration,
    /// How long every other answer may take.
    pub answer_within: Duration,
    /// How long after it was noticed an event is approved; never where absent.
    pub approve_after: Option<Duration>,
    /// The file that keeps what was told over restarts; nothing is kept where absent.
    pub kept: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            endpoint: "http://169.254.169.254".to_owned(),
            // What the documents recommend: a preemption gives 30 seconds.
            poll_interval: Duration::from_secs(1),
            // The documents say two minutes.
            first_answer_within: Duration::from_secs(130),
            // A local service answers in milliseconds; a third of a preemption's notice is left for one that hangs
            // and the question after it.
            answer_within: Duration::from_secs(5),
            approve_after: None,
            kept: None,
        }
    }
}

impl From<&AzureSourceConfig> for Settings {
    fn from(config: &AzureSourceConfig) -> Settings {
        Settings {
            endpoint: config.endpoint.clone(),
            poll_interval: config.poll_interval,
            approve_after: config.approve.then_some(config.approve_after),
            ..Settings::default()
        }
    }
}

impl Settings {
    /// The same, asking as often as is said of the types of its events. One answer has all of them, so that the most
    /// frequent counts, and that of the source is for those of which nothing is said.
    #[must_use]
    pub fn asking_for(mut self, poll_of: &BTreeMap<String, Duration>) -> Settings {
        let each = reported::TYPES.map(|event_type| poll_of.get(event_type).copied());
        let each = each.into_iter().map(|said| said.unwrap_or(self.poll_interval));
        self.poll_interval = each.fold(LONGEST_POLL, Duration::min);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_approved_without_the_word_for_it() {
        let mut config = AzureSourceConfig::default();
        assert_eq!(Settings::from(&config), Settings::default());
        config.approve = true;
        let settings = Settings::from(&config);
        assert_eq!(settings.approve_after, Some(Duration::from_secs(60)));
    }

    #[test]
    fn one_answer_has_all_types_so_that_the_most_frequent_counts() {
        let settings = |said: &[(&str, u64)]| {
            let said = said
                .iter()
                .map(|(name, seconds)| ((*name).to_owned(), Duration::from_secs(*seconds)));
            Settings::default()
                .asking_for(&said.collect())
                .poll_interval
                .as_secs()
        };
        let (spot, end, upkeep) = (reported::TYPES[0], reported::TYPES[1], reported::TYPES[2]);
        assert_eq!(settings(&[]), 1);
        assert_eq!(settings(&[(spot, 5)]), 1, "of the others nothing is said");
        assert_eq!(settings(&[(spot, 5), (end, 7), (upkeep, 9)]), 5);
        assert_eq!(settings(&[(spot, 60), (end, 60), (upkeep, 60)]), 10);
        assert_eq!(settings(&[("custom", 9)]), 1);
    }
}
