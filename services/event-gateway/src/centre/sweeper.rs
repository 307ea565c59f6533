//! Ending what was accepted and never reported: in DEAD, with that reason (rule E4).
//!
//! Every gateway sweeps. Each counts on its own boot-time clock, from when it saw a note, so that no two
//! machines' clocks are compared; the note's revision says which of them ends it. A note that waits for
//! something that this version does not know, or that cannot be read, is left alone and holds up no other.

use super::{
    Config,
    dead::DeadEvents,
    ending::{self, EndError},
};
use futures_util::future::join_all;
use snooze_bus::{Bucket, Bus, BusError, Change, Entry};
use snooze_schemas::event::{OpenEvent, OpenState};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{collections::HashMap, convert::Infallible, time::Duration};

/// Between a watch that broke and the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// Notes that are ended at once.
const AT_ONCE: usize = 16;

/// What was seen of one note.
struct Seen {
    revision: u64,
    due_boottime_ms: u64,
}

/// Sweeps until shutdown. A watch that breaks begins anew.
pub(crate) async fn sweep(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), Infallible> {
    // Kept over a broken watch: else an unsteady connection would put every end off for ever.
    let mut seen: HashMap<String, Seen> = HashMap::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            ended = watch(&config, &bus, &mut seen) => {
                if let Err(error) = ended {
                    tracing::warn!(%error, "the watch of open events broke and begins anew");
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn watch(config: &Config, bus: &Bus, seen: &mut HashMap<String, Seen>) -> Result<(), BusError> {
    let mut changes = bus.bucket(Bucket::Open).watch::<OpenEvent>(">").await?;
    let mut tick = tokio::time::interval(config.sweep_interval);
    loop {
        tokio::select! {
            change = changes.next() => match change {
                None => return Ok(()),
                Some(change) => take(config, seen, change?),
            },
            _ = tick.tick() => {
                let now = config.clocks.boottime_ms();
                let due: Vec<String> = seen
                    .iter()
                    .filter(|(_, note)| note.due_boottime_ms <= now)
                    .map(|(key, _)| key.clone())
                    .collect();
                for keys in due.chunks(AT_ONCE) {
                    end_some(config, bus, keys, seen).await?;
                }
            }
        }
    }
}

fn take(config: &Config, seen: &mut HashMap<String, Seen>, change: Change<OpenEvent>) {
    match change {
        Change::Put(Entry {
            key, value, revision, ..
        }) => {
            if value.state != OpenState::Accepted {
                seen.remove(&key);
            } else if seen.get(&key).is_none_or(|known| known.revision != revision) {
                let due = config.clocks.boottime_ms().saturating_add(value.sweep_after_ms);
                seen.insert(
                    key,
                    Seen {
                        revision,
                        due_boottime_ms: due,
                    },
                );
            }
        }
        Change::Deleted { key, .. } => {
            seen.remove(&key);
        }
        Change::Unreadable { key, why, .. } => {
            seen.remove(&key);
            tracing::error!(
                key,
                why,
                "an open event cannot be read: look at it and delete it by hand"
            );
        }
        Change::Ready => {}
    }
}

/// Ends some, at once. One that cannot be ended now holds up no other.
///
/// # Errors
/// When none of them could be looked at: then it is not about them.
async fn end_some(
    config: &Config,
    bus: &Bus,
    keys: &[String],
    seen: &mut HashMap<String, Seen>,
) -> Result<(), BusError> {
    let ending = keys.iter().map(|key| {
        let revision = seen.get(key).map(|note| note.revision);
        end(config, bus, key, revision)
    });
    let ended = join_all(ending).await;
    let mut failed = Vec::new();
    for (key, ended) in keys.iter().zip(ended) {
        match ended {
            Ok(Ended::Gone) => drop(seen.remove(key)),
            Ok(Ended::Later) => {}
            Err(error) => {
                let error_line = one_line(&error);
                tracing::warn!(
                    error = error_line,
                    key,
                    "an open event was not looked at; tried again"
                );
                failed.push(error);
            }
        }
    }
    let is_all = failed.len() == keys.len();
    failed.pop().filter(|_| is_all).map_or(Ok(()), Err)
}

/// What is to be done about a note that was looked at.
enum Ended {
    /// Nothing: there is none that is waited for here.
    Gone,
    /// The watch will tell, or it is tried again.
    Later,
}

/// Ends one whose time is over, if this gateway is the one that gets to.
async fn end(config: &Config, bus: &Bus, key: &str, revision: Option<u64>) -> Result<Ended, BusError> {
    let bucket = bus.bucket(Bucket::Open);
    let entry = match bucket.get::<OpenEvent>(key).await {
        Ok(Some(entry)) if entry.value.state == OpenState::Accepted => entry,
        // The watch says of one that cannot be read what is to be done.
        Ok(_) | Err(BusError::Decode { .. }) => return Ok(Ended::Gone),
        Err(error) => return Err(error),
    };
    if revision.is_some_and(|revision| revision != entry.revision) {
        // Written in between: the watch will tell, and the count begins anew.
        return Ok(Ended::Later);
    }
    let reason = "the runner accepted it and did not report its outcome in time";
    let dead = DeadEvents {
        bus: bus.clone(),
        clocks: config.clocks.clone(),
        name: config.name.clone(),
    };
    match ending::end(&dead, entry, config.report_grace, reason).await {
        Ok(()) => {}
        Err(EndError::Look(error)) => return Err(error),
        Err(error) => tracing::warn!(
            error = one_line(&error),
            key,
            "an open event was not ended; tried again"
        ),
    }
    Ok(Ended::Later)
}
