//! Where happenings come from; one file a source, each switched on by itself.
//!
//! A source notices and tells; it files nothing, asks no plugin and remembers only what it needs to tell a
//! change from a repetition. What it cannot read it says once, and goes on: a source that is away takes nothing
//! else with it.

pub mod aws;
pub mod aws_metadata;
#[cfg(feature = "aws")]
pub(crate) mod aws_queue;
pub mod azure;
mod failing;
mod field;
pub mod gcp;
pub mod http;
mod kept;
#[cfg(test)]
pub(crate) mod malformed;
pub mod system;
pub(crate) mod trouble;

use crate::happening::Happening;
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    oneshot,
};

/// Happenings that wait for the desk. A source that finds it full waits: nothing it noticed is dropped.
const WAITING: usize = 64;

/// What a source tells the desk through.
#[derive(Debug, Clone)]
pub struct Notices(mpsc::Sender<Notice>);

/// The desk's end of it.
#[derive(Debug)]
pub struct Told(mpsc::Receiver<Notice>);

/// A happening on its way to the desk, and its source's receipt.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) happening: Happening,
    pub(crate) receipt: Receipt,
}

/// What the desk gives once a happening is on its disk. Dropped without that it says that it never will be, and who
/// keeps what it told tells it again.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Sender<()>);

/// The source's side of a receipt. Whoever needs none drops it.
#[derive(Debug)]
pub struct Keeping(oneshot::Receiver<()>);

/// Whether the desk has on its disk what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IsKept {
    /// Not yet.
    NotYet,
    /// It has, or needs it no more.
    Yes,
    /// It has not, and will not by having been told this once.
    No,
}

impl Notices {
    /// The end of a source, and the end of the desk.
    #[must_use]
    pub fn channel() -> (Notices, Told) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Notices(sender), Told(receiver))
    }

    /// Tells of a happening. Where the desk has ended there is nobody left to tell, and the source ends too. It does not
    /// wait for the desk's disk: what comes back says when that has it.
    pub async fn tell(&self, happening: Happening) -> Keeping {
        let (receipt, keeping) = oneshot::channel();
        let receipt = Receipt(receipt);
        if self.0.send(Notice { happening, receipt }).await.is_err() {
            tracing::debug!("the desk has ended; what was noticed now is noticed again after the next start");
        }
        Keeping(keeping)
    }
}

impl Told {
    /// The next one; nothing once nobody tells any more. Cancelling it loses nothing.
    pub(crate) async fn notice(&mut self) -> Option<Notice> {
        self.0.recv().await
    }

    /// The next one, for whoever has no disk to bring it to: it counts as kept.
    pub async fn recv(&mut self) -> Option<Happening> {
        self.notice().await.map(Notice::taken)
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// When there is none now, or nobody tells any more.
    pub fn try_recv(&mut self) -> Result<Happening, TryRecvError> {
        self.0.try_recv().map(Notice::taken)
    }
}

impl Notice {
    fn taken(self) -> Happening {
        self.receipt.give();
        self.happening
    }
}

impl Receipt {
    /// It is on the disk.
    pub(crate) fn give(self) {
        if self.0.send(()).is_err() {
            tracing::trace!("its source wants no receipt");
        }
    }

    /// It is, if it is.
    pub(crate) fn give_if(self, is_kept: bool) {
        if is_kept {
            self.give();
        }
    }
}

impl Keeping {
    /// How it stands.
    pub(crate) fn look(&mut self) -> IsKept {
        match self.0.try_recv() {
            Ok(()) => IsKept::Yes,
            Err(oneshot::error::TryRecvError::Empty) => IsKept::NotYet,
            Err(oneshot::error::TryRecvError::Closed) => IsKept::No,
        }
    }
}
