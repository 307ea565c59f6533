//! Events whose host is away: parked in `snooze_open` and given to it as soon as it is back (rule E5).
//!
//! A parked event is acked, so that a thousand hosts that are away, or do not answer, hold up none that is there. A
//! host's hello brings it what waits, before any that is asked unbidden; one that is there and did not take something
//! is asked again soon, and one whose hello was missed now and then. What nobody takes before its time is over ends in
//! DEAD. Times are counted on this machine's boot-time clock from when it first saw a note; a
//! deadline is compared with real time once, then.

mod book;
mod drain;
mod queue;

use super::{Config, offer::Offers, places::Places};
use book::{Book, Parked};
use drain::{Drained, drain};
use queue::Queue;
use snooze_bus::{Bucket, Bus, BusError, Change, Entry, Subscription, keys};
use snooze_schemas::{
    HostId,
    event::{OpenEvent, OpenState, Scope},
};
use snooze_service_runtime::CancellationToken;
use std::{collections::HashSet, convert::Infallible, time::Duration};
use tokio::{sync::mpsc, task::JoinSet};

/// Between a watch that broke and the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// Hosts that are given what waits for them at once.
const HOSTS_AT_ONCE: usize = 256;

/// So many of them did not say that they are back: one that hangs keeps a hand for as long as an offer lasts, and
/// those that do are never so many that one that is back waits for them.
const UNBIDDEN_AT_ONCE: usize = 128;

/// Before a host that is there and did not take all is asked again.
const SOON: Duration = Duration::from_millis(500);

/// Hosts of which it is told at once that they did not take an event.
const TOLD: usize = 4_096;

/// Tells which hosts are there and did not take an event that was parked therefore.
#[derive(Debug, Clone)]
pub(crate) struct There(mpsc::Sender<HostId>);

impl There {
    /// The handle, and what is told.
    pub(crate) fn channel() -> (There, mpsc::Receiver<HostId>) {
        let (sender, receiver) = mpsc::channel(TOLD);
        (There(sender), receiver)
    }

    /// Waits for nobody: a host that is not told of is asked as one that is away is.
    pub(crate) fn tell(&self, host: HostId) {
        if let Err(error) = self.0.try_send(host) {
            tracing::debug!(%error, "a host that did not take an event is asked again later");
        }
    }
}

/// What is kept over a watch that breaks.
struct Desk {
    /// Hears of every note too.
    places: Places,
    book: Book,
    /// Hosts that said that they are back.
    back: Queue,
    /// Hosts that are asked unbidden.
    unbidden: Queue,
    /// Hosts that are being looked at, all of them and those that are asked unbidden.
    busy: HashSet<HostId>,
    busy_unbidden: HashSet<HostId>,
    running: JoinSet<(HostId, Drained)>,
}

/// Gives hosts what waits for them, until shutdown.
pub(crate) async fn give(
    config: Config,
    bus: Bus,
    (offers, places): (Offers, Places),
    (mut hellos, mut there): (Subscription, mpsc::Receiver<HostId>),
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut desk = Desk::new(places);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            ended = watch(&config, (&bus, &offers), (&mut hellos, &mut there), &mut desk) => {
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
    (bus, offers): (&Bus, &Offers),
    (hellos, there): (&mut Subscription, &mut mpsc::Receiver<HostId>),
    desk: &mut Desk,
) -> Result<(), BusError> {
    let mut changes = bus.bucket(Bucket::Open).watch::<OpenEvent>(">").await?;
    desk.places.begin();
    let mut tick = tokio::time::interval(config.sweep_interval);
    loop {
        desk.start(config, bus, offers);
        // Cancelling any branch loses nothing: what was not taken stays where it is.
        tokio::select! {
            Some(ended) = desk.running.join_next() => desk.end(config, ended),
            hello = hellos.next() => match hello {
                None => return Ok(()),
                Some(hello) => if let Some(host) = hello.subject().host() {
                    offers.said_hello(host);
                    if desk.book.hello(host, config.clocks.boottime_ms()) {
                        desk.back.push(host.clone());
                    }
                },
            },
            Some(host) = there.recv() => desk.book.there(&host, config.clocks.boottime_ms(), SOON),
            change = changes.next() => match change {
                None => return Ok(()),
                Some(change) => desk.take(config, change?),
            },
            _ = tick.tick() => {
                for host in desk.book.due(config.clocks.boottime_ms(), config.away_retry) {
                    desk.unbidden.push(host);
                }
            }
        }
    }
}

impl Desk {
    fn new(places: Places) -> Desk {
        Desk {
            places,
            book: Book::default(),
            back: Queue::default(),
            unbidden: Queue::default(),
            busy: HashSet::new(),
            busy_unbidden: HashSet::new(),
            running: JoinSet::new(),
        }
    }

    /// Begins with as many hosts as there are hands; never with one twice.
    fn start(&mut self, config: &Config, bus: &Bus, offers: &Offers) {
        while self.running.len() < HOSTS_AT_ONCE {
            let host = match self.back.pop(&self.busy) {
                Some(host) => host,
                None if self.busy_unbidden.len() >= UNBIDDEN_AT_ONCE => return,
                None => match self.unbidden.pop(&self.busy) {
                    None => return,
                    Some(host) => {
                        self.busy_unbidden.insert(host.clone());
                        host
                    }
                },
            };
            let events = self.book.of(&host);
            if events.is_empty() {
                self.busy_unbidden.remove(&host);
                continue;
            }
            self.busy.insert(host.clone());
            let (config, bus, offers) = (config.clone(), bus.clone(), offers.clone());
            self.running.spawn(async move {
                let drained = drain(&config, &bus, &offers, &host, events).await;
                (host, drained)
            });
        }
    }

    fn end(&mut self, config: &Config, ended: Result<(HostId, Drained), tokio::task::JoinError>) {
        match ended {
            Ok((host, drained)) => {
                self.busy.remove(&host);
                self.busy_unbidden.remove(&host);
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
                self.busy_unbidden.clear();
            }
        }
    }

    fn take(&mut self, config: &Config, change: Change<OpenEvent>) {
        self.places.saw(&change);
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
                    self.back.push(host);
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
