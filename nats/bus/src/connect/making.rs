//! What the client is told: who connects, how long an attempt may take, and how attempts are spaced.

use super::{Bus, BusConfig, hearing::Hearing};
use crate::error::BusError;
use async_nats::ConnectOptions;
use rand::RngExt as _;
use std::{sync::Arc, time::Duration};

/// One attempt to connect; a server that is there answers within milliseconds.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to reconnect: a fleet is back within seconds of the server,
/// spread out by chance so that it does not come in waves.
const LONGEST_PAUSE_MS: u64 = 4_000;

impl Bus {
    /// Another connection, begun as this one was made, with the credentials as they are now. For who goes on where a
    /// server denied something: a connection remembers that for good.
    ///
    /// # Errors
    /// As [`Bus::begin`].
    pub async fn begin_again(&self) -> Result<Bus, BusError> {
        Bus::begin(self.inner.config.clone()).await
    }
}

/// The options of a connection.
///
/// # Errors
/// When the credentials cannot be read.
pub(super) async fn options(
    config: &BusConfig,
    capacity: usize,
    hearing: Arc<Hearing>,
) -> Result<ConnectOptions, BusError> {
    let mut options = ConnectOptions::new()
        .name(&config.service)
        .custom_inbox_prefix(config.role.inbox_prefix(&config.name))
        .connection_timeout(ATTEMPT.min(config.connect_timeout))
        .subscription_capacity(capacity)
        .reconnect_delay_callback(pause_before)
        .event_callback(move |event| {
            let hearing = hearing.clone();
            async move { hearing.take(event) }
        });
    if let Some(path) = &config.credentials {
        let text = tokio::fs::read_to_string(path).await;
        options = text
            .and_then(|text| options.credentials(&text))
            .map_err(|cause| BusError::Credentials {
                path: path.clone(),
                source: cause.into(),
            })?;
    }
    Ok(options)
}

/// The pause before an attempt to reconnect: none before the first, then doubling, between half and all
/// of it by chance.
fn pause_before(attempt: usize) -> Duration {
    let exponent = u32::try_from(attempt.saturating_sub(2).min(12)).expect("at most 12");
    let longest = match attempt {
        0 | 1 => return Duration::ZERO,
        _ => (10 * 2u64.pow(exponent)).min(LONGEST_PAUSE_MS),
    };
    Duration::from_millis(rand::rng().random_range(longest / 2..=longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_before_a_reconnect_grows_and_is_bounded() {
        assert_eq!(pause_before(1), Duration::ZERO);
        for attempt in 2..100 {
            assert!(pause_before(attempt) <= Duration::from_millis(LONGEST_PAUSE_MS));
        }
        assert!(pause_before(50) >= Duration::from_millis(LONGEST_PAUSE_MS / 2));
    }
}
