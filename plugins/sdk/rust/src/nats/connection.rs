//! The connection: made once with patience, kept for ever. The server's URL may hold a password and is never
//! printed.

use super::address::Address;
use crate::{environment::Bus, plugin::Result};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// One attempt; a server that is there answers within milliseconds.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The first pause between two attempts, doubled after each one.
const FIRST_PAUSE_MS: u64 = 100;

/// The longest pause: back within seconds of the server.
const LONGEST_PAUSE_MS: u64 = 4_000;

/// Questions that may wait for each method. Nobody waits for the answer to what stands further behind.
const WAITING: usize = 256;

/// A connection, and what the server says it denies.
pub(super) struct Connection {
    pub(super) client: Client,
    denials: mpsc::Receiver<String>,
}

impl Connection {
    /// Connects, for as long as it takes.
    ///
    /// # Errors
    /// When the URL names no server, the credentials cannot be read, or the server does not accept them.
    pub(super) async fn open(bus: &Bus, address: &Address) -> Result<Connection> {
        let servers = servers(&bus.url)?;
        let credentials = match &bus.credentials {
            None => None,
            Some(path) => {
                let text = tokio::fs::read_to_string(path).await;
                Some(text.map_err(|error| format!("read the credentials {}: {error}", path.display()))?)
            }
        };
        let (denied, denials) = mpsc::channel(1);
        for failures in 0.. {
            let options = options(address, credentials.as_deref(), denied.clone())?;
            let error = match timeout(ATTEMPT, options.connect(&servers)).await {
                Ok(Ok(client)) => return Ok(Connection { client, denials }),
                Ok(Err(error)) => error,
                Err(_) => ConnectErrorKind::TimedOut.into(),
            };
            match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    return Err("the server does not accept these credentials".into());
                }
                // Told once: it is tried for ever.
                kind if failures == 0 => eprintln!("snooze-plugin: no server yet: {kind}"),
                _ => {}
            }
            sleep(pause_after(failures)).await;
        }
        unreachable!("the attempts never end by themselves")
    }

    /// What the server says that it denies. Waits for ever where it denies nothing.
    pub(super) async fn denied(&mut self) -> String {
        match self.denials.recv().await {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }
}

fn options(
    address: &Address,
    credentials: Option<&str>,
    denied: mpsc::Sender<String>,
) -> Result<ConnectOptions> {
    let options = ConnectOptions::new()
        .name(address.inbox_prefix())
        .custom_inbox_prefix(address.inbox_prefix())
        .connection_timeout(ATTEMPT)
        .subscription_capacity(WAITING)
        .reconnect_delay_callback(|attempts| pause_after(attempts.saturating_sub(1)))
        .event_callback(move |event| {
            hear(&event, &denied);
            std::future::ready(())
        });
    match credentials {
        None => Ok(options),
        Some(text) => options
            .credentials(text)
            .map_err(|error| format!("read the credentials: {error}").into()),
    }
}

/// Tells what happens to the connection on standard error, and whoever runs the plugin what it cannot do without.
fn hear(event: &Event, denied: &mpsc::Sender<String>) {
    let needs = match event {
        // It never asks anybody, so all that it subscribes to are its own subjects.
        Event::ServerError(ServerError::Other(text)) => {
            text.to_lowercase().contains("violation for subscription")
        }
        _ => false,
    };
    // One is enough to end it; a second finds the channel full.
    if !needs || denied.try_send(event.to_string()).is_err() {
        eprintln!("snooze-plugin: {event}");
    }
}

fn servers(url: &str) -> Result<Vec<ServerAddr>> {
    let named = url.split(',').map(str::trim).filter(|server| !server.is_empty());
    let servers: Vec<ServerAddr> = named
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| "SNOOZE_NATS_URL is no URL of a server, as nats://localhost:4222")?;
    if servers.is_empty() {
        return Err("SNOOZE_NATS_URL names no server".into());
    }
    Ok(servers)
}

/// Up to twice as long after each failure, spread by chance: the plugins of a fleet do not come back in waves.
fn pause_after(failures: usize) -> Duration {
    let longest = LONGEST_PAUSE_MS.min(FIRST_PAUSE_MS << failures.min(8));
    let chance = RandomState::new().build_hasher().finish();
    Duration::from_millis(longest / 2 + chance % (longest / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_growing() {
        for failures in 0..100 {
            let pause = pause_after(failures).as_millis() as u64;
            assert!(
                (FIRST_PAUSE_MS / 2..LONGEST_PAUSE_MS).contains(&pause),
                "{failures}: {pause}"
            );
        }
        assert!(pause_after(9) > pause_after(0));
    }

    #[test]
    fn several_servers_may_be_named_and_a_password_is_not_told() {
        assert_eq!(servers("nats://a:1, tls://b:2,").expect("servers").len(), 2);
        for wrong in [",", "http://me:secret@h", "nats://me:secret@h:99999"] {
            let told = servers(wrong).expect_err(wrong).to_string();
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
