//! Makes an event of each happening, once, and sees it to its end: handed to this host's runner and filed, each
//! without waiting for the other.

mod left;

use super::{
    Config,
    filing::{self, Filed},
    hand_over::Runner,
    journal::{Book, Entry, Line, Open},
};
use crate::{
    happening::Whose,
    source::{Notice, Told},
};
use serde_json::Value;
use snooze_bus::{Bus, trace};
use snooze_schemas::event::{Event, MAX_DATA_BYTES, Severity};
use snooze_service_runtime::{CancellationToken, Clocks, exit::one_line};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::Instrument;

/// So many of one severity are under way at once, so that none waits for a less urgent one (E3).
const LANE: usize = 8;
/// How long an event waits for the disk before it is handed over all the same. A disk takes milliseconds.
const JOURNAL: Duration = Duration::from_millis(200);
/// Between two attempts to hand an event over: doubled each time, up to the second one.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(500)];

/// The places of each severity.
#[derive(Debug)]
pub(crate) struct Lanes([Semaphore; Severity::DESCENDING.len()]);

impl Lanes {
    pub(crate) fn new() -> Lanes {
        Lanes(std::array::from_fn(|_| Semaphore::new(LANE)))
    }

    /// Waits for a place.
    pub(crate) async fn place(&self, severity: Severity) -> SemaphorePermit<'_> {
        let lane = &self.0[usize::from(u8::from(severity))];
        lane.acquire().await.expect("it is never closed")
    }
}

/// Where happenings become events.
#[derive(Debug)]
pub(super) struct Desk {
    whose: Whose,
    boot_id: String,
    clocks: Clocks,
    bus: Bus,
    runner: Runner,
    book: Book,
    handing: Lanes,
    filing: Lanes,
}

impl Desk {
    pub(super) fn new(config: &Config, bus: Bus, book: Book) -> Arc<Desk> {
        Arc::new(Desk {
            whose: config.whose(),
            boot_id: config.boot_id.clone(),
            clocks: config.clocks.clone(),
            bus,
            runner: Runner::at(config.runner_socket.clone()),
            book,
            handing: Lanes::new(),
            filing: Lanes::new(),
        })
    }

    /// Takes what the sources tell until shutdown, after what an earlier gateway has not seen to its end.
    ///
    /// # Errors
    /// Never.
    pub(super) async fn work(
        self: Arc<Self>,
        unfinished: Vec<Open>,
        mut told: Told,
        shutdown: CancellationToken,
    ) -> Result<(), Infallible> {
        // Dropped at the end: what they have not done is in the journal.
        let mut under_way = JoinSet::new();
        for mut open in unfinished {
            open.entry.rebase(&self.boot_id, &self.clocks);
            let desk = self.clone();
            let span = tracing::info_span!("notice after a restart", event = %open.entry.event.id);
            if let Some(parent) = &open.entry.traceparent {
                trace::set_parent(&span, parent);
            }
            let seen_to = async move { desk.see_to(&open.entry, !open.handed, !open.filed).await };
            under_way.spawn(seen_to.instrument(span));
        }
        loop {
            // Cancelling these loses nothing: a happening stays in the channel.
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(ended) = under_way.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "an event was not seen to its end; it is after the next start");
                    }
                }
                notice = told.notice() => match notice {
                    Some(notice) => self.take(notice, &mut under_way),
                    None => {
                        shutdown.cancelled().await;
                        return Ok(());
                    }
                },
            }
        }
    }

    fn take(self: &Arc<Self>, notice: Notice, under_way: &mut JoinSet<()>) {
        let Notice { happening, receipt } = notice;
        let id = happening.id(&self.whose);
        if self.book.knows(&id) {
            tracing::debug!(event = %id, "what was noticed is known");
            // It may be on its way to the disk, or the disk may have failed.
            let synced = self.book.synced();
            under_way.spawn(async move { receipt.give_if(synced.await) });
            return;
        }
        let event = bounded(still_to_come(
            happening.into_event(&self.whose, self.clocks.wall()),
        ));
        tracing::info!(event = %id, r#type = %event.event_type, source = event.source, "noticed");
        let desk = self.clone();
        let span = tracing::info_span!("notice", event = %id);
        let entry = Entry {
            traceparent: trace::traceparent_of(&span),
            ..Entry::new(event, self.boot_id.clone(), &self.clocks)
        };
        if self.book.has_room(entry.event.severity) {
            let written = self.book.write(Line::Noticed(Box::new(entry.clone())));
            let seen_to = async move {
                let mut kept = pin!(async { receipt.give_if(written.await) });
                if timeout(JOURNAL, &mut kept).await.is_ok() {
                    desk.see_to(&entry, true, true).await;
                } else {
                    tracing::warn!(event = %entry.event.id, "the disk is slow; an event is handed over before it is in the journal");
                    tokio::join!(kept, desk.see_to(&entry, true, true));
                }
            };
            under_way.spawn(seen_to.instrument(span));
            return;
        }
        tracing::error!(event = %id, "too many events wait to be filed; this one is handed over and not filed");
        self.book.know(id.clone());
        let handed_over = async move {
            desk.hand_over(&entry).await;
            receipt.give_if(desk.book.write(Line::Over { id }).await);
        };
        under_way.spawn(handed_over.instrument(span));
    }

    async fn see_to(&self, entry: &Entry, hand_over: bool, file: bool) {
        let id = || entry.event.id.clone();
        let handing = async {
            if hand_over {
                self.hand_over(entry).await;
                self.book.write(Line::Handed { id: id() }).await;
            }
        };
        let filing = async {
            if file {
                if let Filed::Never(why) = filing::file(&self.bus, &self.filing, &entry.event).await {
                    tracing::error!(event = %entry.event.id, why, "an event can never be filed, and is not tried again");
                }
                self.book.write(Line::Filed { id: id() }).await;
            }
        };
        tokio::join!(handing, filing);
    }

    /// Hands an event to the runner, again and again until it is taken, refused for good, or its time is over; at
    /// least once.
    async fn hand_over(&self, entry: &Entry) {
        let event = &entry.event;
        let [mut pause, longest] = PAUSES;
        let mut told = false;
        loop {
            let place = self.handing.place(event.severity).await;
            // What it has waited for its place is over as well.
            let left = entry.left(&self.clocks);
            let offered = self.runner.offer(event, event.deadline.map(|_| left)).await;
            drop(place);
            match offered {
                Ok(accepted) => {
                    let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                    tracing::info!(event = %event.id, left_ms, duplicate = accepted.duplicate, "handed to the runner");
                    return;
                }
                Err(error) if error.is_for_good() || left.is_zero() => {
                    tracing::warn!(event = %event.id, error = one_line(&error), "an event was not taken by this host's runner");
                    return;
                }
                Err(error) if !told => {
                    tracing::warn!(event = %event.id, error = one_line(&error), "an event waits for this host's runner");
                    told = true;
                }
                Err(_) => {}
            }
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// What is noticed here has not come to pass here, whatever time it was announced for: that was the earliest, or this
/// clock is wrong. Handlers have as long for it as for what has no time.
fn still_to_come(mut event: Event) -> Event {
    if let Some(deadline) = event.deadline.take_if(|deadline| *deadline <= event.noticed_at) {
        tracing::warn!(event = %event.id, %deadline, "what is announced for a time that is over has not come yet; it has none");
    }
    event
}

/// With data that every handler and stream takes.
fn bounded(mut event: Event) -> Event {
    let bytes = serde_json::to_vec(&event.data).map_or(usize::MAX, |data| data.len());
    if bytes > MAX_DATA_BYTES {
        tracing::warn!(event = %event.id, bytes, "what a source tells of an event is too much and left out");
        event.data.retain(|key, _| key == "state");
        event.data.insert("left_out_bytes".to_owned(), Value::from(bytes));
    }
    event
}
