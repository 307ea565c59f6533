//! What the client is told: who connects, how long an attempt may take, and how attempts are spaced.

use super::{BusConfig, hearing::Hearing};
use crate::{credentials::Login, error::BusError};
use async_nats::{AuthError, ConnectOptions};
use rand::RngExt as _;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// One attempt to connect; a server that is there answers within milliseconds.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to reconnect: a fleet is back within seconds of the server,
/// spread out by chance so that it does not come in waves.
const LONGEST_PAUSE_MS: u64 = 4_000;

/// The options of a connection.
///
/// # Errors
/// When the credentials cannot be read.
pub(super) async fn options(
    config: &BusConfig,
    capacity: usize,
    hearing: Arc<Hearing>,
) -> Result<ConnectOptions, BusError> {
    let options = match &config.credentials {
        Some(path) => logging_in(path).await?,
        None => ConnectOptions::new(),
    };
    let pauses = hearing.clone();
    Ok(options
        .name(&config.service)
        .custom_inbox_prefix(config.role.inbox_prefix(&config.name))
        .connection_timeout(ATTEMPT.min(config.connect_timeout))
        .subscription_capacity(capacity)
        .reconnect_delay_callback(move |attempt| match pauses.pause_after_refusal() {
            Some(pause) => spread(pause),
            None => pause_before(attempt),
        })
        .event_callback(move |event| {
            let hearing = hearing.clone();
            async move { hearing.take(event) }
        }))
}

/// Options that read the credentials again at each attempt, so that whoever renews them starts nothing anew. Where the
/// file cannot be read just then, those that it held last may do.
///
/// # Errors
/// When they cannot be read now.
async fn logging_in(path: &Path) -> Result<ConnectOptions, BusError> {
    let login = Login::read(path).await.map_err(|cause| BusError::Credentials {
        path: path.to_owned(),
        source: cause.into(),
    })?;
    let (path, last) = (Arc::new(path.to_owned()), Arc::new(Mutex::new(login)));
    Ok(ConnectOptions::with_auth_callback(move |nonce| {
        let (path, last) = (path.clone(), last.clone());
        async move {
            let read = Login::read(&path).await;
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            match read {
                Ok(login) => *last = login,
                Err(error) => tracing::warn!(
                    path = %path.display(),
                    %error,
                    "the credentials cannot be read again; those that were read last are used"
                ),
            }
            last.answer(&nonce).map_err(AuthError::new)
        }
    }))
}

/// A pause, longer by up to a quarter by chance: hosts that are all turned away at once do not come in waves.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(1.0..=1.25))
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
