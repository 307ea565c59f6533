//! Events whose host is away: parked in `snooze_open` and given to it as soon as it is back (rule E5).
//!
//! A parked event is acked, so that a thousand hosts that are away hold up none that is there. A host's hello
//! brings it what waits; one whose hello was missed is asked now and then. What nobody takes before its time is
//! over ends in DEAD. Times are counted on this machine's boot-time clock from when it first saw a note; a
//! deadline is compared with real time once, then.

mod book;
mod drain;

use super::Config;
use book::{Book, Parked};
use drain::{Drained, drain};
use snooze_bus::{Bucket, Bus, BusError, Change, Entry, Subscription, keys};
use snooze_schemas::{
    HostId,
    event::{OpenEvent, OpenState, Scope},
};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    time::Duration,
};
use tokio::task::JoinSet;

/// Between a watch that broke and the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// Hosts that are given what waits for them at once.
const HOSTS_AT_ONCE: usize = 256;

/// Before a host that is there and did not take all is asked again.
const SOON: Duration = Duration::from_secs(1);

/// What is kept over a watch that breaks.
#[derive(Default)]
struct Desk {
    book: Book,
    /// Hosts that are to be looked at, in this order.
    next: VecDeque<HostId>,
    /// The same, so that each is there once.
    queued: HashSet<HostId>,
    /// Hosts that are being looked at.
    busy: HashSet<HostId>,
    running: JoinSet<(HostId, Drained)>,
}

/// Gives hosts what waits for them, until shutdown.
pub(crate) async fn give(
    config: Config,
    bus: Bus,
    mut hellos: Subscription,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut desk = Desk::default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            ended = watch(&config, &bus, &mut hellos, &mut desk) => {
                if let Err(error) = ended {
                    tracing::warn!(%error, "the watch of parked events broke and begins anew");
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn watch(
    config: &Config,
    bus: &Bus,
    hellos: &mut Subscription,
    desk: &mut Desk,
) -> Result<(), BusError> {
    let mut changes = bus.bucket(Bucket::Open).watch::<OpenEvent>(">").await?;
    let mut tick = tokio::time::interval(config.sweep_interval);
    loop {
        desk.start(config, bus);
        // Cancelling any branch loses nothing: what was not taken stays where it is.
        tokio::select! {
            Some(ended) = desk.running.join_next() => desk.end(config, ended),
            hello = hellos.next() => match hello {
                None => return Ok(()),
                Some(hello) => if let Some(host) = hello.subject().host()
                    && desk.book.hello(host, config.clocks.boottime_ms())
                {
                    desk.look_at(host.clone());
                },
            },
            change = changes.next() => match change {
                None => return Ok(()),
                Some(change) => desk.take(config, change?),
            },
            _ = tick.tick() => {
                for host in desk.book.due(config.clocks.boottime_ms(), config.away_retry) {
                    desk.look_at(host);
                }
            }
        }
    }
}

impl Desk {
    fn look_at(&mut self, host: HostId) {
        if self.queued.insert(host.clone()) {
            self.next.push_back(host);
        }
    }

    /// Begins with as many hosts as there are hands; never with one twice.
    fn start(&mut self, config: &Config, bus: &Bus) {
        for _ in 0..self.next.len() {
            if self.running.len() >= HOSTS_AT_ONCE {
                return;
            }
            let Some(host) = self.next.pop_front() else { return };
            if self.busy.contains(&host) {
                self.next.push_back(host);
                continue;
            }
            self.queued.remove(&host);
            let events = self.book.of(&host);
            if events.is_empty() {
                continue;
            }
            self.busy.insert(host.clone());
            let (config, bus) = (config.clone(), bus.clone());
            self.running.spawn(async move {
                let drained = drain(&config, &bus, &host, events).await;
                (host, drained)
            });
        }
    }

    fn end(&mut self, config: &Config, ended: Result<(HostId, Drained), tokio::task::JoinError>) {
        match ended {
            Ok((host, drained)) => {
                self.busy.remove(&host);
                for id in &drained.gone {
                    self.book.remove(&host, id);
                }
                if drained.is_soon {
                    self.book.soon(&host, config.clocks.boottime_ms(), SOON);
                }
            }
            Err(error) => {
                tracing::error!(%error, "giving a host what waits for it ended without finishing; tried again");
                // Whose it was is not known any more; the others are only asked once more.
                self.busy.clear();
            }
        }
    }

    fn take(&mut self, config: &Config, change: Change<OpenEvent>) {
        match change {
            Change::Put(entry) => {
                let host = entry.value.host.clone();
                if entry.value.state != OpenState::Parked {
                    self.book.remove(&host, &entry.value.event.id);
                    return;
                }
                let now = config.clocks.boottime_ms();
                let id = entry.value.event.id.clone();
                let parked = parked(config, &entry);
                if self.book.put(host.clone(), id, parked, now, config.away_retry) {
                    self.look_at(host);
                }
            }
            Change::Deleted { key, .. } | Change::Unreadable { key, .. } => {
                if let Some((Scope::Host(host), id)) = keys::open_parts(&key) {
                    self.book.remove(&host, &id);
                }
            }
            Change::Ready => {}
        }
    }
}

/// When a note's time is over: its deadline, where it has one, and never later than whoever wrote it said.
fn parked(config: &Config, entry: &Entry<OpenEvent>) -> Parked {
    let now = config.clocks.look();
    let note = &entry.value;
    let until = note.event.deadline.map(|deadline| {
        let left = Duration::try_from(deadline.duration_since(now.wall)).unwrap_or(Duration::ZERO);
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    });
    let left = match until {
        // Whoever ends it has that long to do so.
        _ if note.is_ending => note.sweep_after_ms,
        Some(until) => until.min(note.sweep_after_ms),
        None => note.sweep_after_ms,
    };
    Parked {
        revision: entry.revision,
        severity: note.event.severity,
        due_boottime_ms: now.boottime_ms.saturating_add(left),
        is_deadline: until.is_some(),
        is_ending: note.is_ending,
    }
}
