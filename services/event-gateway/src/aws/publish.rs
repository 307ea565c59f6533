//! Tells an event bus of AWS what was decided: entries of the audit trail, as events with the source `cloudsnooze`.
//!
//! All gateways share one durable position in AUDIT. An entry leaves it when EventBridge has taken it; what
//! EventBridge refuses for now is offered again, later and later, until it is too old to be of use. EventBridge
//! knows no event for the one that it has already taken, as after a gateway was killed between its call and its
//! ack: each carries an id of our own that is the same every time (`detail.id`). It keeps no order either; the
//! number in the trail (`detail.sequence`) does. It decides nothing and never holds up what does.
//!
//! - `publisher`: from the trail into calls, and what becomes of each entry.
//! - `entry`: one entry as an event, and how large it is.
//! - `batch`: as many as go into one call.
//! - `event_bus`: the call, and what becomes of each entry of it.
//! - `pace`: how long to wait when it fails, and what is said of it.

mod batch;
mod entry;
mod event_bus;
mod pace;
mod publisher;

use super::client::Connection;
use pace::Pace;
use publisher::Publisher;
use snooze_bus::Bus;
use snooze_schemas::audit::AuditKind;
use snooze_service_runtime::{CancellationToken, Clocks, config::AwsPublishConfig};
use std::{convert::Infallible, time::Duration};

/// Where decisions are published, and which.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How EventBridge is reached.
    pub connection: Connection,
    /// The event bus, by its name or ARN.
    pub event_bus: String,
    /// Which entries.
    pub kinds: Vec<AuditKind>,
    /// What is older is not published any more.
    pub max_age: Duration,
    /// Between a failed call and the next one; each further one waits twice as long, a minute at most.
    pub first_pause: Duration,
}

impl Settings {
    /// What the configuration says; nothing where it is switched off.
    #[must_use]
    pub fn of(config: &AwsPublishConfig) -> Option<Settings> {
        config.enabled.then(|| Settings {
            connection: Connection::to(config.region.clone(), config.endpoint.clone()),
            event_bus: config.event_bus.clone(),
            kinds: config.kinds.iter().filter_map(|word| kind(word)).collect(),
            max_age: config.max_age,
            first_pause: Duration::from_secs(1),
        })
    }
}

/// The kind of entry that has this name.
fn kind(word: &str) -> Option<AuditKind> {
    serde_json::from_value(word.into()).ok()
}

/// Publishes until shutdown. What it has in hand then and has not told comes again, to any gateway.
pub(crate) async fn publish(
    settings: Settings,
    bus: Bus,
    clocks: Clocks,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut pace = Pace::new(settings.first_pause);
    let reached = shutdown.run_until_cancelled(event_bus::reach(&settings, &mut pace));
    let Some(event_bus) = reached.await else {
        return Ok(());
    };
    let mut publisher = Publisher {
        settings,
        event_bus,
        bus,
        clocks,
        pace,
        shutdown: shutdown.clone(),
        consumer: None,
        held: None,
    };
    while let Some(batch) = publisher.next_batch().await {
        // Never cut off: what EventBridge has taken is acked. A call has its own limit.
        let pause = publisher.tell(batch).await;
        // Cancelling loses nothing; the next question is whether it is over.
        shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    publisher.give_back().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_bus::DECISIONS;
    use snooze_service_runtime::config::{KEYS, Kind};

    #[test]
    fn every_kind_that_can_be_configured_is_one_that_is_taken_from_the_trail() {
        let key = KEYS.iter().find(|key| key.path == "event_publish.aws.kinds");
        let Some(Kind::Choices(words)) = key.map(|key| key.kind) else {
            panic!("it is a list of words");
        };
        let kinds: Vec<AuditKind> = words.iter().filter_map(|word| kind(word)).collect();
        assert_eq!(kinds, DECISIONS);
    }

    #[test]
    fn nothing_is_published_unless_it_is_switched_on() {
        let mut config = AwsPublishConfig::default();
        assert!(Settings::of(&config).is_none());
        config.enabled = true;
        let settings = Settings::of(&config).expect("it is switched on");
        assert_eq!(
            settings.kinds.len(),
            config.kinds.len(),
            "every default is a kind"
        );
    }
}
