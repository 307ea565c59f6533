//! Noting accepted and parked events in `snooze_open`, many in one batch (rules E4 and E5).
//!
//! An event is acked only after its note is there: a gateway that dies between acceptance and note takes
//! the event again, and the runner knows it already. A note that cannot be written fails by itself: it never
//! takes the others down. Each severity has a writer of its own, and the bucket's last room is for the most urgent: a
//! flood below delays no note of an event above, and leaves none without room (E3).

mod room;

use futures_util::{StreamExt, future::join_all};
use room::Room;
use snooze_bus::{BatchWrite, Bucket, Bus, BusError, Entry, WriteError, keys};
use snooze_schemas::{
    EventId, HostId,
    event::{Event, OpenEvent, OpenState, Scope, Severity},
};
use snooze_service_runtime::exit::one_line;
use std::{convert::Infallible, time::Duration};
use tokio::sync::{mpsc, oneshot};

const SEVERITIES: usize = Severity::DESCENDING.len();
/// Notes of one severity that wait for a batch; whoever dispatches waits when it is full.
const WAITING: usize = 1_024;
/// Notes in one batch; the server takes 1,000.
const BATCH: usize = 256;
/// Notes that are written singly at once, where their batch was refused.
const SINGLY_AT_ONCE: usize = 64;
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// Why an accepted event is not noted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoteError {
    /// The gateway is ending.
    #[error("the gateway is ending")]
    Ending,
    /// Another event of the host has the same id, and is open.
    #[error("another event of this host has the id {0} and is not over")]
    OtherEvent(EventId),
    /// The bucket did not take it.
    #[error("note an accepted event: {0}")]
    Write(String),
}

struct Request {
    open: OpenEvent,
    done: oneshot::Sender<Result<(), NoteError>>,
}

/// Hands notes to the writer of their severity.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    writers: [mpsc::Sender<Request>; SEVERITIES],
    room: Room,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Request({})", self.open.event.id)
    }
}

impl Notes {
    /// Whether there is room for the note of an event that nobody has yet.
    pub(crate) fn has_room(&self, severity: Severity) -> bool {
        self.room.has_room(severity)
    }

    /// Returns once the note is in the bucket. It has no data of the event: that stands in its stream, and as many as
    /// there are hosts may be noted of one.
    pub(crate) async fn note(&self, mut open: OpenEvent) -> Result<(), NoteError> {
        open.event.data.clear();
        let (done, outcome) = oneshot::channel();
        let writer = &self.writers[usize::from(u8::from(open.event.severity))];
        writer
            .send(Request { open, done })
            .await
            .map_err(|_| NoteError::Ending)?;
        outcome.await.map_err(|_| NoteError::Ending)?
    }
}

/// The handle, and the task that writes. The task ends when the last handle is gone.
pub(crate) fn channel(bus: Bus) -> (Notes, impl Future<Output = Result<(), Infallible>>) {
    let room = Room::default();
    let (writers, requests): (Vec<_>, Vec<_>) = (0..SEVERITIES).map(|_| mpsc::channel(WAITING)).unzip();
    let notes = Notes {
        writers: writers.try_into().expect("there are as many as are made"),
        room: room.clone(),
    };
    let writer = async move {
        let writing = requests
            .into_iter()
            .map(|requests| write_all(&bus, &room, requests));
        // Looking is cut off when there is nothing left to write.
        tokio::select! {
            _ = join_all(writing) => Ok(()),
            never = room.look(&bus) => Err(never),
        }
    };
    (notes, writer)
}

async fn write_all(bus: &Bus, room: &Room, mut requests: mpsc::Receiver<Request>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while requests.recv_many(&mut waiting, BATCH).await > 0 {
        write(bus, room, &mut waiting).await;
    }
}

async fn write(bus: &Bus, room: &Room, waiting: &mut Vec<Request>) {
    let batch: Result<Vec<_>, BusError> = waiting
        .iter()
        .map(|request| BatchWrite::put(key_of(&request.open), &request.open, 0))
        .collect();
    if let Ok(batch) = &batch {
        batch.iter().for_each(|note| room.wrote(note));
    }
    let all = match batch {
        Ok(batch) if batch.len() > 1 => {
            let bucket = bus.bucket(Bucket::Open);
            bucket.write_batch(batch, WRITE_WITHIN).await.is_ok()
        }
        _ => false,
    };
    let requests = waiting.drain(..);
    if all {
        return requests.for_each(|request| request.answer(Ok(())));
    }
    // One note that is there already, or cannot be written, refuses a whole batch; then each is written by itself, some
    // at once.
    let one_by_one = futures_util::stream::iter(requests);
    one_by_one
        .for_each_concurrent(SINGLY_AT_ONCE, async |request| {
            let outcome = write_one(bus, &request.open).await;
            request.answer(outcome);
        })
        .await;
}

impl Request {
    fn answer(self, outcome: Result<(), NoteError>) {
        if self.done.send(outcome).is_err() {
            tracing::debug!("nobody waits for this note any more");
        }
    }
}

async fn write_one(bus: &Bus, open: &OpenEvent) -> Result<(), NoteError> {
    let failed = |error: &(dyn std::error::Error + 'static)| NoteError::Write(one_line(error));
    match bus.bucket(Bucket::Open).create(&key_of(open), open).await {
        Ok(_) => Ok(()),
        // Noted before: as parked, or by a gateway that died before its ack.
        Err(WriteError::Conflict { .. }) => match noted(bus, &open.host, &open.event).await {
            Ok(Noted::ThisEvent(noted)) => go_on(bus, open, &noted).await.map_err(|error| failed(&error)),
            Ok(Noted::Nothing) => Ok(()),
            Ok(Noted::AnotherEvent) => Err(NoteError::OtherEvent(open.event.id.clone())),
            Err(error) => Err(failed(&error)),
        },
        Err(error) => Err(failed(&error)),
    }
}

/// Changes the note of an event that was parked and is accepted now; any other stays as it is. Whoever wrote it in
/// between knows more.
async fn go_on(bus: &Bus, open: &OpenEvent, noted: &Entry<OpenEvent>) -> Result<(), WriteError> {
    if noted.value.state != OpenState::Parked || open.state != OpenState::Accepted {
        return Ok(());
    }
    let bucket = bus.bucket(Bucket::Open);
    match bucket.update(&noted.key, open, noted.revision).await {
        Ok(_) | Err(WriteError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What stands under an event's key.
#[derive(Debug, PartialEq)]
pub(crate) enum Noted {
    /// No note, or none that can be read.
    Nothing,
    /// A note of this very event: it is accounted for.
    ThisEvent(Box<Entry<OpenEvent>>),
    /// A note of another event with the same id.
    AnotherEvent,
}

/// Looks whether a host's event is noted.
pub(crate) async fn noted(bus: &Bus, host: &HostId, event: &Event) -> Result<Noted, BusError> {
    let key = keys::open_key(&Scope::Host(host.clone()), &event.id);
    match bus.bucket(Bucket::Open).get::<OpenEvent>(&key).await {
        Ok(None) | Err(BusError::Decode { .. }) => Ok(Noted::Nothing),
        Ok(Some(entry)) => {
            let other = &entry.value.event;
            let is_this = (&other.event_type, other.severity, &other.host)
                == (&event.event_type, event.severity, &event.host);
            Ok(if is_this {
                Noted::ThisEvent(Box::new(entry))
            } else {
                Noted::AnotherEvent
            })
        }
        Err(error) => Err(error),
    }
}

/// The key under which an event that a host accepted is noted.
pub(crate) fn key_of(open: &OpenEvent) -> String {
    keys::open_key(&Scope::Host(open.host.clone()), &open.event.id)
}
