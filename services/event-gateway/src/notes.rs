//! Noting accepted events in `snooze_open`, many in one batch (rule E4).
//!
//! An event is acked only after its note is there: a gateway that dies between acceptance and note takes
//! the event again, and the runner knows it already.

use snooze_bus::{BatchWrite, Bucket, Bus, BusError, WriteError, keys};
use snooze_schemas::event::{OpenEvent, Scope};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Notes that wait for a batch; whoever dispatches waits when it is full.
const WAITING: usize = 1_024;
/// Notes in one batch; the server takes 1,000.
const BATCH: usize = 256;
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// Why an accepted event is not noted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoteError {
    /// The gateway is ending.
    #[error("the gateway is ending")]
    Ending,
    /// The bucket did not take it.
    #[error("note an accepted event: {0}")]
    Write(String),
}

struct Request {
    open: OpenEvent,
    done: oneshot::Sender<Result<(), NoteError>>,
}

/// Hands notes to the writer.
#[derive(Debug, Clone)]
pub(crate) struct Notes(mpsc::Sender<Request>);

impl std::fmt::Debug for Request {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Request({})", self.open.event.id)
    }
}

impl Notes {
    /// Returns once the note is in the bucket.
    pub(crate) async fn note(&self, open: OpenEvent) -> Result<(), NoteError> {
        let (done, outcome) = oneshot::channel();
        self.0
            .send(Request { open, done })
            .await
            .map_err(|_| NoteError::Ending)?;
        outcome.await.map_err(|_| NoteError::Ending)?
    }
}

/// The handle, and the task that writes. The task ends when the last handle is gone.
pub(crate) fn channel(bus: Bus) -> (Notes, impl Future<Output = Result<(), BusError>>) {
    let (sender, mut requests) = mpsc::channel(WAITING);
    let writer = async move {
        let mut waiting = Vec::with_capacity(BATCH);
        while requests.recv_many(&mut waiting, BATCH).await > 0 {
            write(&bus, &mut waiting).await?;
        }
        Ok(())
    };
    (Notes(sender), writer)
}

async fn write(bus: &Bus, waiting: &mut Vec<Request>) -> Result<(), BusError> {
    let mut batch = Vec::with_capacity(waiting.len());
    for request in waiting.iter() {
        batch.push(BatchWrite::put(key_of(&request.open), &request.open, 0)?);
    }
    let all = match waiting.len() {
        1 => false,
        _ => bus
            .bucket(Bucket::Open)
            .write_batch(batch, WRITE_WITHIN)
            .await
            .is_ok(),
    };
    for request in waiting.drain(..) {
        // One note that is there already refuses a whole batch; then each is written by itself.
        let outcome = if all {
            Ok(())
        } else {
            write_one(bus, &request.open).await
        };
        if request.done.send(outcome).is_err() {
            tracing::debug!("nobody waits for this note any more");
        }
    }
    Ok(())
}

async fn write_one(bus: &Bus, open: &OpenEvent) -> Result<(), NoteError> {
    match bus.bucket(Bucket::Open).create(&key_of(open), open).await {
        // Conflict: noted before, by a gateway that died before its ack.
        Ok(_) | Err(WriteError::Conflict { .. }) => Ok(()),
        Err(error) => Err(NoteError::Write(snooze_service_runtime::exit::one_line(&error))),
    }
}

/// The key under which an event that a host accepted is noted.
pub(crate) fn key_of(open: &OpenEvent) -> String {
    keys::open_key(&Scope::Host(open.host.clone()), &open.event.id)
}
